"""The barrier behind a REVOKE: it waits out the transactions that wrote before, and says who they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from psycopg2 import errors, sql
from psycopg2.extensions import cursor

from runtime_lambdas.runtime.refused import Refused

from .pause import Pause

_POLL = 0.005
_LOCK_TIMEOUT = "100ms"

# A statement locks its table before its privileges are looked at, and keeps the lock until its transaction ends: who
# passed that look before the REVOKE is in this list, and who is not will be refused.
_IN_FLIGHT = """
SELECT coalesce(a.pid::text, 'prepared transaction ' || coalesce(p.gid, '?')), coalesce(a.usename, p.owner)::text,
       a.application_name, extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared))::float8,
       l.relation::regclass::text
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid'
    AND x.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
WHERE l.locktype = 'relation' AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.relation = ANY (%s::text[]::regclass[]::oid[])
  AND l.mode IN ('RowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') AND l.pid IS DISTINCT FROM pg_backend_pid()
ORDER BY 4 DESC NULLS LAST
"""


class WriterInFlight(Refused):
    """A transaction that began to write before the fence does not end."""


def wait(running: cursor, tables: Sequence[str], pause: Pause, sleep: Callable[[float], object] = time.sleep) -> int:
    """Wait until no transaction that wrote before the REVOKE is left, then prove it by a lock on each table.

    Args:
        running: outside a transaction (autocommit), so that no lock is held while the next is waited for.
        tables: every table, as "schema.table" with each part quoted where it must be.
        pause: how long it may take.
        sleep: between two looks.

    Returns:
        How many tables could not be locked because of work that does not write, such as a vacuum.

    Raises:
        WriterInFlight: a transaction outlasted the pause.
    """
    while True:
        while found := in_flight(running, tables):
            if not pause.left:
                raise WriterInFlight(
                    f"{_words(found[0])} began to write before the fence and has not ended"
                    + (f", and {len(found) - 1} more like it" if len(found) > 1 else ""),
                    "end it, or wait until it has ended, then run the command again",
                )
            sleep(_POLL)
        if _lock_each(running, tables):
            return 0
        if not in_flight(running, tables):
            return len(tables)


def in_flight(running: cursor, tables: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the transactions that may have written to a table: who, role, application, age in seconds, table."""
    running.execute(_IN_FLIGHT, (list(tables),))
    return running.fetchall()


def _lock_each(running: cursor, tables: Sequence[str]) -> bool:
    """Lock and release one table after the other, all in one round trip; tell whether every lock was had."""
    one = "BEGIN; SET LOCAL lock_timeout = '{}'; LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE; COMMIT"
    try:
        running.execute(sql.SQL("; ".join(one.format(_LOCK_TIMEOUT, table) for table in tables)))
    except errors.LockNotAvailable:
        running.execute("ROLLBACK")
        return False
    return True


def _words(found: tuple[Any, ...]) -> str:
    who, role, application, age, table = found
    called = f" ({application})" if application else ""
    session = who if who.startswith("prepared") else f"session {who}"
    return f"{session} of {role}{called}, {age or 0:.1f} s old, which holds {table},"
