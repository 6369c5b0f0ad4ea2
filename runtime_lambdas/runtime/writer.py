"""Which of the two databases accepts writes, as the journal's control item says."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Literal

from runtime_lambdas.runtime import aws

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")

MAX_AGE = 1.0
"""Seconds for which an answer may be used again."""


class WriterUnknown(RuntimeError):
    """The control item names no database, so nothing may be written."""


@dataclass(frozen=True)
class Writer:
    """The database that accepts writes, and how often that has changed before it did."""

    side: Side
    epoch: int


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
    if "Item" not in answer:
        return Writer("source", 0)  # nothing has been switched yet
    item = answer["Item"]
    name = item.get("writer", {}).get("S")
    epoch = item.get("epoch", {}).get("N")
    for side in SIDES:
        if name == side and epoch is not None:
            return Writer(side, int(epoch))
    raise WriterUnknown(
        f"the control item of {os.environ['PAYMIG_MIGRATION']} in {os.environ['PAYMIG_JOURNAL_TABLE']} has "
        f"writer {name!r} and epoch {epoch!r}; expected 'source' or 'target' and a number. Run `paymig status`."
    )


def forget() -> None:
    """Make the next `current` ask again: a database refused a write, so the writer may have changed."""
    global _last
    _last = None
