"""Transactions that have written and not ended: whatever begins with a new slot waits for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg2 import sql
from psycopg2.extensions import cursor

# Of every database of the server, and of replication's own workers too. A login without pg_read_all_stats sees who they
# are, and not since when.
_UNFINISHED = """
SELECT pid, NULL, usename::text, application_name, datname::text, xact_start, age(backend_xid)
FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
UNION ALL
SELECT NULL, gid, owner::text, '', database::text, prepared, age(transaction) FROM pg_prepared_xacts
ORDER BY 7 DESC
"""


@dataclass(frozen=True)
class Unfinished:
    """A transaction.

    Attributes:
        pid: of its session; None for a prepared one.
        prepared: its name, where it is a prepared one.
        application: the session's application_name, or empty.
        since: None where this login may not see it.
    """

    pid: int | None
    prepared: str | None
    role: str | None
    application: str
    database: str | None
    since: datetime | None

    def __str__(self) -> str:
        who = f"process {self.pid}" if self.prepared is None else f"the prepared transaction {self.prepared!r}"
        called = f" ({self.application})" if self.application else ""
        since = f"{self.since:%Y-%m-%d %H:%M:%S%z}" if self.since else "when only pg_read_all_stats may see"
        return f"{who} of {self.role or 'the server'}{called} in the database {self.database}, since {since}"


def unfinished(running: cursor) -> list[Unfinished]:
    """Return the transactions that have written and not ended, the oldest first."""
    running.execute(_UNFINISHED)
    return [Unfinished(*row[:6]) for row in running.fetchall()]


def in_the_way(running: cursor) -> tuple[str, str]:
    """Say who is in the way of a new slot, and how to mend it: two sentences without their full stops."""
    found = unfinished(running)
    if not found:
        return "it has ended by now", "run the command again"
    first, more = found[0], f", and {len(found) - 1} more" if len(found) > 1 else ""
    if first.prepared is None:
        end = f"SELECT pg_terminate_backend({first.pid})"
    else:
        name = sql.Literal(first.prepared).as_string(running)
        end = f"COMMIT PREPARED {name} or ROLLBACK PREPARED {name}, as its transaction manager says"
    return f"{first}{more}", f"wait for its end, or end it: {end}; then run the command again"
