import io
import json
import time
import zipfile
from pathlib import Path

import psycopg2
import pytest

from compiler.bundle import bundle_folder, runtime_layer
from runtime_lambdas import secret_rotation
from runtime_lambdas.runtime import aws as clients
from runtime_lambdas.runtime import database
from runtime_lambdas.secret_rotation import handler as rotation
from runtime_lambdas.secret_rotation import role
from runtime_lambdas.secret_rotation.handler import handler
from runtime_lambdas.secret_rotation.role import RotationFailed, set_password

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


def secret_of(arn, stage="AWSCURRENT"):
    value = clients.client("secretsmanager").get_secret_value(SecretId=arn, VersionStage=stage)
    return json.loads(value["SecretString"])


def value_of(arn, version):
    """A version's content; None as long as it has none."""
    secrets = clients.client("secretsmanager")
    try:
        return json.loads(secrets.get_secret_value(SecretId=arn, VersionId=version)["SecretString"])
    except (KeyError, secrets.exceptions.ResourceNotFoundException):
        return None


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


class Crash(BaseException):
    """The process is gone: nothing of the handler's runs any more."""


class Fuse:
    """Counts what a rotation does to the world and ends the process at one of these moments."""

    def __init__(self, moment):
        self.moment = moment
        self.passed = []

    def passing(self, what):
        self.passed.append(what)
        if len(self.passed) == self.moment:
            raise Crash(what)

    def arm(self, monkeypatch):
        """Pass before and after every call to AWS, and before and after every change of a password."""
        real_client, real_set = clients.client, role.set_password

        class Watched:
            def __init__(self, real):
                self.real = real

            def __getattr__(self, name):
                def call(**given):
                    self_fuse.passing(f"before {name}")
                    answer = getattr(self.real, name)(**given)
                    self_fuse.passing(f"after {name}")
                    return answer

                return call

        def watched_set(*given):
            self_fuse.passing("before the password is set")
            real_set(*given)
            self_fuse.passing("after the password is set")

        self_fuse = self
        monkeypatch.setattr(clients, "client", lambda service: Watched(real_client(service)))
        monkeypatch.setattr(rotation, "set_password", watched_set)


@pytest.fixture
def begin(aws, target):
    """Begin rotations as Secrets Manager does, and leave the steps to the test: a version without a value is staged."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("nothing.py", "def handler(event, context): pass")
    function = clients.client("lambda").create_function(
        FunctionName=f"nothing-{target.name}",
        Runtime="python3.13",
        Handler="nothing.handler",
        Role="arn:aws:iam::111122223333:role/rotation",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    clients.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rotation",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    secrets = clients.client("secretsmanager")
    return lambda: secrets.rotate_secret(SecretId=target.secret_arn, RotationLambdaARN=function)["VersionId"]


@pytest.mark.parametrize("again", ["the same version", "a new version"])
def test_a_crash_at_any_moment_is_repaired_by_the_next_run(target, admin, begin, again):
    """Until then one of the two passwords opens the database; afterwards the current one does, and no other."""
    crashes = 0
    for moment in range(1, 200):
        before = secret_of(target.secret_arn)
        version = begin()
        fuse = Fuse(moment)
        with pytest.MonkeyPatch.context() as armed:
            fuse.arm(armed)
            try:
                for step in STEPS:
                    run(step, target.secret_arn, version)
            except Crash:
                crashes += 1
        known = [before, value_of(target.secret_arn, version)]
        assert any(opens(target, login) for login in known if login), f"nothing opens the database after {fuse.passed}"
        if again == "a new version":
            clients.client("secretsmanager").cancel_rotate_secret(SecretId=target.secret_arn)
            version = begin()
        for step in STEPS:
            run(step, target.secret_arn, version)
        after = secret_of(target.secret_arn)
        assert opens(target, after), f"the current password does not open the database after {fuse.passed}"
        assert not opens(target, before)
        if len(fuse.passed) < moment:
            break
    assert crashes == len(fuse.passed) > 20, "every moment of a rotation was a crash once"


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
