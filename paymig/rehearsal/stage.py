"""The stage of a rehearsal: a real PostgreSQL as the data centre's database, and the embedded AWS."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files

import psycopg2

from paymig.aws.session import Aws
from paymig.embedded.postgres import VOLATILE, Postgres, PostgresError
from paymig.embedded.process import EmbeddedAws, EmbeddedAwsError
from paymig.embedded.seed import HostedZone, Secret, Seed
from paymig.errors import EmbeddedError
from schemas.migration import Migration

_SCHEMA = files("runtime_lambdas.payment_api") / "schema.sql"
_APPLICATION_ROLE = "payments_app"


@dataclass(frozen=True)
class Stage:
    """What a rehearsal plays on."""

    source: Postgres
    source_dsn: str
    embedded: EmbeddedAws
    aws: Aws


@contextmanager
def open_stage(migration: Migration) -> Iterator[Stage]:
    """Start the source database and the embedded AWS, with the ids that the spec names; remove both afterwards.

    Raises:
        EmbeddedError: one of them did not come up.
    """
    with ExitStack() as stack, _worded():
        source = stack.enter_context(Postgres.start(settings=VOLATILE))
        dsn, secret = _make_source(source, migration)
        embedded = stack.enter_context(
            EmbeddedAws(region=migration.region, account_id=_account_of(migration), seed=_seed(migration, secret))
        )
        aws = Aws(migration.region, endpoint_url=embedded.endpoint_url, credentials=(embedded.account_id, "embedded"))
        yield Stage(source, dsn, embedded, aws)


@contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except (PostgresError, EmbeddedAwsError) as error:
        raise EmbeddedError(str(error)) from error


def _make_source(source: Postgres, migration: Migration) -> tuple[str, dict[str, str | int]]:
    """Make the payments database and the role that applications use; give the owner's DSN and the role's secret."""
    name = migration.source.database.name
    password = secrets.token_urlsafe(24)
    dsn = source.create_database(name)
    source.create_role(_APPLICATION_ROLE, password)
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_SCHEMA.read_text())
            cursor.execute(
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {_APPLICATION_ROLE};"
                f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {_APPLICATION_ROLE}"
            )
    finally:
        connection.close()
    secret: dict[str, str | int] = {"username": _APPLICATION_ROLE, "password": password}
    return dsn, secret | {"host": source.host, "port": source.port, "dbname": name}


def _seed(migration: Migration, secret: dict[str, str | int]) -> Seed:
    gateway = migration.source.network.transit_gateway
    return Seed(
        hosted_zones=(HostedZone(migration.routing.hosted_zone, migration.routing.record.partition(".")[2]),),
        transit_gateways=(gateway,) if gateway else (),
        secrets=(Secret(migration.source.database.secret, secret),),
    )


def _account_of(migration: Migration) -> str:
    """Read the account off the spec's secret, so that its ARN exists in the embedded AWS as it stands."""
    return migration.source.database.secret.split(":")[4]
