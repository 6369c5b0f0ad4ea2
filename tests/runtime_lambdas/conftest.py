"""The functions run in this process, against real PostgreSQL servers and the embedded AWS."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg2
import pytest

from paymig.embedded.postgres import VOLATILE, Postgres
from paymig.embedded.process import EmbeddedAws
from runtime_lambdas import payment_api
from runtime_lambdas.runtime import aws as clients
from runtime_lambdas.runtime import database, writer

SCHEMA = Path(payment_api.__path__[0]) / "schema.sql"
_numbers = count(1)


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as running:
        yield running
    clients.client.cache_clear()


@pytest.fixture(scope="session")
def older() -> Iterator[Postgres]:
    with Postgres.start(16, VOLATILE) as server:
        yield server


@pytest.fixture(scope="session")
def newer() -> Iterator[Postgres]:
    with Postgres.start(18, VOLATILE) as server:
        yield server


@dataclass(frozen=True)
class Database:
    """A database with the payments schema, and the application's login to it."""

    server: Postgres
    name: str
    role: str
    secret_arn: str

    def run(self, sql: str, *values: object) -> list[tuple]:
        """Run SQL as the superuser and return its rows."""
        connection = self.server.connect(self.name)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


MakeDatabase = Callable[[str], Database]


@pytest.fixture
def environment(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """A deployed function's environment with an empty journal, and nothing kept from the test before."""
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    table = f"journal-{next(_numbers)}"
    clients.client("dynamodb").create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("migration", "item")],
        KeySchema=[
            {"AttributeName": "migration", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
    )
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.setenv("PAYMIG_MIGRATION", "payments-test")
    monkeypatch.setenv("PAYMIG_JOURNAL_TABLE", table)
    writer.forget()
    database._secrets.clear()
    yield monkeypatch
    for connection in database._sides().values():
        connection.close()
    database._sides().clear()


@pytest.fixture
def make_database(aws: EmbeddedAws, older: Postgres, newer: Postgres, environment: pytest.MonkeyPatch) -> MakeDatabase:
    """Make a side's database and tell the functions about it."""

    def make(side: str) -> Database:
        server = {"source": older, "target": newer}[side]
        number = next(_numbers)
        name, role, password = f"payments_{number}", f"app_{number}", "it's a secret"
        server.create_role(role, password)
        server.create_database(name)
        connection = psycopg2.connect(server.dsn(name))
        with connection, connection.cursor() as cursor:
            cursor.execute(SCHEMA.read_text())
            cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        connection.close()
        secret = clients.client("secretsmanager").create_secret(
            Name=f"{side}-{number}", SecretString=json.dumps({"username": role, "password": password})
        )
        for key, value in {
            "HOST": server.host,
            "PORT": str(server.port),
            "NAME": name,
            "SECRET_ARN": secret["ARN"],
            "TLS": "verify-full",
        }.items():
            environment.setenv(f"{side.upper()}_{key}", value)
        return Database(server, name, role, secret["ARN"])

    return make


@pytest.fixture
def source(make_database: MakeDatabase) -> Database:
    return make_database("source")


@pytest.fixture
def target(make_database: MakeDatabase) -> Database:
    return make_database("target")


@pytest.fixture
def control(aws: EmbeddedAws, environment: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Write the journal's control item."""
    import os

    def write(side: str, epoch: int) -> None:
        clients.client("dynamodb").put_item(
            TableName=os.environ["PAYMIG_JOURNAL_TABLE"],
            Item={
                "migration": {"S": "payments-test"},
                "item": {"S": "control"},
                "writer": {"S": side},
                "epoch": {"N": str(epoch)},
            },
        )

    return write
