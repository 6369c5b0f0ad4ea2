"""The heartbeat: a row for each side, counted up by whoever beats there, and replicated like any other.

A beat that has arrived proves that everything committed before it has. Its number is part of the key, so each beat
changes the row that the beat before it left: where changes were lost on the way, the next beat finds no row to change,
and none ever arrives again. A stretch of lost changes that held a beat can't go unnoticed (docs/adr/0018).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.writer import Side

SCHEMA, NAME = "paymig", "heartbeat"
TABLE = f"{SCHEMA}.{NAME}"

DEFINITION = """
CREATE SCHEMA IF NOT EXISTS paymig;
CREATE TABLE IF NOT EXISTS paymig.heartbeat (
    side    text        NOT NULL CHECK (side IN ('source', 'target')),
    beat    bigint      NOT NULL,
    beat_at timestamptz NOT NULL,
    PRIMARY KEY (side, beat)
);
"""
"""The table, for the owner of the tables that move; both sides have it."""

_BEAT = """
WITH next AS (
    UPDATE paymig.heartbeat SET beat = beat + 1, beat_at = clock_timestamp() WHERE side = %(side)s
    RETURNING beat, beat_at
), first AS (
    INSERT INTO paymig.heartbeat SELECT %(side)s, 1, clock_timestamp()
    WHERE NOT EXISTS (SELECT FROM paymig.heartbeat WHERE side = %(side)s)
    RETURNING beat, beat_at
)
SELECT beat, beat_at, 0::float8 FROM next UNION ALL SELECT beat, beat_at, 0 FROM first
"""
_READ = """
SELECT beat, beat_at, extract(epoch FROM clock_timestamp() - beat_at)::float8 FROM paymig.heartbeat WHERE side = %s
ORDER BY beat DESC LIMIT 1
"""
_LINK = "INSERT INTO paymig.heartbeat VALUES (%s, %s, %s)"

_EAGER, _PATIENT = 0.001, 0.02
"""Seconds between two looks: during the first tenth of a second, and after it."""


@dataclass(frozen=True)
class Beat:
    """A beat.

    Attributes:
        at: by the clock of the server it was written on.
        age: seconds since then by the clock of the server it was read from; 0 for one just written.
    """

    number: int
    at: datetime
    age: float


def make(running: cursor) -> None:
    """Make the table where it is not there yet."""
    running.execute("SELECT to_regclass('paymig.heartbeat') IS NOT NULL")
    if running.fetchone() != (True,):
        running.execute(DEFINITION)


def beat(running: cursor, side: Side) -> Beat:
    """Count the side's row up, or write its first; the transaction is the caller's."""
    running.execute(_BEAT, {"side": side})
    row = running.fetchone()
    if row is None:
        raise LookupError(f"two first beats of the {side} at once; the next attempt finds the other's")
    return Beat(*row)


def read(running: cursor, side: Side) -> Beat | None:
    """Return the latest beat of a side, its own or as it was replicated; None before the first."""
    running.execute(_READ, (side,))
    row = running.fetchone()
    return Beat(*row) if row else None


def forget(running: cursor, side: Side) -> None:
    """Begin the side's beats anew."""
    running.execute("DELETE FROM paymig.heartbeat WHERE side = %s", (side,))


def link(running: cursor, side: Side, latest: Beat | None) -> None:
    """Make the side's latest beat on its own server the one this server has, so that the next one finds it here."""
    forget(running, side)
    if latest is not None:
        running.execute(_LINK, (side, latest.number, latest.at))


def wait(look: Callable[[], Beat | None], number: int, limit: float) -> float | None:
    """Wait until a beat or a later one is seen.

    Args:
        look: reads the other side.
        number: of the beat.
        limit: seconds.

    Returns:
        The seconds it took, or None where it was not seen.
    """
    begun = time.monotonic()
    while True:
        seen = look()
        elapsed = time.monotonic() - begun
        if seen is not None and seen.number >= number:
            return elapsed
        if elapsed >= limit:
            return None
        time.sleep(min(_EAGER if elapsed < 0.1 else _PATIENT, limit - elapsed))
