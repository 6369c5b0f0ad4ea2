"""The stage of a rehearsal: a real PostgreSQL for each of the two databases, and the embedded AWS."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import psycopg2

from paymig.aws.session import Aws
from paymig.embedded.postgres import VOLATILE, Postgres, PostgresError, find_binaries, majors
from paymig.embedded.process import EmbeddedAws, EmbeddedAwsError
from paymig.embedded.seed import DatabaseEndpoint, HostedZone, Secret, Seed
from paymig.errors import EmbeddedError
from paymig.rehearsal.versions import choose
from schemas.migration import Migration

_SCHEMA = files("runtime_lambdas.payment_api") / "schema.sql"
_APPLICATION_ROLE = "payments_app"
_OWNER_ROLE = "payments_owner"
# A server that dies must recover all it acknowledged; only a crash of the whole machine may cost data here.
_SETTINGS = {name: value for name, value in VOLATILE.items() if name != "synchronous_commit"} | {
    "wal_retrieve_retry_interval": "500ms"  # a subscription that lost its server comes back in a moment, not in 5 s
}


@dataclass(frozen=True)
class Stage:
    """What a rehearsal plays on; the DSNs are superusers', but for the application's."""

    source: Postgres
    source_dsn: str
    application_dsn: str
    target: Postgres
    target_dsn: str
    embedded: EmbeddedAws
    aws: Aws


@contextmanager
def open_stage(migration: Migration, schema: Path | None = None, environments: int = 0) -> Iterator[Stage]:
    """Start both databases and the embedded AWS, with the ids that the spec names; remove all afterwards.

    Args:
        migration: the spec's values.
        schema: SQL that makes the source's tables, with rows or without, as pg_dump writes it; None for the built-in
            tables.
        environments: of each Lambda function, as of `Seed`.

    Raises:
        EmbeddedError: one of them did not come up.
    """
    with ExitStack() as stack, _worded():
        older, newer = choose(migration.database.engine_version, majors())
        source = stack.enter_context(Postgres.start(older, settings=_SETTINGS))
        target = stack.enter_context(Postgres.start(newer, settings=_SETTINGS))
        dsn, secrets_ = _make_source(source, migration, schema)
        target_dsn = target.create_database(migration.database_name)
        endpoint = DatabaseEndpoint(target.host, target.port, target.user, target.password)
        seed = replace(seed_of(migration, secrets_, endpoint), execution_environments=environments)
        embedded = stack.enter_context(
            EmbeddedAws(region=migration.region, account_id=_account_of(migration), seed=seed)
        )
        aws = Aws(migration.region, endpoint_url=embedded.endpoint_url, credentials=(embedded.account_id, "embedded"))
        login = next(known.value for known in secrets_ if known.arn == migration.source.database.secret)
        application = source.dsn(migration.source.database.name, login["username"], login["password"])
        yield Stage(source, dsn, application, target, target_dsn, embedded, aws)


@contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except (PostgresError, EmbeddedAwsError) as error:
        raise EmbeddedError(str(error)) from error


def _make_source(source: Postgres, migration: Migration, schema: Path | None) -> tuple[str, tuple[Secret, ...]]:
    """Make the source's database with its tables, the role that owns it and the one that applications use.

    Returns:
        A superuser's DSN, and the secrets that the spec names.
    """
    database = migration.source.database
    roles = {_OWNER_ROLE: secrets.token_urlsafe(24), _APPLICATION_ROLE: secrets.token_urlsafe(24)}
    source.create_role(_OWNER_ROLE, roles[_OWNER_ROLE], "REPLICATION")
    source.create_role(_APPLICATION_ROLE, roles[_APPLICATION_ROLE])
    dsn = source.create_database(database.name, _OWNER_ROLE)
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            # The way back subscribes to the target, which below 16 takes a superuser.
            may_subscribe = f"GRANT pg_create_subscription TO {_OWNER_ROLE}"
            cursor.execute(
                may_subscribe if connection.server_version >= 160000 else f"ALTER ROLE {_OWNER_ROLE} SUPERUSER"
            )
            # As a member, whoever fences can try to write as the application, and prove that it is refused.
            cursor.execute(f"GRANT {_APPLICATION_ROLE} TO {_OWNER_ROLE}")
        if schema is not None:
            _restore(source, source.dsn(database.name, _OWNER_ROLE, roles[_OWNER_ROLE]), schema)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {_OWNER_ROLE}")
            if schema is None:
                cursor.execute(_SCHEMA.read_text())
            cursor.execute(_SCHEMAS)
            for (name,) in cursor.fetchall():
                cursor.execute(
                    f"GRANT USAGE ON SCHEMA {name} TO {_APPLICATION_ROLE};"
                    f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {_APPLICATION_ROLE};"
                    f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {name} TO {_APPLICATION_ROLE}"
                )
    finally:
        connection.close()
    owner = {database.admin: _OWNER_ROLE, database.secret: _APPLICATION_ROLE} if database.admin_secret else {}
    logins = owner or {database.secret: _OWNER_ROLE}
    where: dict[str, str | int] = {"host": source.host, "port": source.port, "dbname": database.name}
    return dsn, tuple(Secret(arn, {"username": role, "password": roles[role], **where}) for arn, role in logins.items())


def _restore(source: Postgres, dsn: str, file: Path) -> None:
    """Run a dump by psql, which knows what pg_dump writes besides SQL, as the role that owns the tables.

    Raises:
        EmbeddedError: it failed: says with what.
    """
    psql = find_binaries(int(source.version.partition(".")[0]))[0] / "psql"
    done = subprocess.run(
        [psql, "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={file}", dsn],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise EmbeddedError(
            f"{file} cannot be restored into the source: {done.stderr.strip()}",
            "rehearsal.schema is plain SQL of pg_dump --no-owner --no-privileges, or of your own",
        )


_SCHEMAS = """
SELECT quote_ident(nspname) FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND has_schema_privilege(oid, 'USAGE')
"""


def seed_of(migration: Migration, known: tuple[Secret, ...] = (), endpoint: DatabaseEndpoint | None = None) -> Seed:
    """What a spec names by its id, for the embedded AWS to hold before the first deploy."""
    network = migration.source.network
    return Seed(
        hosted_zones=(HostedZone(migration.routing.hosted_zone, migration.routing.record.partition(".")[2]),),
        transit_gateways=(network.transit_gateway,) if network.transit_gateway else (),
        direct_connect_gateways=(network.direct_connect_gateway,) if network.direct_connect_gateway else (),
        secrets=known,
        database_endpoint=endpoint,
    )


def _account_of(migration: Migration) -> str:
    """Read the account off the spec's secret, so that its ARN exists in the embedded AWS as it stands."""
    return migration.source.database.secret.split(":")[4]
