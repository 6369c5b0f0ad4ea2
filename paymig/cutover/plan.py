"""What a move would do, step by step, and what going back would cost at each point: nothing is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from paymig.cutover.expected import Expected
from runtime_lambdas.runtime.journal.approvals import SWITCHOVER, Rule
from runtime_lambdas.switchover.actions import Evidence
from runtime_lambdas.switchover.history import Attempt, State
from runtime_lambdas.switchover.pause import Pause
from runtime_lambdas.switchover.phases import BEFORE_THE_PAUSE, PAUSE, Step, Way

_BEFORE = "nothing: the {old} takes writes all the time"
_IN = "nothing: the {old} takes writes again as soon as it is undone, by itself on any failure"
_AFTER = "nothing while replication from the {new} to the {old} is healthy: paymig rollback moves the writer back"


@dataclass(frozen=True)
class Planned:
    """A step that would be done.

    Attributes:
        pause: whether writes are refused meanwhile.
        back: what going back from there would cost.
    """

    step: Step
    what: str
    pause: bool
    back: str


class DryRun:
    """The acts, with nothing done: each becomes a sentence."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def claim(self, token: int) -> None:
        """Say nothing."""

    def do(self, way: Way, step: Step, attempt: Attempt | None, pause: Pause | None) -> Evidence:
        """Say what the step does."""
        self.sentences.append(f"would {way.meaning(step)}")
        return {}

    def undo(self, way: Way, step: Step) -> Evidence:
        """Say that the step would be taken back."""
        self.sentences.append(f"would take back: {way.meaning(step)}")
        return {}


def steps(way: Way, with_loss: bool = False) -> list[Planned]:
    """Return what a move would do, in its order."""
    dry = DryRun()
    planned = []
    for step in way.steps(with_loss):
        dry.do(way, step, None, None)
        before, paused = step in BEFORE_THE_PAUSE, step in PAUSE
        back = _BEFORE if before else _IN if paused and step is not Step.COMMIT else _AFTER
        planned.append(
            Planned(step, dry.sentences[-1], paused or step is Step.OPEN, back.format(old=way.old, new=way.new))
        )
    return planned


def render(planned: Sequence[Planned], expected: Expected, approval: Rule) -> Table:
    """Draw a plan."""
    caption = str(expected)
    if approval != "none":
        caption += f"\napproval: {approval}, by paymig approve --step {SWITCHOVER}; the commit uses it up"
    table = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
    for heading in ("step", "what", "writes", "going back costs"):
        table.add_column(heading, header_style="dim", overflow="fold")
    for one in planned:
        table.add_row(str(one.step), one.what, "refused" if one.pause else "taken", one.back)
    return table


def to_json(planned: Sequence[Planned], expected: Expected, approval: Rule, state: State) -> Mapping[str, Any]:
    """Give a plan as JSON's types."""
    return {
        "writer": state.writer,
        "epoch": state.epoch,
        "expected_pause": expected.to_json(),
        "approval": approval,
        "steps": [vars(one) for one in planned],
    }
