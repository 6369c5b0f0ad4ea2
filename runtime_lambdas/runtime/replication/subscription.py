"""What one side takes from the other: a subscription, whose connection string holds a password."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor

_PAUSED = "paused by paymig"
_WORKER_SECONDS = 20.0

# Each of them would write a statement, password included, to where others read it.
_QUIET = {
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_min_error_statement": "panic",
    "pgaudit.log": "none",
    "pg_stat_statements.track": "none",
}

_READ = """
SELECT s.oid::bigint, s.subenabled, s.subslotname, obj_description(s.oid, 'pg_subscription') = %s,
       EXISTS (SELECT FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.relid IS NULL AND w.pid IS NOT NULL)
FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
WHERE d.datname = current_database() AND s.subname = %s
"""
_WORKERS = "SELECT count(*) FROM pg_stat_subscription WHERE subid = %s AND pid IS NOT NULL"


@dataclass(frozen=True)
class Subscription:
    """A subscription as it is now.

    Attributes:
        oid: its own, unlike that of a later one of the same name.
        paused: whether it was paused on purpose, and not by an error.
        working: whether its worker runs at this moment.
    """

    oid: int
    enabled: bool
    slot: str | None
    paused: bool
    working: bool


def read(running: cursor, name: str) -> Subscription | None:
    """Look a subscription up; None where this database has none of that name."""
    running.execute(_READ, (_PAUSED, name))
    row = running.fetchone()
    return Subscription(row[0], row[1], row[2], bool(row[3]), row[4]) if row else None


def create(running: cursor, name: str, connection: str, *, copy: bool, origin_none: bool, enabled: bool) -> None:
    """Subscribe to the publication of the same name, from the slot of the same name, which exists.

    Args:
        running: in a transaction.
        name: of publication, slot and subscription.
        connection: how this server reaches the other.
        copy: whether the tables are loaded first.
        origin_none: whether changes that were themselves replicated are left out; both sides must be 16 or newer.
        enabled: whether it works from now on.
    """
    major = running.connection.server_version // 10_000
    options = {
        "copy_data": copy,
        "create_slot": False,
        "enabled": enabled,
        "slot_name": name,
        "streaming": "parallel" if major >= 16 else True,
    }
    if major < 14:
        options["streaming"] = False  # large transactions of a 13 would be streamed by nobody
    if origin_none:
        options["origin"] = "none"
    _keep_out_of_logs(running)
    statement = sql.SQL("CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {} WITH ({})")
    _without_password(
        running,
        statement.format(
            sql.Identifier(name),
            sql.Literal(connection),
            sql.Identifier(name),
            sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.SQL(option), sql.Literal(value)) for option, value in options.items()
            ),
        ),
    )
    if not enabled:
        _mark(running, name, paused=True)


def reach(running: cursor, name: str, connection: str) -> None:
    """Tell a subscription how to reach the other server from now on; in a transaction."""
    _keep_out_of_logs(running)
    statement = sql.SQL("ALTER SUBSCRIPTION {} CONNECTION {}")
    _without_password(running, statement.format(sql.Identifier(name), sql.Literal(connection)))


def enable(running: cursor, name: str) -> None:
    """Let it work; in a transaction."""
    keep_trying(running, name)
    _mark(running, name, paused=False)
    running.execute(sql.SQL("ALTER SUBSCRIPTION {} ENABLE").format(sql.Identifier(name)))


def keep_trying(running: cursor, name: str) -> None:
    """Let its worker come back after every error: to the server, a connection that broke is one like any other."""
    if running.connection.server_version >= 150000:
        running.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (disable_on_error = false)").format(sql.Identifier(name)))


def disable(running: cursor, name: str) -> None:
    """Let it work no more, on purpose."""
    running.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(sql.Identifier(name)))
    _mark(running, name, paused=True)


def drop(running: cursor, name: str) -> None:
    """Remove a disabled subscription and leave its slot to whoever made it; in a transaction."""
    running.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(sql.Identifier(name)))
    running.execute(sql.SQL("DROP SUBSCRIPTION {}").format(sql.Identifier(name)))


def until(look: Callable[[], bool]) -> bool:
    """Wait for what a worker does within seconds; tell whether it did."""
    deadline = time.monotonic() + _WORKER_SECONDS
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def at_rest(running: cursor, oid: int) -> bool:
    """Tell whether no worker of a subscription runs any more."""
    running.execute(_WORKERS, (oid,))
    return running.fetchone() == (0,)


def _mark(running: cursor, name: str, *, paused: bool) -> None:
    note = sql.Literal(_PAUSED if paused else None)
    running.execute(sql.SQL("COMMENT ON SUBSCRIPTION {} IS {}").format(sql.Identifier(name), note))


def _keep_out_of_logs(running: cursor) -> None:
    """Turn off, for this transaction, whatever this login may turn off of what records statements."""
    for setting, value in _QUIET.items():
        running.execute("SAVEPOINT quiet")
        try:
            running.execute("SELECT set_config(%s, %s, true)", (setting, value))
        except psycopg2.Error:
            running.execute("ROLLBACK TO SAVEPOINT quiet")
        running.execute("RELEASE SAVEPOINT quiet")


def _without_password(running: cursor, statement: sql.Composed) -> None:
    """Execute a statement that holds a password, which no error message may repeat."""
    try:
        running.execute(statement)
    except psycopg2.Error as error:
        said = error.diag.message_primary or "the connection broke"
        raise type(error)(said) from None
