"""Hypothesis makes schemas, rows of every common type and differences: each is found, and nothing else."""

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import sql

from paymig.embedded.postgres import VOLATILE, Postgres, PostgresError
from runtime_lambdas.runtime.comparison import engine
from runtime_lambdas.runtime.comparison.session import prepare
from tests.profiles import few

from .conftest import FAST, Pair, Side

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
BYTES = st.binary(max_size=6).map(lambda value: f"\\x{value.hex()}")
WORDS = TEXT | st.sampled_from(["", " ", "a ", "a", "A", "ß", "é", "e\u0301", "NULL", "%s", "\\", "'", "\U0001f4b3"])
FLOATS = st.floats(width=32).map(repr) | st.sampled_from(["NaN", "Infinity", "-Infinity", "-0", "0", "1e-30"])
NUMBERS = st.decimals(-(10**9), 10**9, places=4).map(str) | st.sampled_from(["1", "1.0", "1.00", "-0", "NaN", "0.5"])
DATES = st.dates().map(str) | st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "5874897-12-31"])
TIMES = st.datetimes().map(str) | st.sampled_from(
    ["infinity", "-infinity", "4713-01-01 BC", "294276-12-31 23:59:59.999999"]
)
ZONED = TIMES.map(lambda text: text if "inf" in text or "BC" in text else f"{text}+00")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | TEXT.filter(lambda text: text.isprintable()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)


def _json(value):
    import json

    return json.dumps(value, ensure_ascii=False)


def _array(values):
    quoted = ("NULL" if v is None else '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
    return "{" + ",".join(quoted) + "}"


def arrays(values):
    return st.lists(st.none() | values, max_size=3).map(_array)


TYPES = {
    "smallint": st.integers(-(2**15), 2**15 - 1).map(str),
    "integer": st.integers(-(2**31), 2**31 - 1).map(str),
    "bigint": st.integers(-(2**63), 2**63 - 1).map(str),
    "numeric": NUMBERS | st.sampled_from(["1e1000", "-1e-1000", "12345678901234567890.123456789"]),
    "numeric(16,4)": NUMBERS,
    "real": FLOATS,
    "double precision": FLOATS | st.floats().map(repr),
    "text": WORDS,
    "varchar(20)": WORDS,
    "char(14)": WORDS,
    "bytea": BYTES,
    "boolean": st.sampled_from(["true", "false"]),
    "date": DATES,
    "time": st.times().map(str),
    "timestamp": TIMES,
    "timestamptz": ZONED,
    "timestamp(0)": st.datetimes().map(str),
    "interval": st.sampled_from(["1 mon", "30 days", "720 hours", "-1 year 2 days", "00:00:00.000001", "0"]),
    "uuid": st.uuids().map(str),
    "json": JSON.map(_json),
    "jsonb": JSON.map(_json),
    "inet": st.ip_addresses().map(str),
    "int4range": st.sampled_from(["empty", "[1,5)", "[1,4]", "(,3]", "(,)", "[7,7]"]),
    "numrange": st.sampled_from(["empty", "[1,5)", "[1.0,5)", "(,3]"]),
    "tstzrange": st.sampled_from(["empty", "[2026-01-01Z,)", "(2026-01-01Z,infinity)", "[2026-01-01Z,infinity]"]),
    "int4multirange": st.sampled_from(["{}", "{[1,5)}", "{[1,2),[4,5)}"]),
    "bit varying(8)": st.text("01", max_size=8),
    "money": st.integers(-(10**6), 10**6).map(str),
    "integer[]": arrays(st.integers(-9, 9).map(str)),
    "text[]": arrays(WORDS),
    "timestamptz[]": arrays(st.just("2026-01-01 00:00:00+00")),
    "mood": st.sampled_from(["glad", "sad"]),
    "mood[]": arrays(st.sampled_from(["glad", "sad"])),
    "short": WORDS.map(lambda text: text[:9]),
    "pair": st.sampled_from(["(1,a)", "(1,)", "(,)", '(2,"a b")']),
}
MADE = (
    "CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN short AS varchar(9); CREATE TYPE pair AS (a int, b text);"
)
# The same values, arrived at in another way: an array that held a NULL, and the NaN of an operation.
ANOTHER_WAY = {
    **dict.fromkeys(
        ["integer[]", "text[]", "timestamptz[]", "mood[]"], "(array_append({0}, NULL))[1:cardinality({0})]"
    ),
    **dict.fromkeys(["real", "double precision"], "CASE WHEN {0} = 'NaN' THEN 'inf'::{1} - 'inf' ELSE {0} END"),
}
KEYS = [(), ("bigint",), ("uuid",), ("text",), ("integer", "varchar(20)"), ("short", "date"), ("timestamp", "bytea")]


@st.composite
def cases(draw):
    """Draw a table, its rows, and what the target does to them."""
    key = draw(st.sampled_from(KEYS))
    types = [*key, *draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=6))]

    def rows(most):
        row = st.tuples(*(TYPES[kind] if n < len(key) else st.none() | TYPES[kind] for n, kind in enumerate(types)))
        return draw(st.lists(row, max_size=most))

    changes = [
        (draw(st.integers(0, 30)), draw(st.integers(len(key), len(types) - 1))) for _ in range(draw(st.integers(0, 3)))
    ]
    return {
        "key": len(key),
        "types": types,
        "rows": rows(12),
        "extra": rows(2),
        "gone": draw(st.lists(st.integers(0, 30), max_size=2)),
        "changed": [(row, column, draw(st.none() | TYPES[types[column]])) for row, column in changes],
        "order": draw(st.permutations(range(len(types)))),
        "chunk": draw(st.sampled_from([1, 3, 20_000])),
        "fetched": draw(st.sampled_from([1, 4, 1_000])),
    }


