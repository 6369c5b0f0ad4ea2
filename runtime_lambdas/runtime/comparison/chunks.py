"""Cutting a table into ranges of its key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from psycopg2 import sql
from psycopg2.extensions import cursor
from psycopg2.sql import Composable

from runtime_lambdas.runtime.journal.control import Side

from . import canonical
from .canonical import Key
from .server import Ask, Server
from .shape import Shape

ROWS = 20_000
"""Rows of a chunk: one that differs is fetched as a list of keys and hashes, so there is no need of smaller ones."""
_BYTES = 8_000_000  # what the rows of a chunk take together, about


@dataclass(frozen=True)
class Chunk:
    """The rows whose key is above `low` and at most `high`; None leaves that end open, for rows only one side has."""

    low: Key | None = None
    high: Key | None = None


def as_key(values: Sequence[str] | None) -> Key | None:
    """Return an end of a chunk that was written as JSON."""
    return None if values is None else tuple(values)


class Disordered(Exception):
    """A server puts the two ends of a chunk in another order than the source did, so these chunks do not fit there."""


def size(shape: Shape, rows: int = ROWS) -> int:
    """Return how many rows a chunk gets: fewer where they are wide, in the proportion in which so many are wished."""
    return min(rows, max(100, _BYTES * max(rows, ROWS) // (ROWS * max(shape.row_bytes, 1))))


def cut(source: Server, shape: Shape, rows: int, whole: Chunk, snapshot: str | None = None) -> Iterator[Chunk]:
    """Cut `whole` into chunks of so many rows of the source; the next cut is looked for while one is being worked on.

    Every key belongs to exactly one chunk, whatever is written meanwhile.
    """
    low = whole.low
    coming = source.submit(_next(shape, low, whole.high, rows), snapshot)
    while (high := coming.result()) is not None and high != whole.high:
        coming = source.submit(_next(shape, high, whole.high, rows), snapshot)
        yield Chunk(low, high)
        low = high
    yield Chunk(low, whole.high)


# Only the key that is found becomes text, none of those that are passed over.
_NEXT = """
SELECT {key_text}
FROM (SELECT {key} FROM {table} WHERE {chunk} ORDER BY {key} OFFSET {passed} LIMIT 1) AS present
"""


def _next(shape: Shape, low: Key | None, high: Key | None, rows: int) -> Ask[Key | None]:
    query = sql.SQL(_NEXT).format(
        key_text=canonical.key_text(shape),
        key=canonical.key(shape),
        table=canonical.table(shape),
        chunk=canonical.between(shape, "source", low, high),
        passed=sql.Literal(rows - 1),
    )

    def ask(running: cursor) -> Key | None:
        running.execute(query)
        found = running.fetchone()
        return None if found is None else tuple(found)

    return ask


_MARKS = """
SELECT {texts} FROM (SELECT row_number() OVER (ORDER BY {key}), {key} FROM {table} WHERE {chunk}) AS ranked ({names})
WHERE place % {rows} = 0 ORDER BY place
"""


def split(shape: Shape, chunk: Chunk, rows: int) -> Ask[list[Chunk]]:
    """Return what cuts a chunk at once into smaller ones of so many rows of the source."""
    names = [sql.Identifier(f"k{number}") for number in range(len(shape.key))]
    query = sql.SQL(_MARKS).format(
        texts=sql.SQL(", ").join(sql.SQL("{}::text").format(name) for name in names),
        names=sql.SQL(", ").join([sql.Identifier("place"), *names]),
        key=canonical.key(shape),
        table=canonical.table(shape),
        chunk=canonical.between(shape, "source", chunk.low, chunk.high),
        rows=sql.Literal(rows),
    )

    def ask(running: cursor) -> list[Chunk]:
        running.execute(query)
        marks = [tuple(found) for found in running.fetchall()]
        if marks and marks[-1] == chunk.high:
            marks.pop()
        return [Chunk(low, high) for low, high in pairwise([chunk.low, *marks, chunk.high])]

    return ask


def in_order(shape: Shape, side: Side, chunk: Chunk) -> Composable:
    """Return the condition that a chunk's ends are in order on one side.

    Where that holds for all chunks of a cut, each row there belongs to exactly one of them.
    """
    if chunk.low is None or chunk.high is None:
        return sql.SQL("true")
    return sql.SQL("({}) > ({})").format(
        canonical.literal(shape, side, chunk.high, like_column=True), canonical.literal(shape, side, chunk.low)
    )


def fits(shape: Shape, side: Side, chunk: Chunk) -> Ask[bool]:
    """Return what tells whether a chunk's ends are in order on one side."""
    query = sql.SQL("SELECT {}").format(in_order(shape, side, chunk))

    def ask(running: cursor) -> bool:
        running.execute(query)
        [(found,)] = running.fetchall()
        return bool(found)

    return ask


def check_order(found: bool) -> None:
    """Raise `Disordered` where `in_order` does not hold."""
    if not found:
        raise Disordered
