"""Which of the two databases accepts writes, as the journal's control item says."""

from __future__ import annotations

import os
import time

from runtime_lambdas.runtime import aws
from runtime_lambdas.runtime.journal.control import SIDES, Side, Writer, WriterUnknown, from_item

__all__ = ["MAX_AGE", "SIDES", "Side", "Writer", "WriterUnknown", "current", "forget", "read"]

MAX_AGE = 1.0
"""Seconds for which an answer may be used again."""

_last: tuple[float, Writer] | None = None  # kept between the invocations of one execution environment


def current() -> Writer:
    """Return the writer as it was at most `MAX_AGE` seconds ago.

    Raises:
        WriterUnknown: The control item is damaged.
        botocore.exceptions.ClientError: The journal can't be read.
    """
    global _last
    if _last is not None and time.monotonic() - _last[0] < MAX_AGE:
        return _last[1]
    asked = time.monotonic()  # before the call: the answer is as old as the question
    writer = read()
    _last = (asked, writer)
    return writer


def read() -> Writer:
    """Return the writer as it is now, by a strongly consistent read; raises as `current` does."""
    key = {"migration": {"S": os.environ["PAYMIG_MIGRATION"]}, "item": {"S": "control"}}
    answer = aws.client("dynamodb").get_item(TableName=os.environ["PAYMIG_JOURNAL_TABLE"], Key=key, ConsistentRead=True)
    return from_item(answer.get("Item"))


def forget() -> None:
    """Make the next `current` ask again: a database refused a write, so the writer may have changed."""
    global _last
    _last = None
