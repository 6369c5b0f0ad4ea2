"""One side of a comparison: a few connections, each used by one thread, that answer questions at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection, cursor

from .session import Open, prepare

Result = TypeVar("Result")
Ask = Callable[[cursor], Result]
"""Reads something; may be called again when its connection broke."""

_ATTEMPTS = 3
_PAUSE = 1.0  # seconds before a broken connection is replaced, doubled each time


class SnapshotLost(RuntimeError):
    """The connection that held a snapshot broke, so what was read in it can't be continued."""


class Server:
    """One side's database.

    Args:
        open_: Opens a connection.
        connections: How many questions run at once.
        max_load: The share of the time, above 0 and at most 1, that each connection may keep the server busy.
    """

    def __init__(self, open_: Open, connections: int, max_load: float = 1.0) -> None:
        self._open = open_
        self._rest = 1 / max_load - 1
        self._threads = ThreadPoolExecutor(connections)
        self._own = threading.local()
        self._opened: list[connection] = []
        self._busy: set[connection] = set()
        self._closing = threading.Event()

    def submit(self, ask: Ask[Result], snapshot: str | None = None) -> Future[Result]:
        """Ask on one of the connections, inside the exported snapshot where one is given.

        The result raises psycopg2.Error as the server does; a connection that breaks is replaced and asked again.
        """
        return self._threads.submit(self._answer, ask, snapshot)

    def run(self, ask: Ask[Result], snapshot: str | None = None) -> Result:
        """Ask, and wait for the answer."""
        return self.submit(ask, snapshot).result()

    @contextmanager
    def snapshot(self) -> Iterator[str]:
        """Hold one view of the whole database, for all connections, until the block ends."""
        keeper = self._connect()
        try:
            with keeper.cursor() as running:
                running.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                running.execute("SELECT pg_export_snapshot()")
                [(name,)] = running.fetchall()
            yield name
        finally:
            keeper.close()

    def close(self) -> None:
        """Cancel what is running and close every connection."""
        self._closing.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for running in list(self._busy):  # to cancel takes a connection of its own, and the whole process waits for it
            with suppress(psycopg2.Error):
                running.cancel()
        self._threads.shutdown()
        for opened in self._opened:
            opened.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, ask: Ask[Result], snapshot: str | None) -> Result:
        started = time.monotonic()
        try:
            return self._attempt(ask, snapshot)
        finally:
            if self._rest:
                self._closing.wait((time.monotonic() - started) * self._rest)

    def _attempt(self, ask: Ask[Result], snapshot: str | None) -> Result:
        for attempt in range(_ATTEMPTS):
            try:
                return self._once(ask, snapshot)
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                mine: connection | None = getattr(self._own, "connection", None)
                if self._closing.is_set() or attempt == _ATTEMPTS - 1 or (mine is not None and not mine.closed):
                    raise  # the server refused the question; the connection itself is sound
                self._own.connection = None
                self._closing.wait(_PAUSE * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, ask: Ask[Result], snapshot: str | None) -> Result:
        mine: connection | None = getattr(self._own, "connection", None)
        if mine is None:
            mine = self._own.connection = self._connect()
        self._busy.add(mine)
        try:
            return self._on(mine, ask, snapshot)
        finally:
            self._busy.discard(mine)

    def _on(self, mine: connection, ask: Ask[Result], snapshot: str | None) -> Result:
        with mine.cursor() as running:
            if snapshot is None:
                return ask(running)
            running.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                try:
                    running.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
                except (psycopg2.errors.InvalidParameterValue, psycopg2.errors.UndefinedObject) as error:
                    raise SnapshotLost(f"the snapshot {snapshot} is gone: {error}".strip()) from error
                return ask(running)
            finally:
                if not mine.closed:
                    running.execute("ROLLBACK")

    def _connect(self) -> connection:
        opened = prepare(self._open())
        self._opened.append(opened)
        return opened
