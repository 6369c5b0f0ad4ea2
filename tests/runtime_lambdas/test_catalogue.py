"""The catalogue as it is read from real servers: what is one table, what a row is known by, where a sequence stands."""

from collections.abc import Iterator
from itertools import count

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_lambdas.runtime.catalogue import ColumnName, matches, read_sequences, read_tables

_numbers = count(1)

SCHEMA = """
CREATE SCHEMA pay; CREATE SCHEMA "Odd.Name"; CREATE SCHEMA paymig;
CREATE TYPE pay.mood AS ENUM ('good', 'bad');
CREATE DOMAIN pay.cents AS bigint CHECK (VALUE >= 0);
CREATE TABLE pay.plain (
    b int, a text COLLATE "C", id bigint GENERATED ALWAYS AS IDENTITY, gone int,
    amount numeric(12,2) NOT NULL DEFAULT 1.5, free numeric, doubled int GENERATED ALWAYS AS (b * 2) STORED,
    mood pay.mood, moods pay.mood[], cents pay.cents, doc json, docs jsonb, ints int[], texts text[], letter "char",
    PRIMARY KEY (a, b) INCLUDE (id)
);
ALTER TABLE pay.plain DROP COLUMN gone;
CREATE TABLE pay.parted (id serial, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE pay.parted_1 PARTITION OF pay.parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE pay.parted_2 PARTITION OF pay.parted FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')
    PARTITION BY RANGE (at);
CREATE TABLE pay.parted_2a PARTITION OF pay.parted_2 FOR VALUES FROM ('2021-01-01') TO ('2021-06-01');
CREATE UNLOGGED TABLE pay.fast (x int);
CREATE TABLE pay.nothing (x int); ALTER TABLE pay.nothing REPLICA IDENTITY NOTHING;
CREATE TABLE pay.whole (x int, y int); ALTER TABLE pay.whole REPLICA IDENTITY FULL;
CREATE TABLE pay.by_index (x int NOT NULL, y int NOT NULL, z int);
CREATE UNIQUE INDEX by_index_y ON pay.by_index (y, x);
ALTER TABLE pay.by_index REPLICA IDENTITY USING INDEX by_index_y;
CREATE TABLE "Odd.Name"."Table %" (id serial PRIMARY KEY);
CREATE TABLE pay.awsdms_ddl_audit (id int); CREATE TABLE paymig.heartbeat (id int);
CREATE TEMP TABLE passing (id int);
CREATE VIEW pay.seen AS SELECT 1;
CREATE SEQUENCE pay.alone START 100 INCREMENT 5; CREATE SEQUENCE pay.down INCREMENT -2 MINVALUE -50 CYCLE;
CREATE SEQUENCE "Odd.Name".shared; ALTER TABLE pay.whole ALTER x SET DEFAULT nextval('"Odd.Name".shared');
CREATE SEQUENCE public.elsewhere; CREATE TABLE public.other (id serial);
SELECT setval('pay.alone', 200, false);
SELECT nextval('pay.down'), nextval('pay.down');
INSERT INTO pay.parted (at) SELECT '2020-01-01' FROM generate_series(1, 300);
INSERT INTO pay.parted (at) SELECT '2021-02-01' FROM generate_series(1, 200);
ANALYZE;
"""


@pytest.fixture(scope="module", params=["older", "newer"])
def running(request) -> Iterator[psycopg2.extensions.cursor]:
    server = request.getfixturevalue(request.param)
    name = f"catalogue_{next(_numbers)}"
    server.create_database(name)
    connection = server.connect(name)
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        yield cursor
    connection.close()


def tables(running, include=("%.%",), exclude=()):
    return {table.full_name: table for table in read_tables(running, include, exclude)}


def test_a_partitioned_table_is_one_and_what_is_not_ours_is_none(running):
    found = tables(running)
    assert list(found) == [
        "Odd.Name.Table %",
        *(f"pay.{name}" for name in ("by_index", "fast", "nothing", "parted", "plain", "whole")),
        "public.other",
    ]
    assert {name for name, table in found.items() if table.kind == "partitioned"} == {"pay.parted"}
    assert {name for name, table in found.items() if table.persistence == "unlogged"} == {"pay.fast"}


def test_patterns_select(running):
    assert list(tables(running, ["pay.p%", "public.other"], ["pay.%ted"])) == ["pay.plain", "public.other"]
    assert list(tables(running, ["other.%"])) == []


