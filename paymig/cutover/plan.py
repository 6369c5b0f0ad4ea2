"""What a switchover would do from where things stand, and what going back would cost at each point: nothing is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from paymig.aws.weights import Weights
from paymig.cutover.expected import Expected
from paymig.errors import Refused
from runtime_lambdas.runtime.journal.approvals import SWITCHOVER, Rule
from runtime_lambdas.runtime.journal.entry import Draft, Entry, Kind
from runtime_lambdas.runtime.writer import Side
from runtime_lambdas.switchover.actions import Evidence
from runtime_lambdas.switchover.decide import Begin, Do, Finished, Undo, Wish, decide
from runtime_lambdas.switchover.decide import Refused as Impossible
from runtime_lambdas.switchover.history import BEGIN, UNDO, Attempt, State
from runtime_lambdas.switchover.pause import Pause
from runtime_lambdas.switchover.phases import BEFORE_THE_PAUSE, FORTH, PAUSE, Step, Way

_BEFORE = "nothing: the {old} takes writes all the time"
_IN = "nothing: the {old} takes writes again as soon as it is undone, by itself on any failure"
_UNDOING = "nothing: the {old} takes writes again as soon as this is done"
_AFTER = "nothing while replication from the {new} to the {old} is healthy: paymig {back} moves the writer back"
_KEPT = (
    "not proved before retire: the {new} keeps the place from which replication to the {old} starts there; if it can't "
    "be started, paymig {back} says what would be lost"
)
_STARTED = "once this has proved replication from the {new} to the {old}, " + _AFTER + "; until then as before"
_LOST = "rows were given up, and replication has ended both ways: everything has to be loaded anew first"


@dataclass(frozen=True)
class Planned:
    """A step that would be done.

    Attributes:
        step: of the move, "undo ..." where one is taken back, or "traffic".
        pause: whether writes are refused meanwhile.
        back: what going back from there would cost.
    """

    step: str
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


@dataclass
class Follows:
    """The traffic that follows the writer, as `strategy: together` has it.

    Attributes:
        record: whose weights.
        live: the weights as they are, then as each move leaves them; None where there is no pair.
        ttl: for how long resolvers keep an answer.
        at_once: as soon as the new writer takes writes; False where it waits until all has ended.
    """

    record: str
    live: Weights | None
    ttl: str
    at_once: bool = True

    def to(self, writer: Side) -> list[Planned]:
        """Return the move of the traffic to a side; nothing where it is there."""
        before, after = self.live, Weights.to_new(100 if writer == "target" else 0)
        if before == after:
            return []
        self.live = after
        new, old, back = ("target", "source", "rollback") if after.new else ("source", "target", "switchover")
        return [
            Planned(
                "traffic",
                f"would move {self.record} to {after.new} % on AWS: {before or 'no weighted pair yet'} becomes "
                f"{after}; who still asks the {old}, until {self.ttl} after that or longer, is refused his writes",
                False,
                f"a paymig {back} of the writer, which takes the traffic back after it: who still asks the {new} then, "
                f"until {self.ttl} after that or longer, is refused his writes",
            )
        ]


def steps(entries: Iterable[Entry], quick: bool = True, follows: Follows | None = None) -> list[Planned]:
    """Return what a switchover would do, in its order: what was left half-done is ended first.

    Args:
        entries: all of the journal, oldest first.
        quick: whether the way back works before the pause ends; False for DMS, which starts it afterwards.
        follows: the traffic, where it follows the writer.

    Raises:
        Refused: the journal contradicts itself.
    """
    dry, planned = DryRun(), list[Planned]()
    for attempt, step, undoing in _acts(entries):
        way = attempt.way
        if undoing:
            dry.undo(way, step)
            back = _UNDOING.format(old=way.old)
            planned.append(Planned(f"{UNDO} {step}", dry.sentences[-1], True, back))
        else:
            if step is Step.RETIRE and follows is not None and follows.at_once:
                planned += follows.to(way.new)
            dry.do(way, step, attempt, None)
            paused = step not in (*BEFORE_THE_PAUSE, Step.RETIRE)
            planned.append(Planned(step, dry.sentences[-1], paused, _back(attempt, step, quick)))
    return planned + (follows.to("target") if follows is not None else [])


def fences(planned: Iterable[Planned]) -> bool:
    """Tell whether a pause of writes would be begun, which waits for an approval and has a length to expect."""
    return any(one.step == Step.FENCE for one in planned)


def stands(state: State) -> str:
    """Say where the writer stands, and what that means for a switchover."""
    told = f"The {state.writer} is the writer, in epoch {state.epoch}"
    left = state.left_over
    if left is None:
        return f"{told}{' already' if state.writer == FORTH.new else ''}."
    if left.committed:
        return f"{told}: a {left.way.verb} is past its point of no return, and what is left of it is done first."
    return f"{told}: a {left.way.verb} has begun its pause of writes and is not over, and is undone first."


def render(planned: Sequence[Planned], expected: Expected | None, approval: Rule, state: State) -> RenderableType:
    """Draw a plan."""
    if not planned:
        return f"{stands(state)}\nNothing is left to do."
    caption = "no pause of writes would be begun" if expected is None else str(expected)
    if approval != "none":
        caption += f"\napproval: {approval}, by paymig approve --step {SWITCHOVER}; the commit uses it up"
    table = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
    for heading in ("step", "what", "writes", "going back costs"):
        table.add_column(heading, header_style="dim", overflow="fold")
    for one in planned:
        table.add_row(one.step, one.what, "refused" if one.pause else "taken", one.back)
    return Group(stands(state), table)


def to_json(planned: Sequence[Planned], expected: Expected | None, approval: Rule, state: State) -> Mapping[str, Any]:
    """Give a plan as JSON's types."""
    return {
        "writer": state.writer,
        "epoch": state.epoch,
        "stands": stands(state),
        "expected_pause": expected.to_json() if expected else None,
        "approval": approval,
        "steps": [vars(one) for one in planned],
    }


