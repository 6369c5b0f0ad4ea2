"""Approvals in the journal: whether one is good for what is about to happen.

An approval is bound to a digest of what was looked at. It serves one step once, and expires.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.refused import Refused

VERB, STEP = "approve", "approve a step"
SWITCHOVER = "switchover"
"""The step that moves the writer; the others are shares of the traffic, such as `100%`."""

Rule = Literal["none", "required", "second-person"]


class NotApproved(Refused):
    """A step waits for somebody's approval; nothing was done."""


@dataclass(frozen=True)
class Demand:
    """What a step waits for.

    Attributes:
        step: `switchover`, or a share such as `100%`.
        digest: of what is about to happen.
        identity: the ARN of whoever runs the step.
        rule: who has to approve.
    """

    step: str
    digest: str
    identity: str
    rule: Rule = "required"

    def met(self, entries: Iterable[Entry], now: datetime) -> dict[str, Any]:
        """Make sure that the step is approved.

        Returns:
            The evidence for the step's own `done` entry, which uses the approval up; empty where none is asked for.

        Raises:
            NotApproved: there is none, or none that is still good.
        """
        if self.rule == "none":
            return {}
        found, reasons = judge(entries, self, now)
        if found is None:
            who = "somebody other than you" if self.rule == "second-person" else "somebody"
            raise NotApproved(
                f"the step {self.step} waits for approval: {'; '.join(reasons) or 'nobody has approved it'}",
                f"{who} runs: paymig approve --step {self.step}",
            )
        return {"approval": found.sequence, "approved_by": found.who}


def judge(entries: Iterable[Entry], demand: Demand, now: datetime) -> tuple[Entry | None, list[str]]:
    """Choose the newest approval that is good, or say of each why it is not."""
    entries = list(entries)
    used = {entry.evidence.get("approval") for entry in entries if entry.kind == "done"}
    reasons = []
    for entry in reversed(entries):
        if (entry.verb, entry.step) != (VERB, STEP) or entry.evidence.get("step") != demand.step:
            continue
        reason = _flaw(entry, demand, now, used)
        if reason is None:
            return entry, []
        reasons.append(f"the approval of {entry.who} at {entry.time:%Y-%m-%d %H:%M} UTC {reason}")
    return None, reasons


def _flaw(entry: Entry, demand: Demand, now: datetime, used: set[Any]) -> str | None:
    if entry.sequence in used:
        return "was used already"
    if datetime.fromisoformat(entry.evidence["expires"]) <= now:
        return "has expired"
    if entry.evidence["digest"] != demand.digest:
        return "was for another spec, other templates or another state"
    if demand.rule == "second-person" and entry.who == demand.identity:
        return "is your own"
    return None
