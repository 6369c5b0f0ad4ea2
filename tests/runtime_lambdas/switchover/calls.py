"""Every call that leaves this process, counted: to the journal, and each statement to a database."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import psycopg2.extensions

from runtime_lambdas.runtime import database
from runtime_lambdas.runtime.journal.table import Table


@contextmanager
def around(before: Callable[[], None], after: Callable[[], None]) -> Iterator[None]:
    """Call these around every call, as long as the block runs; for a process that ends with it."""

    class Cursor(psycopg2.extensions.cursor):
        def execute(self, query, values=None):
            before()
            result = super().execute(query, values)
            after()
            return result

    def wrapped(method):
        def call(*args, **named):
            before()
            result = method(*args, **named)
            after()
            return result

        return call

    def connect(*args, **named):
        return psycopg2_connect(*args, cursor_factory=Cursor, **named)

    psycopg2_connect = database.psycopg2.connect
    database.psycopg2.connect = connect
    kept = {name: getattr(Table, name) for name in ("append", "put_lease", "read", "entries", "last_sequence")}
    for name, method in kept.items():
        setattr(Table, name, wrapped(method))
    try:
        yield
    finally:
        database.psycopg2.connect = psycopg2_connect
        for name, method in kept.items():
            setattr(Table, name, method)


class _Counter:
    def __init__(self) -> None:
        self.calls = 0

    def count(self) -> None:
        self.calls += 1


@contextmanager
def counted(file) -> Iterator[None]:
    """Write to a file how many calls were made."""
    counter = _Counter()
    with around(counter.count, lambda: None):
        yield
    file.write_text(str(counter.calls))


def killing(point: int, after: bool):
    """End this process by SIGKILL right before or right after its call of that number."""
    counter = _Counter()

    def before() -> None:
        counter.count()
        if counter.calls == point and not after:
            os.kill(os.getpid(), signal.SIGKILL)

    def then() -> None:
        if counter.calls == point and after:
            os.kill(os.getpid(), signal.SIGKILL)

    return around(before, then)