def _acts(entries: Iterable[Entry]) -> Iterator[tuple[Attempt, Step, bool]]:
    """Yield each step that is still to be done, or (True) undone: decided as a run decides, as if all succeeded."""
    history = list(entries)
    verdict = decide(history, Wish.SWITCHOVER)
    if isinstance(verdict, Do) and verdict.attempt is not None and not verdict.attempt.paused:
        history.append(_entry(verdict.attempt.way, BEGIN, "note"))  # outside the pause every run begins afresh
    while not isinstance(verdict := decide(history, Wish.SWITCHOVER), Finished):
        match verdict:
            case Impossible(reason, hint):
                raise Refused(reason, hint)
            case Begin(way):
                history.append(_entry(way, BEGIN, "note"))
            case Undo(attempt, undone, _):
                history.append(_entry(attempt.way, UNDO, "intent"))
                for step in undone:
                    yield attempt, step, True
                    history.append(_entry(attempt.way, f"{UNDO} {step}", "done"))
                history.append(_entry(attempt.way, UNDO, "done"))
            case Do(_, step, attempt):
                if attempt is None:
                    raise AssertionError("a switchover does not end the way back")
                pause = [one for one in attempt.left if one in PAUSE] if step in PAUSE else [step]
                for one in pause:
                    yield attempt, one, False
                history += [_entry(attempt.way, one, "done") for one in pause]  # a pause is one stretch


def _entry(way: Way, step: str, kind: Kind) -> Entry:
    return Entry.of(Draft(way.verb, step, kind), 0, datetime.now(UTC), "", 0)


def _back(attempt: Attempt, step: Step, quick: bool) -> str:
    way = attempt.way
    if step in BEFORE_THE_PAUSE:
        back = _BEFORE
    elif step in PAUSE and step is not Step.COMMIT:
        back = _IN
    elif attempt.accept_loss is not None:
        back = _LOST
    elif quick:
        back = _AFTER
    else:
        back = _STARTED if step is Step.RETIRE else _KEPT
    return back.format(old=way.old, new=way.new, back="rollback" if way == FORTH else "switchover")
