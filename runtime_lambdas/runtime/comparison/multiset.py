"""Tables whose rows can't be cut into ranges of a key: every row counts by its hash, however often it is there.

Each side is read once, in one snapshot, and sums up the hashes of its rows in some thousand buckets. Sums do not depend
on the order, and a row that is there twice counts twice. Only the rows of buckets that differ are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor
from psycopg2.sql import Composable

from . import canonical
from .canonical import Key
from .rows import Value, Version
from .server import Ask
from .shape import Shape

BUCKETS = 4096
_BLOCKS = 2048  # of a range: 16 MB
_FIRST_WITH_RANGES = 140_000  # before that version a range of blocks reads the whole table


class Sum(NamedTuple):
    """The rows of a bucket: how many, and the sums of two halves of 128 bits of their hashes."""

    rows: int
    high: int
    low: int

    def __add__(self, other: object) -> Sum:
        if not isinstance(other, Sum):
            return NotImplemented
        return Sum(self.rows + other.rows, self.high + other.high, self.low + other.low)


Sums = dict[int, Sum]

_HASHED = "SELECT sha256({row}) AS hash{more} FROM {table} WHERE {blocks}"

_SUMS = """
SELECT get_byte(hash, 16) * 16 + get_byte(hash, 17) / 16, count(*),
       sum(('x' || encode(substr(hash, 1, 8), 'hex'))::bit(64)::bigint),
       sum(('x' || encode(substr(hash, 9, 8), 'hex'))::bit(64)::bigint)
FROM ({hashed}) AS hashed GROUP BY 1
"""

_DRILL = """
SELECT hash{more} FROM ({hashed}) AS hashed
WHERE get_byte(hash, 16) * 16 + get_byte(hash, 17) / 16 = ANY ({buckets})
"""


def ranges(shape: Shape) -> Ask[list[tuple[int, int | None]]]:
    """Return what cuts a table into ranges of its blocks: from the first, up to but without the second or the end."""
    query = sql.SQL(
        "SELECT max(pg_relation_size(relid) / current_setting('block_size')::int)"
        " FROM pg_partition_tree({name}::regclass) WHERE isleaf"
        " UNION ALL SELECT pg_relation_size({name}::regclass) / current_setting('block_size')::int"
    ).format(name=sql.Literal(_regclass(shape)))

    def ask(running: cursor) -> list[tuple[int, int | None]]:
        if running.connection.server_version < _FIRST_WITH_RANGES:
            return [(0, None)]
        running.execute(query)
        blocks = max(found or 0 for (found,) in running.fetchall())
        starts = range(0, max(int(blocks), 1), _BLOCKS)
        return [(start, start + _BLOCKS if start + _BLOCKS < blocks else None) for start in starts]

    return ask


def sums(shape: Shape, blocks: tuple[int, int | None]) -> Ask[Sums]:
    """Return what sums up the rows of a range of blocks, bucket by bucket; empty buckets are left out."""
    query = sql.SQL(_SUMS).format(hashed=_hashed(shape, blocks))

    def ask(running: cursor) -> Sums:
        running.execute(query)
        return {bucket: Sum(rows, int(high), int(low)) for bucket, rows, high, low in running.fetchall()}

    return ask


def add(parts: Iterator[Sums]) -> Sums:
    """Put the ranges together."""
    whole: Sums = {}
    for part in parts:
        for bucket, more in part.items():
            whole[bucket] = whole[bucket] + more if bucket in whole else more
    return whole


def drill(shape: Shape, buckets: Sequence[int]) -> Ask[dict[Key, int]]:
    """Return what reads the rows of some buckets: how often there is each hash, with the key where there is one.

    The hash comes first, in hexadecimal.
    """
    keys = sql.SQL("").join(
        sql.SQL(", {}::text AS {}").format(canonical.column(each.name), sql.Identifier(f"key{number}"))
        for number, each in enumerate(shape.key)
    )
    names = sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(f"key{number}")) for number in range(len(shape.key)))
    query = sql.SQL(_DRILL).format(
        hashed=_hashed(shape, (0, None), keys), buckets=sql.Literal(list(buckets)), more=names
    )

    def ask(running: cursor) -> dict[Key, int]:
        running.execute(query)
        found: dict[Key, int] = {}
        while some := running.fetchmany(1000):
            for content, *key in some:
                name = (bytes(content).hex(), *key)
                found[name] = found.get(name, 0) + 1
        return found

    return ask


def by_hash(shape: Shape, hashes: Sequence[Key]) -> Ask[dict[Key, Version]]:
    """Return what counts the rows with these hashes as they are now."""
    query = sql.SQL(
        "SELECT hash, count(*), string_agg(written, ',' ORDER BY written) FROM ({hashed}) AS hashed"
        " WHERE hash = ANY ({hashes}) GROUP BY 1"
    ).format(
        hashed=_hashed(shape, (0, None), sql.SQL(", present.xmin::text AS written")),
        hashes=_hashes(hashes),
    )

    def ask(running: cursor) -> dict[Key, Version]:
        running.execute(query)
        found = (((bytes(content).hex(),), rows, written) for content, rows, written in running.fetchall())
        return {name: Version(rows, written, name) for name, rows, written in found}

    return ask


def examples(shape: Shape, hashes: Sequence[Key], show: bool) -> Ask[Mapping[Key, tuple[str, list[Value]]]]:
    """Return what reads where one row of each hash lies (its ctid), and its columns where they are to be shown."""
    texts = [sql.SQL("left({}::text, 200)").format(canonical.column(name)) for name, _ in shape.columns] if show else []
    query = sql.SQL("SELECT DISTINCT ON (hash) hash, place, texts FROM ({}) AS hashed WHERE hash = ANY ({})").format(
        _hashed(
            shape,
            (0, None),
            sql.SQL(", present.ctid::text AS place, ARRAY[{}]::text[] AS texts").format(sql.SQL(", ").join(texts)),
        ),
        _hashes(hashes),
    )

    def ask(running: cursor) -> Mapping[Key, tuple[str, list[Value]]]:
        running.execute(query)
        return {
            (bytes(content).hex(),): (place, [Value(b"", text) for text in texts])
            for content, place, texts in running.fetchall()
        }

    return ask


def _hashed(shape: Shape, blocks: tuple[int, int | None], more: Composable | None = None) -> Composable:
    first, end = blocks
    ends = [sql.SQL("present.ctid >= {}::tid").format(sql.Literal(f"({first},0)"))] if first else []
    ends += [sql.SQL("present.ctid < {}::tid").format(sql.Literal(f"({end},0)"))] if end is not None else []
    return sql.SQL(_HASHED).format(
        row=canonical.row(shape),
        more=more or sql.SQL(""),
        table=canonical.table(shape),
        blocks=sql.SQL(" AND ").join(ends) if ends else sql.SQL("true"),
    )


def _hashes(hashes: Sequence[Key]) -> Composable:
    return sql.SQL("{}::bytea[]").format(sql.Literal([f"\\x{content}" for (content, *_) in hashes]))


def _regclass(shape: Shape) -> str:
    schema, name = (part.replace('"', '""') for part in (shape.schema, shape.name))
    return f'"{schema}"."{name}"'
