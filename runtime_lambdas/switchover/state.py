"""What one database says about itself, read without changing anything."""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg2
from psycopg2.extensions import cursor

from runtime_lambdas.runtime import database, log
from runtime_lambdas.runtime.replication import heartbeat
from runtime_lambdas.runtime.writer import Side


def describe(side: Side) -> dict[str, Any]:
    """Return a side's state; an unreachable database is a state too.

    Keys: "configured" and "reachable"; when reachable also "version" (as "16.14"), "in_recovery" and "heartbeat"
    (`{"beat": int, "beat_at": ISO 8601, "age": seconds on that server's clock}`, or None before the first beat);
    when not, "error".
    """
    if not database.configured(side):
        return {"configured": False, "reachable": False, "error": "this side does not exist yet"}
    try:
        return {"configured": True, "reachable": True, **database.transact(side, partial(_read, side=side))}
    except psycopg2.Error as error:
        log.error("database.unreachable", error, side=side)
        return {"configured": True, "reachable": False, "error": str(error).strip()}


def _read(running: cursor, side: Side) -> dict[str, Any]:
    running.execute("SET TRANSACTION READ ONLY")
    running.execute(
        "SELECT current_setting('server_version'), pg_is_in_recovery(), to_regclass('paymig.heartbeat') IS NOT NULL"
    )
    version, in_recovery, beats = running.fetchone() or ("", None, False)
    return {
        "version": version.partition(" ")[0],
        "in_recovery": in_recovery,
        "heartbeat": _heartbeat(running, side) if beats else None,
    }


def _heartbeat(running: cursor, side: Side) -> dict[str, Any] | None:
    beat = heartbeat.read(running, side)
    return {"beat": beat.number, "beat_at": beat.at.isoformat(), "age": round(beat.age, 3)} if beat else None
