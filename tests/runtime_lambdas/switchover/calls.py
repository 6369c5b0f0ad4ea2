"""Every call that leaves this process, counted: to AWS, and to a database each connection, statement and commit."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import psycopg2.extensions
from botocore.client import BaseClient


def _always() -> bool:
    return True


@contextmanager
def around(
    before: Callable[[int, str], None], after: Callable[[int], None], counts: Callable[[], bool] = _always
) -> Iterator[None]:
    """Call these with each call's number, as long as the block runs; for a process that ends with it.

    Args:
        before: gets the call as well.
        after: is called when it has taken effect.
        counts: tells of each call whether it is one of those.
    """
    numbers = itertools.count(1)

    def watched(what: str, call, *args, **named):
        if not counts():
            return call(*args, **named)
        number = next(numbers)
        before(number, what)
        result = call(*args, **named)
        after(number)
        return result

    class Cursor(psycopg2.extensions.cursor):
        def execute(self, query, values=None):
            return watched(str(query), super().execute, query, values)

    class Connection(psycopg2.extensions.connection):
        def cursor(self, *args, **named):
            return super().cursor(*args, **{"cursor_factory": Cursor, **named})

        def commit(self):
            return watched("commit", super().commit)

        def rollback(self):
            return watched("rollback", super().rollback)

    def connect(*args, **named):
        return watched("connect", connect_as_ever, *args, connection_factory=Connection, **named)

    def call(client, operation, arguments):
        return watched(operation, call_as_ever, client, operation, arguments)

    connect_as_ever, call_as_ever = psycopg2.connect, BaseClient._make_api_call
    psycopg2.connect, BaseClient._make_api_call = connect, call
    try:
        yield
    finally:
        psycopg2.connect, BaseClient._make_api_call = connect_as_ever, call_as_ever


@contextmanager
def counted(file, counts: Callable[[], bool] = _always) -> Iterator[None]:
    """Write what was called to a file, a line each."""
    calls: list[str] = []
    with around(lambda _, what: calls.append(" ".join(what.split())), lambda _: None, counts):
        yield
    file.write_text("\n".join(calls))


def killing(point: int, after: bool, counts: Callable[[], bool] = _always):
    """End this process by SIGKILL right before or right after its call of that number."""

    def before(number: int, what: str) -> None:
        if number == point:
            os.write(2, f"killed {'after' if after else 'before'} call {point}: {what[:300]}\n".encode())
            if not after:
                os.kill(os.getpid(), signal.SIGKILL)

    def then(number: int) -> None:
        if number == point and after:
            os.kill(os.getpid(), signal.SIGKILL)

    return around(before, then, counts)
