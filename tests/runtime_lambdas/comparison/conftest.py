"""Pairs of databases on two major versions, for comparisons in this process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import psycopg2
import pytest

from paymig.embedded.postgres import Postgres
from runtime_lambdas.runtime.comparison import Options, Patterns, Report, compare

_numbers = count(1)
FAST = Options(pause=0.01, patience=2)


@dataclass(frozen=True)
class Side:
    """A database, with a login that may read and do nothing else."""

    server: Postgres
    name: str

    def run(self, sql: str, *values: object) -> list[tuple]:
        """Run SQL as the superuser and return its rows."""
        connection = self.server.connect(self.name)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def open(self):
        """Open a connection as the reader."""
        return psycopg2.connect(self.server.dsn(self.name, "reader", "reader"))


@dataclass(frozen=True)
class Pair:
    """A source and a target."""

    source: Side
    target: Side

    def __iter__(self) -> Iterator[Side]:
        return iter((self.source, self.target))

    def run(self, sql: str) -> None:
        """Run SQL on both sides as the superuser, and let the reader read."""
        for side in self:
            side.run(sql)
            side.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")

    def empty(self) -> None:
        """Leave nothing of an earlier test, a heartbeat in particular: it would be waited for."""
        for side in self:
            side.run(
                "DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS paymig CASCADE;"
                "CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO reader"
            )

    def compare(self, options: Options = FAST, include=("public.%",), **more) -> Report:
        """Compare both sides as the reader."""
        return compare(self.source.open, self.target.open, Patterns(include), options, **more)


@pytest.fixture(scope="session")
def readers(older: Postgres, newer: Postgres) -> tuple[Postgres, Postgres]:
    for server in (older, newer):
        server.create_role("reader", "reader")
    return older, newer


@pytest.fixture(scope="session")
def make_pair(readers: tuple[Postgres, Postgres]) -> Callable[[], Pair]:
    def make() -> Pair:
        sides = []
        for server in readers:
            name = f"compared_{next(_numbers)}"
            server.create_database(name)
            sides.append(Side(server, name))
        return Pair(*sides)

    return make


@pytest.fixture(scope="session")
def databases(make_pair: Callable[[], Pair]) -> Pair:
    return make_pair()


@pytest.fixture
def pair(databases: Pair) -> Pair:
    """Two empty databases."""
    databases.empty()
    return databases
