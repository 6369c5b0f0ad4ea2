"""Sequences: each is set on the new writer ahead of every number that the old one gave out, or that stands in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor

from runtime_lambdas.runtime.catalogue import ColumnName, SequenceState
from runtime_lambdas.runtime.refused import Refused

# The extreme of a column costs nothing where an index begins with it, and a scan of the table where none does.
_INDEXED = """
SELECT EXISTS (
    SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = %s::regclass AND a.attname = %s AND i.indisvalid AND i.indpred IS NULL
)
"""


class SequencesDiffer(Refused):
    """A sequence is missing on the other side, or has no numbers left."""


def target_of(state: SequenceState, other: SequenceState, extremes: Sequence[int], gap: int) -> int:
    """Return the last number that counts as given out on the new writer.

    It is `gap` steps beyond the furthest of: where the old writer's sequence stands, where the new one's stands, and
    the numbers that stand in rows.

    Args:
        state: the sequence on the old writer.
        other: the same on the new one.
        extremes: the greatest numbers of the columns it feeds; the least where it counts down.
        gap: how many steps to leave out.

    Raises:
        SequencesDiffer: it would leave the sequence's range.
    """
    furthest = max if state.increment > 0 else min
    # What was set on the new writer by an earlier attempt is ahead by a gap already: it is kept, and not passed again.
    reached = furthest([state.last_value, *extremes]) + state.increment * gap
    value = furthest(reached, other.last_value)
    if not state.minimum <= value <= state.maximum:
        if state.cycle:
            return min(max(value, state.minimum), state.maximum)
        raise SequencesDiffer(
            f"the sequence {state.full_name} stands at {state.last_value}, and {gap} steps further it passes "
            f"{state.maximum if state.increment > 0 else state.minimum}",
            "make its column and the sequence a bigint, or choose a smaller cutover.switchover.sequence_gap",
        )
    return value


def pair(old: Sequence[SequenceState], new: Sequence[SequenceState]) -> list[tuple[SequenceState, SequenceState]]:
    """Return every sequence of the old writer with its like on the new one.

    Raises:
        SequencesDiffer: one has none.
    """
    there = {state.full_name: state for state in new}
    if missing := [state.full_name for state in old if state.full_name not in there]:
        raise SequencesDiffer(
            f"the new writer has no sequence {', '.join(missing)}", "make it there as it is on the old one"
        )
    return [(state, there[state.full_name]) for state in old]


def extremes(running: cursor, state: SequenceState, *, indexed_only: bool) -> list[int]:
    """Return the greatest numbers in the columns that a sequence feeds; the least where it counts down."""
    found = []
    for column in state.feeds:
        if indexed_only and not _indexed(running, column):
            continue
        query = sql.SQL("SELECT {}({}) FROM {}").format(
            sql.SQL("max" if state.increment > 0 else "min"),
            sql.Identifier(column.column),
            sql.Identifier(column.schema, column.table),
        )
        running.execute(query)
        row = running.fetchone()
        if row and isinstance(row[0], int):  # a column of text may be fed by a sequence as well
            found.append(row[0])
    return found


def _indexed(running: cursor, column: ColumnName) -> bool:
    table = sql.Identifier(column.schema, column.table).as_string(running)
    running.execute(_INDEXED, (table, column.column))
    return running.fetchone() == (True,)


def set_ahead(
    running: cursor,
    pairs: Sequence[tuple[SequenceState, SequenceState]],
    known: dict[str, list[int]],
    gap: int,
) -> dict[str, Any]:
    """Set the sequences of the new writer, all in one round trip.

    Args:
        running: on the new writer.
        pairs: as `pair` gives them, read after the fence.
        known: extremes of columns by the sequence's full name.
        gap: how many steps to leave out.

    Returns:
        Evidence: the value of each sequence.

    Raises:
        SequencesDiffer: one would leave its range.
    """
    values = {old: target_of(old, new, known.get(old.full_name, []), gap) for old, new in pairs}
    if not values:
        return {"sequences": {}}
    each = sql.SQL("setval({}::regclass, {}, true)")
    calls = [
        each.format(sql.Literal(sql.Identifier(state.schema, state.name).as_string(running)), sql.Literal(value))
        for state, value in values.items()
    ]
    running.execute(sql.SQL("SELECT ") + sql.SQL(", ").join(calls))
    return {"sequences": {state.full_name: value for state, value in values.items()}}
