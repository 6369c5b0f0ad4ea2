"""Telling a difference from replication that is merely on its way, on databases that don't stand still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from .observe import Observation

Verdict = Literal["equal", "different", "unsettled"]

ROUNDS = 6
PAUSE = 5.0
"""Seconds between rounds."""
STILL = 3
"""Rounds over which both sides must not have moved before they are called different."""


@dataclass(frozen=True)
class Question:
    """Something that should agree.

    Attributes:
        name: What it is about: "table public.payments".
        source: Reads the source.
        target: Reads the target.
        agree: Whether what was read is as it should be.
    """

    name: str
    source: Callable[[], Observation]
    target: Callable[[], Observation]
    agree: Callable[[Observation, Observation], bool]


@dataclass(frozen=True)
class Finding:
    """The answer to a question, and what was last read; "unsettled" is never to be taken for "equal"."""

    name: str
    verdict: Verdict
    source: Observation
    target: Observation


def settle(questions: Iterable[Question]) -> list[Finding]:
    """Answer each question, asking again while data is moving.

    The target agrees if it equals the source as read before or after it. It differs only if neither side moved for
    `STILL` rounds. What keeps moving until the last round is unsettled.
    """
    open_ones = list(questions)
    still: dict[str, tuple[int, Observation, Observation]] = {}
    findings: list[Finding] = []
    for number in range(ROUNDS):
        if number and open_ones:
            time.sleep(PAUSE)
        unanswered = []
        for question in open_ones:
            before, there, after = question.source(), question.target(), question.source()
            if question.agree(before, there) or question.agree(after, there):
                findings.append(Finding(question.name, "equal", after, there))
                continue
            rounds, *known = still.get(question.name, (0, None, None))
            rounds = rounds + 1 if known == [after, there] and before == after else int(before == after)
            still[question.name] = (rounds, after, there)
            if rounds >= STILL:
                findings.append(Finding(question.name, "different", after, there))
            else:
                unanswered.append(question)
        open_ones = unanswered
    findings += [Finding(question.name, "unsettled", *still[question.name][1:]) for question in open_ones]
    return sorted(findings, key=lambda finding: finding.name)
