"""What the journal says about the writer: its entries, folded to the state they leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from runtime_lambdas.runtime.journal.entry import Entry, Kind
from runtime_lambdas.runtime.writer import Side

from .phases import PAUSE, UNDONE_BY_AN_ACT, WAYS, Step, Way

BEGIN = "begin"
"""The step of the note with which every run starts; outside the pause it begins an attempt afresh."""
UNDO = "undo"
"""The step of the marks around giving an attempt up."""


class Damaged(ValueError):
    """The journal's entries contradict each other, so nothing may be concluded from them."""


@dataclass(frozen=True)
class Attempt:
    """A move of the writer that has begun and has not ended.

    Attributes:
        way: which.
        accept_loss: rows that the operator gives up, on a way back without replication; None on every other way.
        begun: the steps whose intent stands in the journal.
        done: the steps whose result stands there.
        undoing: it is being given up: from that mark on nothing of it may be done any more, only undone.
        undone: the steps that were taken back.
    """

    way: Way
    accept_loss: int | None = None
    begun: frozenset[Step] = frozenset()
    done: frozenset[Step] = frozenset()
    undoing: bool = False
    undone: frozenset[Step] = frozenset()

    @property
    def paused(self) -> bool:
        """Whether the old writer may be fenced."""
        return not self.begun.isdisjoint(PAUSE)

    @property
    def under_way(self) -> bool:
        """Whether it has to be completed or undone before anything else: a database may be fenced on its behalf."""
        return self.paused or self.undoing

    @property
    def keeps_from_writing(self) -> bool:
        """Whether no application may be able to write before it is completed or undone."""
        return self.under_way and Step.OPEN not in self.done

    @property
    def committed(self) -> bool:
        """Whether the point of no return is behind it."""
        return Step.COMMIT in self.done

    @property
    def steps(self) -> tuple[Step, ...]:
        """All its steps, in their order."""
        return self.way.steps(self.accept_loss is not None)

    @property
    def left(self) -> tuple[Step, ...]:
        """The steps that are still to be done."""
        return tuple(step for step in self.steps if step not in self.done)

    @property
    def to_undo(self) -> tuple[Step, ...]:
        """The steps that are still to be taken back, the last one first."""
        begun = (step for step in reversed(self.steps) if step in self.begun and step in UNDONE_BY_AN_ACT)
        return tuple(step for step in begun if step not in self.undone)


@dataclass(frozen=True)
class State:
    """Where the writer stands.

    Attributes:
        writer: the side that accepts writes, or will again once the attempt has ended.
        epoch: how often the writer has changed.
        attempt: the move that is under way.
        ending: the way back is being ended, or has ended.
        finalized: it has ended.
    """

    writer: Side = "source"
    epoch: int = 0
    attempt: Attempt | None = None
    ending: bool = False
    finalized: bool = False

    @property
    def left_over(self) -> Attempt | None:
        """The attempt, where it has to be completed or undone before anything else."""
        return self.attempt if self.attempt is not None and self.attempt.under_way else None


def fold(entries: Iterable[Entry]) -> State:
    """Return the state that the journal leaves; entries of other commands are passed over.

    Raises:
        Damaged: They contradict each other.
    """
    state = State()
    for entry in entries:
        if entry.verb == "finalize":
            state = _finalize(state, entry)
        elif entry.verb in WAYS:
            state = _move(state, WAYS[entry.verb], entry)
    return state


def pause_began(entries: Iterable[Entry]) -> datetime:
    """Return when the latest fence was begun, by the clock of whoever began it; there has to be one."""
    return [entry.time for entry in entries if (entry.step, entry.kind) == (Step.FENCE, "intent")][-1]


def _finalize(state: State, entry: Entry) -> State:
    if entry.step != Step.FINALIZE:
        return state
    if entry.kind not in ("intent", "done"):
        return state
    if state.writer != "target" or (state.attempt is not None and state.attempt.paused):
        raise Damaged("the way back was ended while it was in use")
    return replace(state, attempt=None, ending=True, finalized=entry.kind == "done")


def _move(state: State, way: Way, entry: Entry) -> State:
    attempt = state.attempt
    if entry.step == BEGIN:
        if attempt is not None and attempt.under_way:
            return state  # taken up where it stands
        loss = entry.evidence.get("accept_loss")
        return replace(state, attempt=Attempt(way, None if loss is None else int(loss)))
    if entry.kind not in ("intent", "done"):
        return state
    if attempt is None or attempt.way != way:
        raise Damaged(f"{entry.verb}: {entry.step} stands in the journal without a beginning")
    if entry.step == UNDO:
        return _give_up(state, attempt, entry.kind)
    if entry.step.startswith(f"{UNDO} "):
        step = _step(entry.step.removeprefix(f"{UNDO} "))
        if not attempt.undoing:
            raise Damaged(f"{step} was undone before the attempt was given up")
        return replace(state, attempt=replace(attempt, undone=attempt.undone | {step}))
    return _do(state, attempt, _step(entry.step), entry.kind)


def _step(name: str) -> Step:
    try:
        return Step(name)
    except ValueError:
        raise Damaged(f"{name!r} is no step of a move of the writer") from None


def _give_up(state: State, attempt: Attempt, kind: Kind) -> State:
    if attempt.committed:
        raise Damaged("an attempt was given up after the point of no return")
    if kind == "intent":
        return replace(state, attempt=replace(attempt, undoing=True))
    if not attempt.undoing or attempt.to_undo:
        raise Damaged("an attempt is called given up before everything of it was undone")
    return replace(state, attempt=None)


def _do(state: State, attempt: Attempt, step: Step, kind: Kind) -> State:
    if attempt.undoing:
        raise Damaged(f"{step} went forward after the attempt was given up")
    if kind == "intent":
        return replace(state, attempt=replace(attempt, begun=attempt.begun | {step}))
    attempt = replace(attempt, begun=attempt.begun | {step}, done=attempt.done | {step})
    state = replace(state, attempt=attempt if attempt.left else None)
    return replace(state, writer=attempt.way.new, epoch=state.epoch + 1) if step is Step.COMMIT else state
