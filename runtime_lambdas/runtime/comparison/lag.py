"""Waiting until what was committed on one side has had to arrive on the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Literal, NamedTuple

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.journal.control import Side

from .server import Server

Proof = Literal["caught up", "behind", "unknown"]
"""Whether the follower has everything that the leader committed before the question; unknown without a heartbeat."""

Wait = Callable[[], Proof]

PAUSE = 5.0
"""Seconds between two looks where there is no heartbeat to wait for."""
_SILENCE = 180.0  # seconds without a beat on the leader, after which nobody is expected to write one
_POLL = 0.02


class _Beat(NamedTuple):
    now: datetime
    beat_at: datetime | None
    readable: bool


class Heartbeat:
    """Waits for a heartbeat that was written on the leader after the question, to be seen on the follower.

    Replication applies commits in their order, so everything committed before that beat is there too.

    Args:
        leader: The side that is written to.
        follower: The side that replication writes to.
        patience: Seconds to wait at most.
        pause: Seconds to wait where there is no heartbeat.
        side: Which one the leader is.
    """

    def __init__(
        self, leader: Server, follower: Server, patience: float, pause: float = PAUSE, side: Side = "source"
    ) -> None:
        self._leader, self._follower = leader, follower
        self._read = partial(_read, side=side)
        self._patience, self._pause = patience, pause

    def __call__(self) -> Proof:
        """Wait, and say what the wait has proved."""
        asked, beat_at, _ = self._leader.run(self._read)
        beating = beat_at is not None and (asked - beat_at).total_seconds() < _SILENCE
        if not beating or not self._follower.run(self._read).readable:
            time.sleep(self._pause)
            return "unknown"
        until = time.monotonic() + self._patience
        while time.monotonic() < until:
            arrived = self._follower.run(self._read).beat_at
            if arrived is not None and arrived > asked:  # both are times of the leader's clock
                return "caught up"
            time.sleep(_POLL)
        return "behind"


def stopped() -> Proof:
    """Wait for nothing: nobody writes, and replication was seen to have brought the last commit."""
    return "caught up"


def readable(running: cursor) -> bool:
    """Tell whether there is a heartbeat on this side that the login may read."""
    running.execute(
        "SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'paymig' AND c.relname = 'heartbeat'"
    )
    return running.fetchall() == [(True,)]


def _read(running: cursor, side: Side) -> _Beat:
    if not readable(running):
        running.execute("SELECT clock_timestamp()")
        [(now,)] = running.fetchall()
        return _Beat(now, None, False)
    running.execute(
        "SELECT clock_timestamp(), (SELECT max(beat_at) FROM paymig.heartbeat WHERE side = %s)",
        (side,),
    )
    [(now, beat_at)] = running.fetchall()
    return _Beat(now, beat_at, True)