@pytest.fixture(scope="session")
def oldest(databases):
    """Databases on the oldest server that this machine has, and on 18."""
    try:
        server = Postgres.start(15, VOLATILE)
    except PostgresError:
        pytest.skip("this machine has no PostgreSQL 15")
    with server:
        server.create_role("reader", "reader")
        server.create_database("compared")
        yield Pair(Side(server, "compared"), databases.target)


@pytest.mark.parametrize("between", ["databases", "oldest"])
@settings(max_examples=few(25), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=cases())
def test_every_difference_is_found_and_nothing_else(request, between, case):
    pair = request.getfixturevalue(between)
    pair.empty()
    pair.run(MADE)
    pair.source.run(_table(case, range(len(case["types"]))))
    pair.target.run(_table(case, case["order"]))
    pair.run(_insert(case, case["rows"]))
    pair.target.run(_insert(case, case["extra"]))
    for place in case["gone"]:
        pair.target.run(f"DELETE FROM t WHERE mark = {place}")
    for place, column, text in case["changed"]:
        pair.target.run(f"UPDATE t SET c{column} = %s::{case['types'][column]} WHERE mark = {place}", text)
    for number, kind in enumerate(case["types"]):
        if kind in ANOTHER_WAY:
            pair.source.run(f"UPDATE t SET c{number} = {ANOTHER_WAY[kind].format(f'c{number}', kind)}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_FETCHED", case["fetched"])
        report = pair.compare(replace(FAST, chunk_rows=case["chunk"], patience=60))
    [table] = report.tables
    ours, theirs = (_content(side, case) for side in pair)
    if case["key"]:
        expected = {
            ("missing" if key not in theirs else "extra" if key not in ours else "different", key)
            for key in ours.keys() | theirs.keys()
            if ours.get(key) != theirs.get(key)
        }
        assert {(row.kind, tuple(row.key.values())) for row in table.examples} == expected
        assert table.differences == len(expected)
    else:
        assert table.differences == sum(ours.get(row) != theirs.get(row) for row in ours.keys() | theirs.keys())
    assert (table.verdict == "equal") == (ours == theirs)
    assert table.unsettled == 0


def _table(case, order):
    columns = [f"c{number} {case['types'][number]}" for number in order]
    key = ", ".join(f"c{number}" for number in range(case["key"]))
    return f"CREATE TABLE t ({', '.join(columns)}, mark int{f', PRIMARY KEY ({key})' if key else ''})"


def _insert(case, rows):
    if not rows:
        return "SELECT"
    names = ", ".join(f"c{number}" for number in range(len(case["types"])))
    values = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(
            sql.SQL(", ").join(
                sql.SQL("{}::{}").format(sql.Literal(text), sql.SQL(kind))
                for text, kind in zip(row, case["types"], strict=True)
            ),
            sql.Literal(place),
        )
        for place, row in enumerate(rows)
    )
    return sql.SQL(f"INSERT INTO t ({names}, mark) VALUES {{}} ON CONFLICT DO NOTHING").format(values)


def _content(side, case):
    """Read every row as text, the plainest way there is: by its key, or how often there is each."""
    columns = ", ".join(f"c{number}::text" for number in range(len(case["types"])))
    with closing(prepare(psycopg2.connect(side.server.dsn(side.name)))) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}, mark FROM public.t")
        rows = cursor.fetchall()
    if case["key"]:
        return {row[: case["key"]]: row for row in rows}
    return {row: rows.count(row) for row in rows}
