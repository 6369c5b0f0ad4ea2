"""What the length of a pause depends on, measured while writes go on: nothing is changed, and one beat is written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.comparison import Options
from runtime_lambdas.runtime.comparison.invariants import check
from runtime_lambdas.runtime.comparison.lag import stopped
from runtime_lambdas.runtime.comparison.server import Server
from runtime_lambdas.runtime.writer import SIDES

from . import barrier
from .directions import Directions
from .phases import Way
from .settings import Settings
from .sides import OWNER, Sides

_SAMPLE = 2.0  # seconds over which writes are counted: a server's statistics are up to one second old

_WRITTEN = """
WITH RECURSIVE moved(oid) AS (
    SELECT unnest(%s::text[])::regclass::oid
    UNION
    SELECT i.inhrelid FROM moved JOIN pg_inherits i ON i.inhparent = moved.oid
)
SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables JOIN moved ON relid = oid
"""


@dataclass(frozen=True)
class Measured:
    """What was found.

    Attributes:
        lag: seconds that a beat of the old writer took to the new one; None where none arrives.
        writes: rows that are written to the tables in a second.
        invariants: seconds that the invariants take as they are checked at the fence.
        writers: transactions that have written to a table and are open: a fence waits for their ends.
        oldest_writer: seconds for which the oldest of them is open; None where there is none, or its session is not for
            this login to see (pg_read_all_stats).
    """

    lag: float | None
    writes: float
    invariants: float
    writers: int
    oldest_writer: float | None


def measure(sides: Sides, directions: Directions, settings: Settings, way: Way) -> Measured:
    """Measure for about two seconds.

    Raises:
        psycopg2.Error, TooManyRows: a side is out of reach, or refuses an invariant.
    """
    tables = sides.scope(way.old).tables
    begun, before = time.monotonic(), sides.transact(way.old, partial(_written, tables=tables))
    lag, invariants = directions.lag(way), _invariants(sides, settings, way)
    time.sleep(max(0.0, begun + _SAMPLE - time.monotonic()))
    after = sides.transact(way.old, partial(_written, tables=tables))
    writes = max(0, after - before) / (time.monotonic() - begun)
    in_flight = sides.transact(way.old, partial(barrier.in_flight, tables=tables))
    ages = [float(age) for *_, age, _ in in_flight if age is not None]
    return Measured(lag, writes, invariants, len({who for who, *_ in in_flight}), max(ages, default=None))


def _written(running: cursor, tables: Sequence[str]) -> int:
    running.execute(_WRITTEN, (list(tables),))
    [(count,)] = running.fetchall()
    return int(count)


def _invariants(sides: Sides, settings: Settings, way: Way) -> float:
    """Check them once as at the fence, with nothing to wait for; what is found is not what is asked for here."""
    if not settings.invariants:
        return 0.0
    servers = [Server(sides.logins.login(side, OWNER[side]).open, 1) for side in SIDES]
    try:
        for server in servers:
            server.run(_nothing)  # it connects before the clock runs, as it is connected at the fence
        begun = time.monotonic()
        check(servers[0], servers[1], settings.invariants, Options(leader=way.old, patience=0), stopped)
        return time.monotonic() - begun
    finally:
        for server in servers:
            server.close()


def _nothing(_: cursor) -> Any:
    return None
