"""Replication on the stage: the real engine between the two real servers, and how far it is behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

import psycopg2

from paymig.databases import Databases
from paymig.errors import PaymigError
from paymig.rehearsal.play import Play
from runtime_lambdas.runtime.replication.engine import ReplicationError
from runtime_lambdas.runtime.replication.logical import Logical
from schemas.migration import Migration

_BEAT = 1.0


def start(play: Play) -> str:
    """Make the target's schema and type `paymig replicate start`, which returns when the first load is over.

    Without a pg_dump that fits, the target gets the SQL that made the source.

    Raises:
        BrokenPromise: it did not start, or did not get there.
    """
    made = play.type("transfer-schema", "--section", "pre-data", exits=(0, 1, 3))
    if made.exit_code:
        _restore(play)
    began = time.monotonic()
    play.type("replicate start")
    seconds = time.monotonic() - began
    if made.exit_code == 0:
        play.type("transfer-schema", "--section", "post-data")
    how = "the schema by pg_dump" if made.exit_code == 0 else "the schema by its SQL, for want of a pg_dump that fits"
    return f"{how}; loaded under load in {seconds:.1f} s"


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
    """Type the start again, as after a pause; a server that died is followed again without it."""
    play.type("replicate start")


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


def _restore(play: Play) -> None:
    with closing(psycopg2.connect(play.stage.target_dsn)) as connection, connection, connection.cursor() as running:
        running.execute("SELECT to_regclass('public.payments')")
        if running.fetchone() == (None,):
            running.execute(play.stage.schema)
