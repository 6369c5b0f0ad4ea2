"""What one request became, as a line of the load's file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paymig.rehearsal.workload import Receipt, Request


@dataclass(frozen=True)
class Outcome:
    """One request from its planned time to its last answer; times are seconds of the wall clock.

    Attributes:
        planned: when the plan wanted it sent.
        sent: when it was sent first.
        done: when the last attempt ended.
        attempts: how often it was sent, each time under the same key.
        side: which API answered last, "old" or "new".
        status: the last status; 0 where no answer came.
        ok: whether it succeeded.
        uncertain: a write that failed in the end and of which no answer tells whether it was made.
        why: what was wrong, for one that failed or was answered wrongly.
        answer: the JSON of a success that wrote.
        errors: what each attempt met that did not succeed, as "new 503"; 0 where no answer came.
    """

    request: Request
    planned: float
    sent: float
    done: float
    attempts: int
    side: str
    status: int
    ok: bool
    uncertain: bool = False
    why: str = ""
    answer: dict[str, Any] | None = None
    errors: tuple[str, ...] = ()

    @property
    def latency(self) -> float:
        """Seconds a client waited, counted from the planned time: a late start is part of it."""
        return self.done - self.planned

    @property
    def receipt(self) -> Receipt | None:
        """The promise that the API made, where it made one."""
        if not (self.ok and self.request.writes) or self.answer is None:
            return None
        return Receipt(self.request, self.answer)

    def to_line(self) -> str:
        """The JSON form, one line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Outcome:
        """Read the JSON form."""
        raw = json.loads(line)
        return cls(**{**raw, "request": Request(**raw["request"]), "errors": tuple(raw["errors"])})


def read(path: Path) -> Iterator[Outcome]:
    """Read a load's file; a line that was cut off by the end of its process is no outcome."""
    with path.open() as lines:
        for line in lines:
            if line.endswith("\n"):
                yield Outcome.from_line(line)
