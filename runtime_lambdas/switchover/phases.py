"""The steps that move the writer: their order, both ways, and the line that cannot be crossed back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from runtime_lambdas.runtime.writer import Side

Verb = Literal["switchover", "switchback", "finalize"]


class Step(StrEnum):
    """One step; the order of the members is the order of the steps."""

    CHECK = "check"
    PREPARE = "prepare"
    FENCE = "fence"
    DRAIN = "drain"
    COMPARE = "compare"
    SEQUENCES = "sequences"
    REVERSE = "reverse"
    COMMIT = "commit"
    OPEN = "open"
    RETIRE = "retire"
    FINALIZE = "finalize"


MEANING = {
    Step.CHECK: "make sure that everything holds that the move needs",
    Step.PREPARE: "prepare the way back, without using it yet",
    Step.FENCE: "make the {old} refuse every write of an application, and prove it: the pause begins",
    Step.DRAIN: "wait until everything committed on the {old} is on the {new}, proved by a marker",
    Step.COMPARE: "compare what changed since the last full comparison, and the invariants",
    Step.SEQUENCES: "set the sequences of the {new} ahead of every number the {old} gave out",
    Step.REVERSE: "have replication from the {new} to the {old} begin here, proved by a marker; with DMS, keep its "
    "place",
    Step.COMMIT: "name the {new} the writer: the point of no return",
    Step.OPEN: "let the applications write to the {new}: the pause ends",
    Step.RETIRE: "stop replication from the {old} to the {new}; with DMS, start it the other way, proved by a marker",
    Step.FINALIZE: "stop replication from the target to the source for good: the way back ends",
}
"""What each step does, with the side that is the writer before (`old`) and after (`new`)."""

BEFORE_THE_PAUSE = (Step.CHECK, Step.PREPARE)
PAUSE = (Step.FENCE, Step.DRAIN, Step.COMPARE, Step.SEQUENCES, Step.REVERSE, Step.COMMIT)
"""From the first refused write to the point of no return: one stretch that is never left half-done on purpose."""
AFTER_THE_COMMIT = (Step.OPEN, Step.RETIRE)

UNDONE_BY_AN_ACT = (Step.FENCE, Step.REVERSE)
"""The steps whose effect is taken back when an attempt is given up. The others changed nothing that matters then: a
sequence that is too far ahead does no harm, and what was prepared is used by the next attempt."""

WITH_LOSS = (Step.CHECK, Step.FENCE, Step.COMPARE, Step.SEQUENCES, Step.COMMIT, Step.OPEN, Step.RETIRE)
"""The way back where replication to the old writer does not work: no drain, and nothing to come back by."""


@dataclass(frozen=True)
class Way:
    """A move of the writer.

    Attributes:
        verb: what the journal calls it.
        old: the side that is the writer before.
        new: the side that is the writer after.
    """

    verb: Literal["switchover", "switchback"]
    old: Side
    new: Side

    def steps(self, with_loss: bool = False) -> tuple[Step, ...]:
        """Return the steps of this way in their order."""
        return WITH_LOSS if with_loss else (*BEFORE_THE_PAUSE, *PAUSE, *AFTER_THE_COMMIT)

    def meaning(self, step: Step) -> str:
        """Say what a step does on this way."""
        return MEANING[step].format(old=self.old, new=self.new)


FORTH = Way("switchover", "source", "target")
BACK = Way("switchback", "target", "source")
WAYS = {way.verb: way for way in (FORTH, BACK)}
