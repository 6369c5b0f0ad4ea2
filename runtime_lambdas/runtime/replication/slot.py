"""The place in one side's log that the other has reached: a logical slot, which holds that log until it is dropped."""

from __future__ import annotations

import time
from dataclasses import dataclass

from psycopg2 import errors
from psycopg2.extensions import cursor

from runtime_lambdas.runtime.replication.engine import NotReady
from runtime_lambdas.runtime.unfinished import in_the_way

_CREATE_SECONDS, _FREE_SECONDS = 60, 10.0

_READ = """
SELECT active, wal_status, confirmed_flush_lsn::text, plugin,
       pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint
FROM pg_replication_slots WHERE slot_name = %s AND database = current_database()
"""


@dataclass(frozen=True)
class Slot:
    """A slot as it is now.

    Attributes:
        active: whether somebody reads from it.
        lost: whether log that it needs is gone.
        confirmed: up to where its reader has everything.
        behind: bytes of log from there to now.
    """

    active: bool
    lost: bool
    confirmed: str
    behind: int


def read(running: cursor, name: str, plugin: str = "pgoutput") -> Slot | None:
    """Look a slot up; None where this database has none of that name."""
    running.execute(_READ, (name,))
    row = running.fetchone()
    if row is None:
        return None
    active, status, confirmed, decoder, behind = row
    return Slot(active, status == "lost" or decoder != plugin or confirmed is None, confirmed or "", behind or 0)


def create(running: cursor, name: str, plugin: str = "pgoutput", seconds: float = _CREATE_SECONDS) -> None:
    """Make a new slot, instead of one that nobody reads from.

    Args:
        running: outside a transaction.
        name: the slot's.
        plugin: decodes what is read from it.
        seconds: for which transactions are waited for.

    Raises:
        NotReady: Somebody reads from one of that name, or a transaction that began before has not ended in time.
    """
    drop(running, name)
    # It waits by the locks of those transactions, so the session's own limit for locks would cut it short.
    running.execute("SELECT current_setting('lock_timeout'), set_config('lock_timeout', '0', false)")
    (locks, _) = running.fetchone() or ("0", "0")
    running.execute("SELECT set_config('statement_timeout', %s, false)", (f"{max(1, round(seconds * 1000))}ms",))
    try:
        running.execute("SELECT FROM pg_create_logical_replication_slot(%s, %s)", (name, plugin))
    except errors.QueryCanceled as error:
        who, mend = in_the_way(running)
        raise NotReady(
            f"the slot {name} could not be made in {seconds:.3g} s: that waits until every transaction that has "
            f"written ends ({who}). {mend[0].upper()}{mend[1:]}"
        ) from error
    finally:
        running.execute(
            "SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', %s, false)", (locks,)
        )


def drop(running: cursor, name: str) -> None:
    """Drop a slot, once its reader has gone; where there is none, nothing happens.

    Raises:
        NotReady: Somebody still reads from it.
    """
    deadline = time.monotonic() + _FREE_SECONDS
    while (found := read(running, name)) is not None:
        if not found.active:
            try:
                running.execute("SELECT pg_drop_replication_slot(%s)", (name,))
            except (errors.ObjectInUse, errors.UndefinedObject):
                continue
            return
        if time.monotonic() > deadline:
            raise NotReady(
                f"somebody reads from the slot {name}, as pg_stat_replication shows: is this migration run twice?"
            )
        time.sleep(0.05)


def tables_of_loads(running: cursor, reader: int) -> set[int]:
    """Return the tables, by their numbers on the server that reads, whose own first load has a slot."""
    return {int(name.split("_")[3]) for name in _of_loads(running, reader)}


def drop_those_of_loads(running: cursor, reader: int) -> None:
    """Drop what the tables' own first loads left behind, where a subscription ended in the middle of them."""
    for name in _of_loads(running, reader):
        drop(running, name)


def _of_loads(running: cursor, reader: int) -> list[str]:
    """Return the slots that the workers of a subscription made, named pg_<subscription>_sync_<table>_<system>."""
    running.execute(
        "SELECT slot_name FROM pg_replication_slots WHERE database = current_database() AND slot_name ~ %s",
        (f"^pg_{reader}_sync_[0-9]+_",),
    )
    return [name for (name,) in running.fetchall()]


def advance_to_now(running: cursor, name: str) -> None:
    """Skip everything that was committed up to now.

    Raises:
        NotReady: The server did not go that far; nothing was lost.
    """
    # What a worker applies is committed without waiting for the disk, and a slot goes no further than the disk: this
    # transaction waits for it.
    running.execute("SET synchronous_commit = on")
    running.execute("SELECT pg_logical_emit_message(true, 'paymig', 'position')")
    running.execute("SELECT pg_current_wal_insert_lsn()")
    (reached,) = running.fetchone() or ("0/0",)
    running.execute(
        "SELECT end_lsn >= %s::pg_lsn FROM pg_replication_slot_advance(%s, %s::pg_lsn)", (reached, name, reached)
    )
    if running.fetchone() != (True,):
        raise NotReady(f"the slot {name} was not advanced to {reached}: somebody writes there")


def system_identifier(running: cursor) -> str:
    """Return what tells this cluster from every other, or "unknown" where the login may not ask."""
    try:
        running.execute("SELECT system_identifier::text FROM pg_control_system()")
    except (errors.InsufficientPrivilege, errors.FeatureNotSupported):
        return "unknown"  # one proof less; the slot and the beats remain
    row = running.fetchone()
    return str(row[0]) if row else ""