def test_a_row_is_known_by_its_key_or_its_replica_identity(running):
    found = tables(running)
    assert (found["pay.plain"].key, found["pay.plain"].identity) == (("a", "b"), ("a", "b"))
    assert [column.collation for column in found["pay.plain"].key_columns] == ["C", None]
    assert found["pay.parted"].key == ("id", "at")
    known = {name: (table.key, table.replica_identity, table.identity) for name, table in found.items()}
    assert known["pay.by_index"] == ((), "index", ("y", "x"))
    assert known["pay.whole"] == ((), "full", ("x", "y"))
    assert known["pay.nothing"] == ((), "nothing", ())
    assert known["pay.fast"] == ((), "default", ())


@pytest.mark.parametrize("path", ["public", "pay", "pg_catalog"])
def test_columns_are_the_same_under_every_search_path(running, path):
    running.execute(f"SET search_path = {path}")
    columns = {column.name: column for column in tables(running)["pay.plain"].columns}
    running.execute("RESET search_path")
    assert list(columns)[:4] == ["b", "a", "id", "amount"]
    assert {name: column.type for name, column in columns.items() if name > "am"} == {
        "amount": "numeric(12,2)",
        "b": "integer",
        "cents": "pay.cents",
        "doc": "json",
        "docs": "jsonb",
        "doubled": "integer",
        "free": "numeric",
        "id": "bigint",
        "ints": "integer[]",
        "letter": '"char"',
        "mood": "pay.mood",
        "moods": "pay.mood[]",
        "texts": "text[]",
    }
    texts = {name for name, column in columns.items() if column.form == "text"}
    assert texts == {"a", "mood", "moods", "cents", "doc", "ints", "texts"}
    assert (columns["doubled"].generated, columns["doubled"].default) == ("stored", "(b * 2)")
    assert (columns["id"].identity, columns["id"].not_null) == ("always", True)
    assert (columns["amount"].default, columns["amount"].not_null) == ("1.5", True)
    assert columns["free"].default is None
    assert (columns["mood"].collation, columns["texts"].collation) == (None, "default")


def test_a_key_or_an_index_that_the_log_does_not_know_is_no_identity(running):
    running.execute(
        "CREATE TABLE pay.late (x int PRIMARY KEY DEFERRABLE);"
        "CREATE TABLE pay.gone (x int NOT NULL, CONSTRAINT was UNIQUE (x));"
        "ALTER TABLE pay.gone REPLICA IDENTITY USING INDEX was; ALTER TABLE pay.gone DROP CONSTRAINT was"
    )
    found = tables(running, ["pay.late", "pay.gone", "pay.plain", "pay.by_index"])
    running.execute("DROP TABLE pay.late, pay.gone")
    known = {name: (each.key, each.late, each.replica_identity, each.identity) for name, each in found.items()}
    assert known == {
        "pay.by_index": ((), False, "index", ("y", "x")),
        "pay.gone": ((), False, "nothing", ()),
        "pay.late": (("x",), True, "default", ()),
        "pay.plain": (("a", "b"), False, "default", ("a", "b")),
    }


OWN_TYPES = """
CREATE DOMAIN pay.said AS json; CREATE DOMAIN pay.told AS pay.said; CREATE DOMAIN pay.many AS pay.told[];
CREATE TYPE pay.nested AS (a int, b pay.many); CREATE TYPE pay.fields AS (a int, b text[]);
CREATE TYPE pay.empty AS (); CREATE TYPE pay.dropped AS (a int, b json); ALTER TYPE pay.dropped DROP ATTRIBUTE b;
CREATE TYPE pay.span AS RANGE (SUBTYPE = int); CREATE DOMAIN pay.nest AS pay.nested;
"""


