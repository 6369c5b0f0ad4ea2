"""A heartbeat while a comparison runs, where nobody else may be beating: it proves what replication has brought."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2

from runtime_lambdas.runtime.comparison.session import Open
from runtime_lambdas.runtime.journal.control import Side
from runtime_lambdas.runtime.replication import heartbeat

EVERY = 1.0
"""Seconds between two beats."""


@contextmanager
def beating(leader: Open, side: Side) -> Iterator[None]:
    """Beat on the leader until the block ends, in a thread of its own; a login that may not, does not."""
    done = threading.Event()

    def beat() -> None:
        try:
            with closing(leader()) as opened:
                opened.autocommit = True
                with opened.cursor() as running:
                    while not done.is_set():
                        heartbeat.beat(running, side)
                        done.wait(EVERY)
        except (psycopg2.Error, LookupError):
            return  # without a beat the comparison settles by waiting longer

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
