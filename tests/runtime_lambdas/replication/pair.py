"""Two real servers of different majors, with the roles a migration uses, and payments made all the time."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2.extensions import parse_dsn

from paymig.embedded.postgres import VOLATILE, Postgres
from runtime_lambdas import payment_api
from runtime_lambdas.runtime import roles
from runtime_lambdas.runtime.catalogue import read_sequences, read_tables
from runtime_lambdas.runtime.database import Server
from runtime_lambdas.runtime.logins import Login
from runtime_lambdas.runtime.replication.logical import Logical

SCHEMA = (Path(payment_api.__path__[0]) / "schema.sql").read_text()
INCLUDE = ("public.%",)
PAIRS = {"16-18": (16, 18), "15-18": (15, 18)}
SETTINGS = {
    **VOLATILE,
    "max_connections": "60",
    "max_worker_processes": "20",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
}
_numbers = itertools.count(1)


@dataclass
class Side:
    """One database, and the logins to it by role."""

    server: Postgres
    name: str
    logins: dict[str, Login] = field(default_factory=dict)

    def run(self, sql: str, *values: object) -> list[tuple]:
        """Run SQL as the superuser, each statement for itself, and return the last one's rows."""
        with closing(self.server.connect(self.name)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def transact(self, role: str, work):
        """Run `work(cursor)` in one transaction as a role."""
        with closing(self.logins[role].open()) as connection, connection, connection.cursor() as cursor:
            return work(cursor)

    def add(self, role: str, user: str, password: str = "it's a secret") -> None:
        """Remember a login."""
        where = Server(self.server.host, self.server.port, self.name, "verify-full", None)
        self.logins[role] = Login(where, {"username": user, "password": password})

    def digest(self, *tables: str) -> dict[str, tuple[int, str]]:
        """Return each table's number of rows and a digest of them in order."""
        query = "SELECT count(*), md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM {} t"
        return {table: self.run(query.format(table))[0] for table in tables or ("payments", "transactions")}


class Pair:
    """Source and target of a migration."""

    def __init__(self, older: Postgres, newer: Postgres) -> None:
        number = next(_numbers)
        self.name = f"payments-test{number}"
        self.source, self.target = Side(older, f"pay_{number}"), Side(newer, f"pay_{number}")
        self.engines: list[Logical] = []
        self._make_source(number)
        self._make_target(number)

    def login(self, side: str, role: str) -> Login:
        """As `Logins.login`."""
        return getattr(self, side).logins[role]

    def forward(self, **changed) -> Logical:
        """Return a new engine from source to target."""
        engine = Logical(self.name, self, changed.get("include", INCLUDE), changed.get("exclude", ()))
        self.engines.append(engine)
        return engine

    def back(self, forward: Logical) -> Logical:
        """Return its mirror."""
        self.engines.append(forward.reverse())
        return self.engines[-1]

    def loaded(self, rows: int = 500, **changed) -> Logical:
        """Return the forward engine once it has loaded the source's rows."""
        fill(self.source, rows)
        engine = self.forward(**changed)
        engine.prepare()
        engine.start()
        until(lambda: engine.progress().loaded)
        return engine

    def restore_schema(self, definition: str = SCHEMA) -> None:
        """Make the target's schema, and give it to who owns it."""
        self.target.run(definition)

        def hand_over(cursor) -> None:
            tables = read_tables(cursor, INCLUDE)
            roles.hand_over(cursor, self, tables, read_sequences(cursor, tables))

        self.target.transact("master", hand_over)

    def open_target(self) -> None:
        """Let the target's API write, and read what it needs for it."""

        def act(cursor) -> None:
            tables = read_tables(cursor, INCLUDE)
            sequences = read_sequences(cursor, tables)
            roles.grant_reading(cursor, self, tables, sequences)
            roles.open_writer(cursor, [self.login("target", "api").user], tables, sequences)

        self.target.transact("control", act)

    def grant_setting(self, *names: str) -> None:
        """Let the target's owner of the tables change server settings, as a superuser may."""
        for name in names:
            self.target.run(f"GRANT SET ON PARAMETER {name} TO {self.login('target', 'control').user}")

    def end(self) -> None:
        """Remove the databases and what holds them."""
        for engine in reversed(self.engines):
            try:
                engine.retire()
            except Exception:
                engine.close()
        for side in (self.source, self.target):
            name = side.name
            for (slot,) in side.run(
                "SELECT slot_name FROM pg_replication_slots WHERE database = %s AND NOT active", name
            ):
                side.run("SELECT pg_drop_replication_slot(%s)", slot)
        for engine in self.engines:
            engine.close()
        for side in (self.source, self.target):
            with closing(side.server.connect()) as connection, connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {side.name} WITH (FORCE)")

    def _make_source(self, number: int) -> None:
        source = self.source
        for role, attributes in ("application", ()), ("admin", ("REPLICATION",)):
            user = f"{role}_{number}"
            if role == "admin" and source.server.version < "16":
                attributes = ("SUPERUSER",)
            source.add(role, user)
            source.server.create_role(user, source.logins[role].secret["password"], *attributes)
        owner, application = source.logins["admin"].user, source.logins["application"].user
        source.server.create_database(source.name, owner)
        if source.server.version >= "16":
            source.run(f"GRANT pg_create_subscription TO {owner}")
        source.transact("admin", lambda cursor: cursor.execute(SCHEMA))
        source.transact(
            "admin",
            lambda cursor: cursor.execute(
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {application};"
                f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {application}"
            ),
        )

    def _make_target(self, number: int) -> None:
        target = self.target
        target.server.create_database(target.name)
        target.add("master", "postgres", parse_dsn(target.server.dsn())["password"])
        for role in roles.TARGET_ROLES:
            target.add(role, f"paymig_{role}_{number}")
        target.transact("master", lambda cursor: roles.make_target_roles(cursor, self))
        self.restore_schema()


class Load:
    """Payments made through one side's application role, as fast as asked, until told to stop.

    Attributes:
        acknowledged: ids of the payments whose commit was confirmed.
    """

    def __init__(self, login: Login, pause: float = 0.002) -> None:
        self.acknowledged: list[str] = []
        self.failures: list[str] = []
        self._login, self._pause = login, pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        connection = None
        while not self._ended.is_set():
            id_ = str(uuid.uuid4())
            try:
                connection = connection or self._login.open()
                with connection, connection.cursor() as cursor:
                    pay(cursor, id_)
                self.acknowledged.append(id_)
            except psycopg2.Error as error:
                self.failures.append(str(error))
                if connection is not None:
                    connection.close()
                connection = None
                time.sleep(0.05)
            time.sleep(self._pause)


def pay(cursor, id_: str) -> None:
    """Make a payment, its two ledger lines, and a later change of it."""
    cursor.execute(
        "INSERT INTO payments (id, idempotency_key, request_digest, merchant, amount, currency, status)"
        " VALUES (%s, %s, 'd', 'Zoë', 1250, 'EUR', 'captured')",
        (id_, id_),
    )
    for account, amount in ("merchant", 1250), ("clearing", -1250):
        cursor.execute(
            "INSERT INTO transactions (payment_id, account, amount, currency) VALUES (%s, %s, %s, 'EUR')",
            (id_, account, amount),
        )
    cursor.execute("UPDATE payments SET reference = 'changed' WHERE id = %s", (id_,))


def fill(side: Side, count: int) -> None:
    """Make many payments at once."""
    side.run(
        "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
        f" SELECT 'old' || i, 'd', 'Zoë', i, 'EUR', 'captured' FROM generate_series(1, {count}) i;"
        "INSERT INTO transactions (payment_id, account, amount, currency)"
        " SELECT id, 'merchant', amount, currency FROM payments;"
        "ANALYZE"
    )


def continue_numbers(side: Side) -> None:
    """Let a side's identities go on after the rows that were replicated to it."""
    side.run("SELECT setval(pg_get_serial_sequence('transactions', 'id'), max(id) + 1000) FROM transactions")


def until(what, seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
