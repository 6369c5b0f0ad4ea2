"""The control item: which of the two databases accepts writes, and how often that has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runtime_lambdas.runtime.journal.entry import Item
from runtime_lambdas.runtime.refused import Refused

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")


class WriterUnknown(Refused):
    """The control item names no database, so nothing may be written."""


@dataclass(frozen=True)
class Writer:
    """The database that accepts writes, and how often that has changed before it did."""

    side: Side
    epoch: int


FIRST = Writer("source", 0)
"""Who writes before anything was switched, when there is no control item."""


class WriterMoved(Refused):
    """The writer is not what a commit set out from: nothing was committed.

    Attributes:
        writer: who it is.
    """

    def __init__(self, writer: Writer, epoch: int) -> None:
        super().__init__(
            f"the {writer.side} is the writer since epoch {writer.epoch}, and not as it was in epoch {epoch}",
            "paymig history shows who moved it",
        )
        self.writer = writer


def from_item(item: Item | None) -> Writer:
    """Read the control item; without one nothing has been switched yet.

    Raises:
        WriterUnknown: it names no writer, or no epoch.
    """
    if item is None:
        return FIRST
    name, epoch = item.get("writer", {}).get("S"), item.get("epoch", {}).get("N")
    for side in SIDES:
        if name == side and epoch is not None:
            return Writer(side, int(epoch))
    raise WriterUnknown(
        f"the control item has writer {name!r} and epoch {epoch!r}; expected 'source' or 'target' and a number",
        "paymig history shows the last switchover: restore the item to what it committed",
    )
