import json

import psycopg2
import pytest

from runtime_lambdas.runtime import aws as clients
from runtime_lambdas.runtime import database

SERVER = database.Server("db.corp.example.com", 5432, "payments", "verify-full", "/opt/ca.pem")
LOGIN = {"username": "app", "password": "p"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_a_loopback_connection_may_be_plain(host):
    protection = database._protection(database.Server(host, 5432, "d", "verify-full", "/ca.pem"))
    assert protection == {"sslmode": "prefer"}


@pytest.mark.parametrize(
    "host",
    ["db.corp.example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", "128.0.0.1", "::2", ""],
)
@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require"])
def test_any_other_connection_is_protected_as_configured(host, mode):
    assert database._protection(database.Server(host, 5432, "d", mode, None)) == {"sslmode": mode}
    with_authority = database._protection(database.Server(host, 5432, "d", mode, "/ca.pem"))
    assert with_authority == {"sslmode": mode, "sslrootcert": "/ca.pem"}


def test_without_a_mode_the_strictest_is_taken(monkeypatch):
    monkeypatch.setenv("SOURCE_HOST", "db")
    monkeypatch.setenv("SOURCE_NAME", "payments")
    for name in ("TLS", "CA", "PORT"):
        monkeypatch.delenv(f"SOURCE_{name}", raising=False)
    assert database.server("source") == database.Server("db", 5432, "payments", "verify-full", None)


def test_an_address_in_the_secret_wins(source):
    login = {**database.read_secret(source.secret_arn), "host": source.server.host, "port": source.server.port}
    connection = database.connect(SERVER, {**login, "dbname": source.name})
    assert connection.get_dsn_parameters()["sslmode"] == "prefer"
    assert connection.info.dbname == source.name
    connection.close()


def test_a_name_that_only_happens_to_mean_this_machine_is_not_trusted(source):
    """The server offers no TLS, so a connection that insists on it must fail."""
    where = database.Server("127.1", source.server.port, source.name, "require", None)
    with pytest.raises(psycopg2.OperationalError, match="does not support SSL"):
        database.connect(where, database.read_secret(source.secret_arn))


def rotate(source, password):
    source.run(f"ALTER ROLE {source.role} PASSWORD %s", password)


def test_a_rotated_secret_is_read_again(source):
    database.open_side("source").close()
    rotate(source, "new")
    secret = json.dumps({"username": source.role, "password": "new"})
    clients.client("secretsmanager").put_secret_value(SecretId=source.secret_arn, SecretString=secret)
    connection = database.open_side("source")
    assert connection.info.user == source.role
    connection.close()


def test_a_login_that_stays_wrong_is_refused_after_one_more_look(source, monkeypatch):
    database.open_side("source").close()
    rotate(source, "new")
    reads = []
    monkeypatch.setattr(database, "read_secret", lambda arn, read=database.read_secret: reads.append(arn) or read(arn))
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        database.open_side("source")
    assert reads == [source.secret_arn]


def test_an_unknown_side_says_so(environment):
    environment.delenv("TARGET_HOST", raising=False)
    with pytest.raises(database.NotConfigured, match="TARGET_HOST is not set"):
        database.open_side("target")


def test_work_is_not_repeated_on_a_sound_connection(source):
    runs = []

    def work(cursor):
        runs.append(1)
        cursor.execute("SELECT 1/0")

    with pytest.raises(psycopg2.errors.DivisionByZero):
        database.transact("source", work)
    assert len(runs) == 1
    assert database.transact("source", lambda cursor: cursor.connection.info.transaction_status) is not None
