"""What clients do during a rehearsal, and how it is proved afterwards: the built-in workload, or the operator's file.

A workload is a class `Workload` with three methods. The rehearsal calls them one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from paymig.rehearsal.own import class_of

if TYPE_CHECKING:
    from psycopg2.extensions import cursor


@dataclass(frozen=True)
class Request:
    """One thing a client wants.

    Attributes:
        kind: a word for the report, such as "payment".
        method: such as "POST".
        path: such as "/payments".
        body: JSON, or None.
        key: the idempotency key, sent with every attempt; None for what writes nothing.
        expected: what the workload wants to remember with it.
    """

    kind: str
    method: str
    path: str
    body: str | None = None
    key: str | None = None
    expected: dict[str, Any] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.key is not None


@dataclass(frozen=True)
class Receipt:
    """A write that the API acknowledged: the request, and the JSON it answered."""

    request: Request
    answer: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Receipt:
        """Read the JSON form."""
        return cls(Request(**raw["request"]), raw["answer"])


@dataclass(frozen=True)
class Finding:
    """What the proof found of a workload's writes in the writer.

    Attributes:
        found: how many receipts were found as they were promised.
        problems: each thing that is not as promised, as a sentence.
    """

    found: int
    problems: tuple[str, ...]


class Workload(Protocol):
    """What clients do, and what must be true of it."""

    def next(self, random: Random) -> Request:
        """Return what the next client wants."""
        ...

    def answered(self, request: Request, answer: dict[str, Any]) -> str | None:
        """Take note of a success; return a sentence where the answer is wrong."""
        ...

    def prove(self, running: cursor, receipts: Sequence[Receipt], unknown: Sequence[Request]) -> Finding:
        """Look every receipt up in the writer.

        Args:
            running: reads in the writer, in one snapshot.
            receipts: the writes that were acknowledged.
            unknown: the writes that never got an answer: each may stand in the writer once, or not at all.
        """
        ...


def open_workload(file: Path | None) -> Workload:
    """Return the built-in workload, or the class `Workload` of a Python file.

    Raises:
        PaymigError: the file is no workload.
    """
    if file is None:
        from paymig.rehearsal.payments import Payments

        return Payments()
    workload: Workload = class_of(file, "Workload", ("next", "answered", "prove"))()
    return workload
