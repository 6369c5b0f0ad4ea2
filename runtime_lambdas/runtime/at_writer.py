"""Work at the database that accepts writes, through a switch of the writer.

A database that is fenced refuses writes; nothing else tells an application that the writer is about to move. So a
refused request waits, asks who the writer is, and tries again until it is taken or the pause budget is spent: its
client sees latency, not an error.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg2
from botocore.exceptions import BotoCoreError, ClientError
from psycopg2 import errors
from psycopg2.extensions import cursor

from runtime_lambdas.runtime import database, log, writer

Result = TypeVar("Result")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.2
"""Seconds between two looks at the writer: a switch takes about 0.1 s; a longer fence is asked less often."""


class Paused(RuntimeError):
    """Writes were refused for the whole of the budget. Nothing was written; the request may be repeated."""


class Unreachable(RuntimeError):
    """The writer is unknown or does not answer. The request may be repeated under the same idempotency key."""


def at_writer(
    work: Callable[[cursor], Result],
    *,
    settle: Callable[[cursor], Result | None] | None = None,
    budget: float | None = None,
) -> Result:
    """Run `work` in one transaction of the writer and return what it returns, once that is committed.

    Args:
        work: what to do. It runs again only when its transaction is known not to have been committed or, where the
            connection broke, when `settle` finds nothing.
        settle: looks up, by the request's idempotency key, what an earlier attempt of this request committed; None
            when there is nothing. It decides about a commit whose answer was lost, at whichever database is the
            writer by then: the switch carries over all that was committed before it. Leave it out for work that
            writes nothing.
        budget: seconds to wait while writes are refused; by default `$PAYMIG_PAUSE_BUDGET`, else 10.

    Raises:
        Paused: writes were refused for longer than the budget.
        Unreachable: neither a first nor a fresh connection reached the writer, or it is unknown.
        psycopg2.Error: the database refused the work itself.
    """
    deadline = time.monotonic() + (float(os.environ.get("PAYMIG_PAUSE_BUDGET") or 10) if budget is None else budget)
    attempt, lost, pause = work, 0, _FIRST_PAUSE
    while True:
        side: writer.Side | None = None
        try:
            side = writer.current().side
            return database.attempt(side, attempt)
        except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction) as refusal:
            writer.forget()
            if time.monotonic() + pause > deadline:
                log.error("writer.refused", refusal, side=side)
                raise Paused(f"the {side} database refuses writes: {refusal}") from refusal
            time.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - held requests should not all ask at once
            pause = min(2 * pause, _LONGEST_PAUSE)
        except errors.UniqueViolation:
            # The attempt whose answer was lost was still under way when `settle` looked: it is committed by now.
            if not lost or settle is None or time.monotonic() > deadline:
                raise
        except database.Lost as error:
            writer.forget()
            lost += 1
            if lost > 1:
                log.error("writer.lost", error, side=side)
                raise Unreachable(f"the connection to the {side} database broke twice: {error}") from error
            if settle is not None:
                attempt = _settled_first(settle, work)
        except (
            psycopg2.OperationalError,
            psycopg2.InterfaceError,
            database.NotConfigured,
            writer.WriterUnknown,
            BotoCoreError,
            ClientError,
        ) as error:
            writer.forget()
            log.error("writer.unreachable", error, side=side)
            raise Unreachable(f"the writer can't be reached: {error}") from error


def _settled_first(
    settle: Callable[[cursor], Result | None], work: Callable[[cursor], Result]
) -> Callable[[cursor], Result]:
    def attempt(running: cursor) -> Result:
        found = settle(running)
        return work(running) if found is None else found

    return attempt