def test_two_values_are_told_apart_where_the_server_can(running):
    """Asked of the server itself, for every type that it has, by the function that compares rows."""
    running.execute(OWN_TYPES)
    running.execute(
        "SELECT format_type(oid, NULL) FROM pg_type t WHERE typtype IN ('b', 'd', 'e', 'r', 'm') AND typisdefined"
        " AND typnamespace IN ('pg_catalog'::regnamespace, 'pay'::regnamespace)"
        " AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typtype IN ('p', 'c')"
        " AND e.typnamespace = 'pg_catalog'::regnamespace)"
        " UNION ALL SELECT format_type(reltype, NULL) FROM pg_class"
        " WHERE relkind = 'c' AND relnamespace = 'pay'::regnamespace"
    )
    types = sorted({name for (name,) in running.fetchall()})
    assert len(types) > 150
    running.execute(f"CREATE TABLE pay.every ({', '.join(f'c{i} {name}' for i, name in enumerate(types))})")
    try:
        found = {column.type: column.equality for column in tables(running, ["pay.every"])["pay.every"].columns}
        assert len(found) == len(types)
        assert found == {name: _compares(running, name) for name in found}
    finally:
        running.execute("DROP TABLE pay.every")
    blind = ("json", "xml[]", "point", "jsonpath", "pay.many", "pay.nest[]", "pay.nested")
    assert [name for name in blind if found[name]] == []
    able = ("pay.cents", "pay.mood[]", "pay.fields", "pay.empty", "pay.dropped", "pay.span", "regclass", "cidr")
    assert [name for name in able if not found[name]] == []


def _compares(running, name) -> bool:
    try:
        running.execute(f"SELECT record_eq(ROW(NULL::{name}), ROW(NULL::{name}))")
    except psycopg2.errors.UndefinedFunction:
        return False
    return True


def test_sizes_are_those_of_all_partitions(running):
    found = tables(running)
    assert (found["pay.parted"].rows, found["pay.plain"].rows) == (500, 0)
    assert found["pay.parted"].bytes >= 500 * 32 > found["pay.plain"].bytes


def test_sequences_stand_where_the_next_number_will_come_from(running):
    found = {each.full_name: each for each in read_sequences(running, read_tables(running, ["pay.%"]))}
    assert list(found) == ["Odd.Name.shared", "pay.alone", "pay.down", "pay.parted_id_seq", "pay.plain_id_seq"]
    alone, down = found["pay.alone"], found["pay.down"]
    assert (alone.last_value, alone.is_called, alone.increment, alone.owned_by) == (200, False, 5, None)
    assert (down.last_value, down.is_called, down.increment, down.minimum, down.maximum, down.cycle) == (
        -3,
        True,
        -2,
        -50,
        -1,
        True,
    )
    assert found["pay.parted_id_seq"].owned_by == ColumnName("pay", "parted", "id")
    assert found["pay.parted_id_seq"].last_value == 500
    assert found["pay.plain_id_seq"].feeds == (ColumnName("pay", "plain", "id"),)
    shared = found["Odd.Name.shared"]
    assert (shared.owned_by, shared.feeds) == (None, (ColumnName("pay", "whole", "x"),))


def test_a_sequence_that_a_partition_owns_is_its_root_s(running):
    running.execute("ALTER SEQUENCE pay.alone OWNED BY pay.parted_2a.id")
    found = {each.full_name: each for each in read_sequences(running, read_tables(running, ["pay.parted"]))}
    running.execute("ALTER SEQUENCE pay.alone OWNED BY NONE")
    assert found["pay.alone"].owned_by == ColumnName("pay", "parted", "id")
    assert list(found) == ["pay.alone", "pay.down", "pay.parted_id_seq"]


def test_a_sequence_that_may_not_be_read_is_no_guess(running):
    running.execute("CREATE ROLE onlooker; GRANT USAGE ON SCHEMA pay TO onlooker; SET ROLE onlooker")
    try:
        chosen = read_tables(running, ["pay.parted"])
        assert len(chosen) == 1
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied for sequence"):
            read_sequences(running, chosen)
    finally:
        running.execute("RESET ROLE; DROP OWNED BY onlooker; DROP ROLE onlooker")


@given(st.text("ab._%$", min_size=1), st.text("ab._%$\n", min_size=1), st.text("ab_%$", min_size=1))
def test_a_pattern_is_split_at_its_first_dot_and_only_percent_is_special(schema, name, literal):
    assert matches(schema, name, ["%.%"])
    exact = matches(schema, name, [f"{schema}.{name}"])
    assert exact or "." in schema
    if "%" not in literal:
        assert matches(schema, literal, [f"%.{literal}"])
        assert matches(schema, name, [f"%.{literal}%"]) == name.startswith(literal)
        assert matches(schema, name, [f"%.%{literal}"]) == name.endswith(literal)
        assert not matches(schema, name, [f"%.{literal}"]) or name == literal
    assert not matches(schema, name, [])
