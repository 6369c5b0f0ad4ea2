"""What is read from one database: its tables, their rows as a count or a digest, the result of an invariant."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor

Observation = Any
"""A value that can be compared and written as JSON."""

Columns = Mapping[str, bool]
"""A table's columns by name; True where the value has to be read as text."""

# The same text for the same value on every server, whatever its settings.
_BEGIN = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = '10min';
SET LOCAL datestyle = 'ISO';
SET LOCAL intervalstyle = 'iso_8601';
SET LOCAL timezone = 'UTC';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL jit = off;
"""

# Binary forms are fast and exact, but those of a user's types hold the server's own type ids,
# and text and varchar with the same characters should be equal.
_TABLES = """
SELECT n.nspname || '.' || c.relname, a.attname,
       a.atttypid >= 16384 OR t.typcategory IN ('S', 'A') OR t.typname ~ '^(json|xml|reg)'
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'paymig')
ORDER BY 1, a.attname COLLATE "C"
"""


def begin(running: cursor) -> None:
    """Make the transaction a read-only snapshot with settings that are the same everywhere."""
    running.execute(_BEGIN)


def tables(running: cursor) -> dict[str, dict[str, bool]]:
    """Return every table, as "schema.table", with its columns in the order of their names."""
    running.execute(_TABLES)
    found: dict[str, dict[str, bool]] = {}
    for table, column, as_text in running.fetchall():
        found.setdefault(table, {})[column] = as_text
    return found


def selected(names: Sequence[str], include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Return the names that match an included pattern and no excluded one; `%` stands for any text."""
    return sorted(name for name in names if _matches(name, include) and not _matches(name, exclude))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(".*".join(map(re.escape, pattern.split("%"))), name, re.DOTALL) for pattern in patterns)


def count(table: str) -> Callable[[cursor], Observation]:
    """Return what counts a table's rows."""

    def read(running: cursor) -> Observation:
        running.execute(sql.SQL("SELECT count(*) FROM {}").format(_identifier(table)))
        return {"rows": _row(running)[0]}

    return read


def digest(table: str, columns: Columns) -> Callable[[cursor], Observation]:
    """Return what counts and fingerprints a table's rows in any order.

    The fingerprint adds up, row by row, the two halves of 128 bits of SHA-256: it takes no sort and no memory, works
    without a primary key, and counts duplicates.
    """
    values = sql.SQL(", ").join(
        sql.SQL("{}::text" if as_text else "{}").format(sql.Identifier(name)) for name, as_text in columns.items()
    )
    word = "coalesce(sum(('x' || encode(substr(h, {}, 8), 'hex'))::bit(64)::bigint), 0)::text"
    query = sql.SQL(
        f"SELECT count(*), {word.format(1)}, {word.format(9)}"  # noqa: S608 - constants; names are quoted below
        " FROM (SELECT sha256(record_send(ROW({}))) AS h FROM {}) AS hashed"
    ).format(values, _identifier(table))

    def read(running: cursor) -> Observation:
        running.execute(query)
        rows, high, low = _row(running)
        return {"rows": rows, "digest": f"{high}:{low}"}

    return read


def invariant(query: str) -> Callable[[cursor], Observation]:
    """Return what runs an invariant's SQL: its rows in no particular order, values as text."""

    def read(running: cursor) -> Observation:
        running.execute(query)
        return sorted([_plain(value) for value in row] for row in running.fetchall())

    return read


def _row(running: cursor) -> tuple[Any, ...]:
    row = running.fetchone()
    if row is None:
        raise LookupError("an aggregate returned no row")
    return row


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split(".", 1))


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"  # 1.50 is 1.5
    return "NULL" if value is None else str(value)
