"""Replication on the stage: the real engine between the two real servers, and how far it is behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress

import psycopg2
from botocore.exceptions import ClientError

from paymig.databases import Databases
from paymig.errors import PaymigError
from paymig.rehearsal.play import Play
from runtime_lambdas.runtime.replication.engine import Engine, ReplicationError
from runtime_lambdas.runtime.replication.logical import Logical
from runtime_lambdas.runtime.writer import Side
from schemas.migration import Migration

_BEAT, _LONGEST = 1.0, 5.0


def start(play: Play) -> str:
    """Bring the schema over and type `paymig replicate start`, which returns when the first load is over.

    Raises:
        BrokenPromise: it did not start, or did not get there.
    """
    play.type("transfer-schema", "--section", "pre-data")
    loading = play.type("replicate start")
    play.type("transfer-schema", "--section", "post-data")
    return f"the schema by pg_dump; loaded under load in {loading.seconds:.1f} s"


def marker(play: Play, timeout: float) -> float:
    """Write a beat on the writer and wait for it on the other side; return the seconds it took.

    Raises:
        PaymigError: it did not arrive.
    """
    databases = Databases(play.stage.aws, play.spec)
    with _ways(play.migration, databases) as ways:
        try:
            return ways[play.writer()].marker(timeout).seconds
        except ReplicationError as error:
            raise PaymigError(str(error)) from error


class LagWatch:
    """Measures the lag once a second by the heartbeat, in a thread of its own, until it is stopped.

    Args:
        play: what is going on.
        note: gets the wall clock's seconds and the milliseconds behind; None where it could not be measured.
    """

    def __init__(self, play: Play, note: Callable[[float, float | None], None]) -> None:
        self._play, self._note = play, note
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop measuring."""
        self._over.set()
        self._thread.join(15)

    def _run(self) -> None:
        databases = Databases(self._play.stage.aws, self._play.spec)
        while not self._over.is_set():
            # A server that died ends the connections; the next ones are made anew.
            with suppress(*_UNMEASURABLE), _ways(self._play.migration, databases) as ways:
                while not self._over.wait(_BEAT):
                    lag = ways[self._play.writer()].lag(_LONGEST)
                    self._note(time.time(), lag.seconds * 1000 if lag.arrived else None)
                return
            self._note(time.time(), None)
            self._over.wait(_BEAT)


_UNMEASURABLE = (ReplicationError, psycopg2.Error, ClientError)


@contextmanager
def _ways(migration: Migration, databases: Databases) -> Iterator[Mapping[Side, Engine]]:
    """Give the engine that carries each side's writes to the other."""
    tables = migration.replication.tables
    forward = Logical(migration.full_name, databases, tables.include, tables.exclude)
    with closing(forward), closing(forward.reverse()) as back:
        yield {"source": forward, "target": back}
