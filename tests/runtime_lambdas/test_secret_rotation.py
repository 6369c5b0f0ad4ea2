import json
import time
from pathlib import Path

import psycopg2
import pytest

from compiler.bundle import bundle_folder, runtime_layer
from runtime_lambdas import secret_rotation
from runtime_lambdas.runtime import aws as clients
from runtime_lambdas.runtime import database
from runtime_lambdas.secret_rotation.handler import handler
from runtime_lambdas.secret_rotation.role import RotationFailed, set_password

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


def secret_of(arn, stage="AWSCURRENT"):
    value = clients.client("secretsmanager").get_secret_value(SecretId=arn, VersionStage=stage)
    return json.loads(value["SecretString"])


def new_secret(name, **content):
    created = clients.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(content))
    return created["ARN"]


@pytest.fixture
def admin(target, environment):
    """The administrator's secret: it holds no address, as the one that RDS keeps."""
    server = target.server
    arn = new_secret(f"admin-{target.name}", username=server.user, password=server.password)
    environment.setenv("ADMIN_SECRET_ARN", arn)
    return arn


def opens(target, login):
    try:
        psycopg2.connect(target.server.dsn(target.name, login["username"], login["password"])).close()
    except psycopg2.OperationalError:
        return False
    return True


def stage(arn, content, version):
    """Put a version as it is after createSecret."""
    clients.client("secretsmanager").put_secret_value(
        SecretId=arn, ClientRequestToken=version, SecretString=json.dumps(content), VersionStages=["AWSPENDING"]
    )


def run(step, arn, version):
    handler({"Step": step, "SecretId": arn, "ClientRequestToken": version}, None)


def test_secrets_manager_rotates_a_role_through_the_deployed_function(aws, target, admin, environment):
    """The real thing: the zip and its layer deployed, started by Secrets Manager, against a real server."""
    lambdas = clients.client("lambda")
    bundle = bundle_folder(
        Path(secret_rotation.__path__[0]), "secret_rotation", handler="secret_rotation.handler.handler"
    )
    layer = lambdas.publish_layer_version(
        LayerName=f"runtime-{target.name}", Content={"ZipFile": runtime_layer().data}
    )["LayerVersionArn"]
    variables = {"PAYMIG_MIGRATION": "payments-test", "ADMIN_SECRET_ARN": admin, "TARGET_NAME": target.name}
    variables |= {
        "TARGET_HOST": target.server.host,
        "TARGET_PORT": str(target.server.port),
        "TARGET_TLS": "verify-full",
    }
    function = lambdas.create_function(
        FunctionName=f"rotation-{target.name}",
        Runtime="python3.13",
        Handler="secret_rotation.handler.handler",
        Role="arn:aws:iam::111122223333:role/rotation",
        Code={"ZipFile": bundle.data},
        Layers=[layer],
        Timeout=30,
        Environment={"Variables": variables},
    )["FunctionArn"]
    lambdas.add_permission(
        FunctionName=function,
        StatementId="rotation",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    old = secret_of(target.secret_arn)
    rotated = clients.client("secretsmanager").rotate_secret(SecretId=target.secret_arn, RotationLambdaARN=function)
    deadline = time.monotonic() + 30
    while "AWSCURRENT" not in _stages(target.secret_arn).get(rotated["VersionId"], ()):
        assert time.monotonic() < deadline, "the rotation did not finish"
        time.sleep(0.1)
    new = secret_of(target.secret_arn)
    assert new["username"] == old["username"]
    assert new["password"] != old["password"]
    assert opens(target, new)
    assert not opens(target, old)
    assert secret_of(target.secret_arn, "AWSPREVIOUS") == old


def _stages(arn):
    return clients.client("secretsmanager").describe_secret(SecretId=arn)["VersionIdsToStages"]


def test_every_step_may_be_repeated(target, admin):
    version = "11111111-2222-3333-4444-555555555555"
    old = secret_of(target.secret_arn)
    stage(target.secret_arn, {**old, "password": "renewed"}, version)
    for step in STEPS:
        run(step, target.secret_arn, version)
        run(step, target.secret_arn, version)
    assert secret_of(target.secret_arn) == {**old, "password": "renewed"}
    assert opens(target, secret_of(target.secret_arn))
    assert not opens(target, old)


def test_a_password_that_was_not_set_never_becomes_current(target, admin):
    version = "22222222-2222-3333-4444-555555555555"
    old = secret_of(target.secret_arn)
    stage(target.secret_arn, {**old, "password": "never set"}, version)
    with pytest.raises(RotationFailed, match=f"{target.role} does not open the database"):
        run("testSecret", target.secret_arn, version)
    assert secret_of(target.secret_arn) == old


def test_a_version_that_nobody_staged_is_refused(target, admin):
    with pytest.raises(RotationFailed, match="not staged for rotation"):
        run("createSecret", target.secret_arn, "33333333-2222-3333-4444-555555555555")
    with pytest.raises(RotationFailed, match="'dropSecret' is not a step"):
        run("dropSecret", target.secret_arn, "33333333-2222-3333-4444-555555555555")


def test_a_role_that_does_not_exist_yet_is_made_without_rights(target, admin):
    arn = new_secret(f"first-{target.name}", username='odd "role"', password="unused")
    version = "44444444-2222-3333-4444-555555555555"
    stage(arn, {"username": 'odd "role"', "password": "it's new"}, version)
    run("setSecret", arn, version)
    run("testSecret", arn, version)
    granted = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = %s"
    assert target.run(granted, 'odd "role"') == [(False,)]
    may_read = "SELECT has_table_privilege(%s, 'payments', 'SELECT')"
    assert target.run(may_read, 'odd "role"') == [(False,)]
    target.run('DROP ROLE "odd ""role"""')


def test_the_server_never_sees_the_password(target, admin):
    version = "55555555-2222-3333-4444-555555555555"
    target.run("ALTER SYSTEM SET log_statement = 'all'")
    target.run("SELECT pg_reload_conf()")
    stage(target.secret_arn, {"username": target.role, "password": "visible-in-no-log"}, version)
    run("setSecret", target.secret_arn, version)
    stored = target.run("SELECT rolpassword FROM pg_authid WHERE rolname = %s", target.role)
    target.run("ALTER SYSTEM RESET log_statement")
    target.run("SELECT pg_reload_conf()")
    log = target.server.log
    assert f'ALTER ROLE "{target.role}"' in log
    assert "visible-in-no-log" not in log
    assert stored[0][0].startswith("SCRAM-SHA-256$")


def test_administrators_are_left_alone(target, admin):
    where = database.server("target")
    target.server.create_role(f"super_{target.name}", "p", "SUPERUSER")
    with pytest.raises(RotationFailed, match="is a superuser"):
        set_password(where, secret_of(admin), {"username": f"super_{target.name}", "password": "x"})
    with pytest.raises(RotationFailed, match="is the administrator"):
        set_password(where, secret_of(admin), secret_of(admin))
