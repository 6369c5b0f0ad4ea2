"""This machine opens both databases by what the spec, the secrets and the stacks say."""

import json
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from paymig.databases import Databases
from paymig.errors import Refused


def who(databases: Databases, side: str, role: str) -> tuple[str, str, int]:
    with databases.open(side, role) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database(), current_setting('port')::int")
        return cursor.fetchone()


def test_each_side_is_opened_as_whom_was_asked_for(stage, spec, deploy):
    databases = Databases(stage.aws, spec)
    assert who(databases, "source", "application") == ("payments_app", "payments", stage.source.port)
    assert who(databases, "source", "admin") == ("payments_owner", "payments", stage.source.port)
    with pytest.raises(Refused, match="no target database yet"):
        databases.login("target", "master")
    deploy(spec)
    databases = Databases(stage.aws, spec)
    assert who(databases, "target", "master") == ("postgres", "payments", stage.target.port)
    login = databases.login("target", "control")
    assert login.user == "paymig_control"
    assert login.secret["password"] not in repr(login)
    with pytest.raises(psycopg2.OperationalError, match="paymig_control"):
        login.open()
    authorities = Path(login.server.ca)
    assert authorities.read_text().count("BEGIN CERTIFICATE") > 1


def test_without_an_administrator_the_application_is_one(stage, spec):
    source = spec.migration.source
    source = source.model_copy(update={"database": source.database.model_copy(update={"admin_secret": None})})
    alone = replace(spec, migration=spec.migration.model_copy(update={"source": source}))
    databases = Databases(stage.aws, alone)
    assert who(databases, "source", "admin") == who(databases, "source", "application")


@pytest.mark.parametrize("value", ["", "secret", "[]", json.dumps({"username": "app"})])
def test_a_secret_that_is_no_login_is_named_and_not_shown(stage, spec, value):
    arn = spec.migration.source.database.secret
    stage.aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=value or "{}")
    databases = Databases(stage.aws, spec)
    with pytest.raises(Refused) as caught:
        databases.login("source", "application")
    assert arn in caught.value.message
    assert "username" in caught.value.hint


def test_the_other_server_is_told_where_and_as_whom(stage, spec):
    databases = Databases(stage.aws, spec)
    dsn = databases.login("source", "admin").for_a_server()
    parts = psycopg2.extensions.parse_dsn(dsn)
    assert (parts["host"], parts["port"], parts["sslmode"]) == ("127.0.0.1", str(stage.source.port), "prefer")
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("payments_owner",)
    connection.close()
