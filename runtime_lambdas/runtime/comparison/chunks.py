"""Cutting a table into ranges of its key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor
from psycopg2.sql import Composable

from runtime_lambdas.runtime.journal.control import Side

from . import canonical
from .canonical import Key
from .server import Ask, Server
from .shape import Shape

ROWS = 5_000
"""Rows of a chunk: one that differs is read a second time, so it is small."""
TOGETHER = 8
"""Chunks that one question is about: between two questions the way to the server and back is waited for."""
_BYTES = 2_000_000  # what the rows of a chunk take together, about


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


def cut(
    source: Server, shape: Shape, rows: int, whole: Chunk, snapshot: str | None = None, together: int = TOGETHER
) -> Iterator[Chunk]:
    """Cut `whole` into chunks of so many rows of the source; the next cuts are looked for while some are worked on.

    Every key belongs to exactly one chunk, whatever is written meanwhile. One statement finds `together` cuts.
    """
    low = whole.low
    coming = source.submit(_marks(shape, whole, rows, together), snapshot)
    more = True
    while more:
        marks = coming.result()
        more = len(marks) == together
        if more:
            coming = source.submit(_marks(shape, Chunk(marks[-1], whole.high), rows, together), snapshot)
        for mark in marks:
            if mark != whole.high:
                yield Chunk(low, mark)
                low = mark
    yield Chunk(low, whole.high)


def split(shape: Shape, chunk: Chunk, rows: int, most: int) -> Ask[list[Chunk]]:
    """Return what cuts a chunk at once into smaller ones of so many rows of the source: one more than `most`, or less.

    The last has all that is left.
    """
    find = _marks(shape, chunk, rows, most)

    def ask(running: cursor) -> list[Chunk]:
        marks = [mark for mark in find(running) if mark != chunk.high]
        return [Chunk(low, high) for low, high in pairwise([chunk.low, *marks, chunk.high])]

    return ask


# Only the keys that are found become text, none of those that are passed over.
_MARKS = """
WITH RECURSIVE marks ({names}, place) AS (
    (SELECT {key}, 1 FROM {table} WHERE {chunk} ORDER BY {key} OFFSET {passed} LIMIT 1)
    UNION ALL
    SELECT further.* FROM marks, LATERAL (
        SELECT {key}, marks.place + 1 FROM {table} WHERE {rest} ORDER BY {key} OFFSET {passed} LIMIT 1
    ) AS further WHERE marks.place < {most}
)
SELECT {texts} FROM marks ORDER BY place
"""


def _marks(shape: Shape, chunk: Chunk, rows: int, most: int) -> Ask[list[Key]]:
    """Return what finds the last key of each so many rows of a chunk on the source."""
    names = [sql.Identifier(f"k{number}") for number in range(len(shape.key))]
    last = [sql.Identifier("marks", f"k{number}") for number in range(len(shape.key))]
    high = None if chunk.high is None else canonical.literals(shape, "source", chunk.high)
    query = sql.SQL(_MARKS).format(
        names=sql.SQL(", ").join(names),
        texts=sql.SQL(", ").join(sql.SQL("{}::text").format(name) for name in names),
        key=canonical.key(shape),
        table=canonical.table(shape),
        chunk=canonical.between(shape, "source", chunk.low, chunk.high),
        rest=canonical.within(shape, last, high),
        passed=sql.Literal(rows - 1),
        most=sql.Literal(most),
    )

    def ask(running: cursor) -> list[Key]:
        running.execute(query)
        return [tuple(found) for found in running.fetchall()]

    return ask


# One query after the other in the same place of the plan: the memory of one is the next one's.
_OF_EACH = """
SELECT asked.place, {in_order}, answered.*
FROM (VALUES {ends}) AS asked ({names}), LATERAL ({answer}) AS answered
"""


def of_each(
    shape: Shape, side: Side, some: Sequence[Chunk], answer: Callable[[Composable], Composable]
) -> Ask[list[tuple[Any, ...]]]:
    """Return what answers a query, of one row, for each of some chunks, in their order; it raises `Disordered`.

    Args:
        shape: The table.
        side: The side that is asked.
        some: The chunks.
        answer: Makes the query for the rows that fulfil a condition.
    """
    alike: dict[tuple[str, ...], list[tuple[int, Chunk]]] = {}
    for place, chunk in enumerate(some):
        alike.setdefault(tuple(_ends(chunk)), []).append((place, chunk))
    queries = [_asked(shape, side, ends, placed, answer) for ends, placed in alike.items()]

    def ask(running: cursor) -> list[tuple[Any, ...]]:
        answers: list[tuple[Any, ...]] = []
        for query in queries:
            running.execute(query)
            answers += running.fetchall()
        answers.sort(key=itemgetter(0))
        for _, in_order, *_ in answers:
            if not in_order:
                raise Disordered
        return [tuple(answered) for _, _, *answered in answers]

    return ask


def _asked(
    shape: Shape,
    side: Side,
    ends: Sequence[str],
    placed: Iterable[tuple[int, Chunk]],
    answer: Callable[[Composable], Composable],
) -> Composable:
    """Return the query of some chunks with the same ends."""
    names = {end: [f"{end}{number}" for number in range(len(shape.key))] for end in ends}
    columns = {end: [sql.Identifier("asked", name) for name in names[end]] for end in ends}
    low, high = columns.get("low"), columns.get("high")
    lines = (
        [
            sql.Literal(place),
            *(value for end in _ends(chunk).values() for value in canonical.literals(shape, side, end)),
        ]
        for place, chunk in placed
    )
    return sql.SQL(_OF_EACH).format(
        in_order=canonical.ordered(shape, low, high),
        ends=sql.SQL(", ").join(sql.SQL("({})").format(sql.SQL(", ").join(line)) for line in lines),
        names=sql.SQL(", ").join(map(sql.Identifier, ["place", *(name for end in ends for name in names[end])])),
        answer=answer(canonical.within(shape, low, high)),
    )


def _ends(chunk: Chunk) -> dict[str, Key]:
    return {name: end for name, end in (("low", chunk.low), ("high", chunk.high)) if end is not None}


def fits(shape: Shape, side: Side, chunk: Chunk) -> Ask[bool]:
    """Return what tells whether a chunk's ends are in order on one side.

    Where that holds for all chunks of a cut, each row there belongs to exactly one of them.
    """
    ends = {name: canonical.literals(shape, side, end) for name, end in _ends(chunk).items()}
    query = sql.SQL("SELECT {}").format(canonical.ordered(shape, ends.get("low"), ends.get("high")))

    def ask(running: cursor) -> bool:
        running.execute(query)
        [(found,)] = running.fetchall()
        return bool(found)

    return ask
