"""Which tables can't be replicated: what the engine refuses is what real servers fail at, and nothing else."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg2
import pytest

from paymig.embedded.postgres import Postgres
from runtime_lambdas.runtime.catalogue import read_tables
from runtime_lambdas.runtime.replication import publication
from tests.runtime_lambdas.replication.pair import until

TYPES = """
CREATE DOMAIN said AS json; CREATE DOMAIN told AS said; CREATE DOMAIN many AS json[];
CREATE DOMAIN amount AS bigint CHECK (VALUE >= 0);
CREATE TYPE mixed AS (a int, b told); CREATE TYPE plain AS (a int, b text[]); CREATE TYPE mood AS ENUM ('good', 'bad');
"""
GENERATED = "n int, made int GENERATED ALWAYS AS (n * 2) STORED"


@dataclass(frozen=True)
class Case:
    """A table.

    Attributes:
        refused: part of the reason; empty where nothing is wrong.
        from_: the version from which on it is refused.
        at: where it fails.
    """

    name: str
    columns: str
    then: str = ""
    refused: str = ""
    from_: int = 0
    at: str = "target"


CASES = [
    Case("keyless", "n int, a amount DEFAULT 1, b plain DEFAULT '(1,{a})', c mood[] DEFAULT '{good}', d int4range"
         " DEFAULT '[1,2)', e regclass DEFAULT 'pg_class', f varchar(3) DEFAULT 'a', g inet DEFAULT '::1'"),
    Case("keyless_json", "n int, y json DEFAULT '1'", refused="no primary key, and its columns y have"),
    Case("keyless_domain", "n int, y told DEFAULT '1'", refused="its columns y have no equality"),
    Case("keyless_array", "n int, y point[] DEFAULT ARRAY[point(1, 1)]", refused="its columns y have no equality"),
    Case("keyless_domain_of_array", "n int, y many DEFAULT '{1}'", refused="its columns y have no equality"),
    Case("keyless_composite", "n int, y mixed DEFAULT '(1,1)'", refused="its columns y have no equality"),
    Case("keyless_composites", "n int, y mixed[] DEFAULT ARRAY['(1,1)'::mixed]", refused="its columns y have no"),
    Case("late", "n int, id int DEFAULT 1 PRIMARY KEY DEFERRABLE"),
    Case("late_json", "n int, id int DEFAULT 1 PRIMARY KEY DEFERRABLE, y json DEFAULT '1'",
         refused="a primary key that is checked late, and its columns y"),
    Case("keyed_json", "n int, id int DEFAULT 1 PRIMARY KEY, y json DEFAULT '1'", "REPLICA IDENTITY FULL"),
    Case("indexed_json", "n int, id int DEFAULT 1 NOT NULL UNIQUE, y json DEFAULT '1'",
         "REPLICA IDENTITY USING INDEX indexed_json_id_key"),
    Case("dropped", "n int, id int DEFAULT 1 NOT NULL, CONSTRAINT gone UNIQUE (id)",
         "REPLICA IDENTITY USING INDEX gone; ALTER TABLE dropped DROP CONSTRAINT gone"),
    Case("dropped_json", "n int, id int DEFAULT 1 NOT NULL, y json DEFAULT '1', CONSTRAINT gone_too UNIQUE (id)",
         "REPLICA IDENTITY USING INDEX gone_too; ALTER TABLE dropped_json DROP CONSTRAINT gone_too",
         refused="its columns y have no equality"),
    Case("dropped_keyed", "n int, id int DEFAULT 1 PRIMARY KEY, k int DEFAULT 1 NOT NULL CONSTRAINT gone_also UNIQUE",
         "REPLICA IDENTITY USING INDEX gone_also; ALTER TABLE dropped_keyed DROP CONSTRAINT gone_also"),
    Case("nothing", "n int, id int DEFAULT 1 PRIMARY KEY", "REPLICA IDENTITY NOTHING"),
    Case("generated", GENERATED, refused="no primary key and a generated column, made", from_=18, at="source"),
    Case("generated_late", f"{GENERATED}, id int DEFAULT 1 PRIMARY KEY DEFERRABLE",
         refused="checked late and a generated column", from_=18, at="source"),
    Case("generated_blind", "n int, y point GENERATED ALWAYS AS (point(n, n)) STORED",
         refused="a generated column, y", from_=18, at="source"),
    Case("generated_keyed", f"{GENERATED}, id int DEFAULT 1 PRIMARY KEY", "REPLICA IDENTITY FULL"),
    Case("generated_key", "n int, id int DEFAULT 1, made int GENERATED ALWAYS AS (id) STORED PRIMARY KEY",
         refused="is known by made"),
    Case("generated_index", "n int, id int DEFAULT 1, made int GENERATED ALWAYS AS (id) STORED NOT NULL UNIQUE",
         "REPLICA IDENTITY USING INDEX generated_index_made_key", refused="is known by made"),
]  # fmt: skip


@pytest.fixture(scope="module", params=[(16, 18), (15, 18), (18, 16)], ids="{0[0]}-{0[1]}".format)
def sides(request, servers) -> Iterator["Sides"]:
    origin, destination = (servers[major] for major in request.param)
    made = Sides(origin, destination, request.param[0])
    for server in (origin, destination):
        server.create_database(made.name)
    for server in (origin, destination):
        made.run(server, TYPES)
        for case in CASES:
            made.run(server, f"CREATE TABLE {case.name} ({case.columns})")
            if case.then:
                made.run(server, f"ALTER TABLE {case.name} {case.then}")
    yield made
    for server in (origin, destination):
        with closing(server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {made.name} WITH (FORCE)")


@dataclass
class Sides:
    """A database that publishes and one that subscribes."""

    origin: Postgres
    destination: Postgres
    major: int
    name: str = "published"

    def run(self, server: Postgres, sql: str) -> list[tuple]:
        """Run SQL as the superuser and return its rows."""
        with closing(server.connect(self.name)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def publish(self, names: list[str]) -> None:
        """Publish tables as the engine does, whether it would refuse them or not."""
        with (
            closing(psycopg2.connect(self.origin.dsn(self.name))) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            publication.identify(cursor, read_tables(cursor, [f"public.{name}" for name in names]))
            cursor.execute(f"CREATE PUBLICATION all_of_it FOR TABLE {', '.join(names)}")

    @contextmanager
    def subscribed(self, names: list[str]) -> Iterator[None]:
        """Let the other side follow these tables."""
        self.publish(names)
        self.run(
            self.destination,
            f"CREATE SUBSCRIPTION follows CONNECTION '{self.origin.dsn(self.name)}' PUBLICATION all_of_it"
            " WITH (copy_data = false)",
        )
        try:
            yield
        finally:
            self.run(self.destination, "DROP SUBSCRIPTION follows")
            self.run(self.origin, "DROP PUBLICATION all_of_it")

    def stops(self) -> bool:
        """Whether the other side's worker ran into an error."""
        return self.run(self.destination, "SELECT apply_error_count FROM pg_stat_subscription_stats") != [(0,)]

    def rows(self, name: str) -> list[tuple]:
        """Return what the other side has of a table."""
        return self.run(self.destination, f"SELECT n FROM {name}")


