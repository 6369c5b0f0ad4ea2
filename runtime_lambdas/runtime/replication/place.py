"""Where a direction of DMS begins: kept on its origin, since DMS does not tell which slot a task has read from.

A direction without an entry loads its tables. One that was ended has an entry without a position. One that follows from
a slot has the position that the slot was made at.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.writer import Side

DEFINITION = """
CREATE SCHEMA IF NOT EXISTS paymig;
CREATE TABLE IF NOT EXISTS paymig.place (
    side     text   PRIMARY KEY CHECK (side IN ('source', 'target')),
    position pg_lsn
);
COMMENT ON TABLE paymig.place IS 'Where DMS begins to read this database, once it has loaded the other.';
"""


@dataclass(frozen=True)
class Place:
    """An entry.

    Attributes:
        position: in the origin's log, as "0/1A2B3C"; None where the direction was ended.
    """

    position: str | None


def read(running: cursor, side: Side) -> Place | None:
    """Return the entry of the direction that comes from this side."""
    running.execute("SELECT to_regclass('paymig.place') IS NOT NULL")
    if running.fetchone() != (True,):
        return None
    running.execute("SELECT position::text FROM paymig.place WHERE side = %s", (side,))
    row = running.fetchone()
    return Place(row[0]) if row else None


def keep(running: cursor, side: Side, position: str | None) -> None:
    """Enter a position, or that the direction was ended."""
    running.execute(DEFINITION)
    running.execute(
        "INSERT INTO paymig.place VALUES (%s, %s::pg_lsn)"
        " ON CONFLICT (side) DO UPDATE SET position = excluded.position",
        (side, position),
    )


def forget(running: cursor, side: Side) -> None:
    """Remove the entry: the direction loads its tables."""
    running.execute(DEFINITION)
    running.execute("DELETE FROM paymig.place WHERE side = %s", (side,))
