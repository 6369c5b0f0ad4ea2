"""Replication on the stage: the real engine between the two real servers, and how far it is behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

import psycopg2
from psycopg2.extensions import cursor

from paymig.databases import Databases
from paymig.errors import PaymigError
from paymig.rehearsal.play import Play
from runtime_lambdas.runtime import roles
from runtime_lambdas.runtime.catalogue import SequenceState, Table, read_sequences, read_tables
from runtime_lambdas.runtime.replication.engine import ReplicationError
from runtime_lambdas.runtime.replication.logical import Logical
from schemas.migration import Migration

_LOADED_WITHIN, _HEALED_WITHIN = 120.0, 20.0
_LOOK, _BEAT = 0.1, 1.0


def start(play: Play) -> str:
    """Make the target's tables and roles, start the logical engine, and wait until the first load is over.

    Raises:
        PaymigError: it did not start, or did not get there in time.
    """
    began = time.monotonic()
    with Databases(play.stage.aws, play.spec) as databases:
        _restore(play)
        with databases.open("target", "master") as master, master, master.cursor() as running:
            roles.make_target_roles(running, databases)
            roles.hand_over(running, databases, *_moving(play.migration, running))
        engine = _engine(play.migration, databases)
        try:
            engine.prepare()
            engine.start()
            healthy = time.monotonic()
            while not (progress := engine.progress()).loaded:
                now = time.monotonic()
                healthy = healthy if progress.problems else now  # a worker that is only just starting is one of them
                if now - healthy > _HEALED_WITHIN or now - began > _LOADED_WITHIN:
                    raise PaymigError(f"replication is {progress.state}: {' '.join(progress.problems) or 'too slow'}")
                time.sleep(_LOOK)
            with databases.open("target", "control") as control, control, control.cursor() as running:
                roles.grant_reading(running, databases, *_moving(play.migration, running))
        except ReplicationError as error:
            raise PaymigError(str(error)) from error
        finally:
            engine.close()
    rows = sum(one.rows for one in progress.tables)
    return f"{len(progress.tables)} tables, {rows:,} rows loaded under load in {time.monotonic() - began:.1f} s"


def marker(play: Play, timeout: float) -> float:
    """Write a beat and wait for it on the target; return the seconds it took.

    Raises:
        PaymigError: it did not arrive.
    """
    with Databases(play.stage.aws, play.spec) as databases:
        engine = _engine(play.migration, databases)
        try:
            return engine.marker(timeout).seconds
        except ReplicationError as error:
            raise PaymigError(str(error)) from error
        finally:
            engine.close()


def resume(play: Play) -> None:
    """Go on where replication stopped: PostgreSQL disables a subscription whose server broke the connection.

    Raises:
        PaymigError: it can't be resumed.
    """
    with Databases(play.stage.aws, play.spec) as databases:
        engine = _engine(play.migration, databases)
        try:
            engine.start()
        except ReplicationError as error:
            raise PaymigError(str(error)) from error
        finally:
            engine.close()


class LagWatch:
    """Measures the lag once a second by the heartbeat, in a thread of its own, until it is stopped.

    Args:
        play: what is going on.
        note: gets the wall clock's seconds and the milliseconds behind.
    """

    def __init__(self, play: Play, note: Callable[[float, float], None]) -> None:
        self._play, self._note = play, note
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop measuring."""
        self._over.set()
        self._thread.join(15)

    def _run(self) -> None:
        with Databases(self._play.stage.aws, self._play.spec) as databases:
            engine = _engine(self._play.migration, databases)
            try:
                while not self._over.wait(_BEAT):
                    lag = engine.lag()
                    self._note(time.time(), lag.seconds * 1000)
            except (ReplicationError, psycopg2.Error):
                return  # a gap in the line shows that it could not be measured
            finally:
                engine.close()


def _engine(migration: Migration, databases: Databases) -> Logical:
    tables = migration.replication.tables
    return Logical(migration.full_name, databases, tables.include, tables.exclude)


def _moving(migration: Migration, running: cursor) -> tuple[list[Table], list[SequenceState]]:
    tables = read_tables(running, migration.replication.tables.include, migration.replication.tables.exclude)
    return tables, read_sequences(running, tables)


def _restore(play: Play) -> None:
    with closing(psycopg2.connect(play.stage.target_dsn)) as connection, connection, connection.cursor() as running:
        running.execute("SELECT to_regclass('public.payments')")
        if running.fetchone() == (None,):
            running.execute(play.stage.schema)