def test_what_is_refused_fails_and_everything_else_goes_on(sides: Sides):
    with closing(psycopg2.connect(sides.origin.dsn(sides.name))) as connection, connection.cursor() as cursor:
        tables = read_tables(cursor, ["public.%"])
    refused = {table.name: said for table in tables for said in publication.refused([table], sides.major)}
    wrong = [case for case in CASES if case.refused and sides.major >= case.from_]
    assert refused.keys() == {case.name for case in wrong}
    assert all(case.refused in refused[case.name] for case in wrong)
    right = [case.name for case in CASES if case not in wrong]
    with sides.subscribed(right):
        for name in right:
            sides.run(sides.origin, f"INSERT INTO {name} (n) VALUES (1); UPDATE {name} SET n = 2")
        until(lambda: sides.stops() or all(sides.rows(name) == [(2,)] for name in right))
        for name in right:
            sides.run(sides.origin, f"DELETE FROM {name}")
        until(lambda: sides.stops() or not any(sides.rows(name) for name in right))
        assert not sides.stops()
    for case in wrong:
        with sides.subscribed([case.name]):
            sides.run(sides.origin, f"INSERT INTO {case.name} (n) VALUES (1)")
            until(lambda case=case: sides.rows(case.name) == [(1,)])
            if case.at == "source" or (sides.major >= 18 and "is known by" in case.refused):
                for statement in (f"UPDATE {case.name} SET n = 2", f"DELETE FROM {case.name}"):
                    with pytest.raises(psycopg2.Error, match=r"cannot (update|delete from) table"):
                        sides.run(sides.origin, statement)
            else:
                sides.run(sides.origin, f"UPDATE {case.name} SET n = 2")
                until(sides.stops)
