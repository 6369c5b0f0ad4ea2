"""How far a subscription's tables are, and what its workers ran into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.catalogue import Table
from runtime_lambdas.runtime.replication.engine import TableProgress, TableState

# A load is over when its worker has caught up with the main one: state s or r.
_STATES: Mapping[str, TableState] = {
    "i": "waiting",
    "d": "loading",
    "f": "catching up",
    "s": "replicating",
    "r": "replicating",
}
_RELATIONS = """
SELECT n.nspname || '.' || c.relname, r.srsubstate::text, coalesce(p.tuples_processed, 0)
FROM pg_subscription_rel r
JOIN pg_class c ON c.oid = r.srrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_progress_copy p ON p.relid = r.srrelid AND p.type = 'CALLBACK'
WHERE r.srsubid = %s
"""
_BROKEN_OFF = """
SELECT n.nspname || '.' || c.relname, c.oid::bigint, r.srsubstate = 'f'
FROM pg_subscription_rel r
JOIN pg_class c ON c.oid = r.srrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.srsubid = %s AND r.srsubstate IN ('d', 'f') AND NOT EXISTS (
    SELECT FROM pg_stat_subscription w WHERE w.subid = r.srsubid AND w.relid = r.srrelid AND w.pid IS NOT NULL)
ORDER BY 1
"""
_ERRORS = "SELECT to_jsonb(s) FROM pg_stat_subscription_stats s WHERE subid = %s"
_KNOWN_ERRORS = {
    # A connection that broke counts as well, and the server does not tell the two apart.
    "apply_error_count": "times that applying broke off",
    "sync_error_count": "times that a load broke off",
    "confl_insert_exists": "inserted rows that were there already",
    "confl_update_exists": "updates to a key that was there already",
    "confl_multiple_unique_conflicts": "rows that clashed with several others",
}


def states(running: cursor, subscription: int) -> dict[str, tuple[TableState, int]]:
    """Return each subscribed table's state, and while it is loaded the rows so far."""
    query = _RELATIONS
    if running.connection.server_version < 140000:
        query = query.replace("LEFT JOIN pg_stat_progress_copy p ON p.relid = r.srrelid AND p.type = 'CALLBACK'", "")
        query = query.replace("coalesce(p.tuples_processed, 0)", "0")
    running.execute(query, (subscription,))
    return {name: (_STATES[state], rows) for name, state, rows in running.fetchall()}


class BrokenOff(NamedTuple):
    """A load that was begun and that no worker is at.

    Attributes:
        oid: the table's on the server that subscribes.
        copied: whether its rows are there, and no more is missing than what was written while they were copied.
    """

    table: str
    oid: int
    copied: bool


def broken_off(running: cursor, subscription: int) -> list[BrokenOff]:
    """Return the tables whose load was begun and that no worker is loading now."""
    running.execute(_BROKEN_OFF, (subscription,))
    return [BrokenOff(*row) for row in running.fetchall()]


def errors(running: cursor, subscription: int) -> dict[str, int]:
    """Return what the workers ran into and how often, in words; empty below PostgreSQL 15, which does not count."""
    if running.connection.server_version < 150000:
        return {}
    running.execute(_ERRORS, (subscription,))
    row = running.fetchone()
    counted: Mapping[str, int] = row[0] if row else {}
    return {words: counted[name] for name, words in _KNOWN_ERRORS.items() if counted.get(name)}


def compose(
    origin: Sequence[Table],
    destination: Sequence[Table],
    known: Mapping[str, tuple[TableState, int]],
) -> tuple[TableProgress, ...]:
    """Say of each of the origin's tables how far it is.

    Args:
        origin: its tables, with their sizes.
        destination: the other side's.
        known: the states, and rows of loads under way.
    """
    sizes = {table.full_name: table.bytes for table in destination}
    found = []
    for table in origin:
        state, rows = known.get(table.full_name, ("waiting", 0))
        if state in ("catching up", "replicating"):
            rows = max(rows, table.rows)
        found.append(
            TableProgress(
                table=table.full_name,
                state=state,
                rows=rows,
                rows_expected=max(table.rows, rows),
                bytes=sizes.get(table.full_name, 0),
                bytes_expected=table.bytes,
            )
        )
    return tuple(found)
