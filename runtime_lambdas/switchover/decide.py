"""What to do next, from the journal alone: no clock, no AWS, no SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.writer import Side

from .history import Attempt, Damaged, State, fold
from .phases import BACK, FORTH, Step, Verb, Way


class Wish(StrEnum):
    """What an operator wants to be true at the end."""

    SWITCHOVER = "switchover"
    SWITCHBACK = "switchback"
    FINALIZE = "finalize"
    UNDO = "undo"
    """Nothing under way, and the writer where it was."""


@dataclass(frozen=True)
class Begin:
    """Begin a move: its first step comes next."""

    way: Way


@dataclass(frozen=True)
class Do:
    """Do a step; it may have been done in part, or whole, without a record of it.

    Attributes:
        attempt: the move it belongs to; None for the end of the way back.
    """

    verb: Verb
    step: Step
    attempt: Attempt | None


@dataclass(frozen=True)
class Undo:
    """Give the attempt up: take these steps back in this order.

    Attributes:
        marked: whether the journal says already that it is being given up. It must, before anything is undone.
    """

    attempt: Attempt
    steps: tuple[Step, ...]
    marked: bool


@dataclass(frozen=True)
class Finished:
    """The wish is fulfilled."""

    writer: Side


@dataclass(frozen=True)
class Refused:
    """The wish cannot be fulfilled from here: why, and what to do instead."""

    reason: str
    hint: str


Verdict = Begin | Do | Undo | Finished | Refused

_WAYS = {Wish.SWITCHOVER: FORTH, Wish.SWITCHBACK: BACK}


def decide(history: Iterable[Entry], wish: Wish) -> Verdict:
    """Decide the next act.

    Args:
        history: all entries of the journal, oldest first.
        wish: what the operator wants.
    """
    try:
        state = fold(history)
    except Damaged as damage:
        return Refused(f"the journal contradicts itself: {damage}", "paymig history shows it; nothing was done")
    attempt = state.attempt
    if attempt is not None and attempt.undoing:
        # Whatever is wanted now: a part of it may be undone already, so nothing may be built on the rest.
        return Undo(attempt, attempt.to_undo, marked=True)
    if attempt is not None and attempt.committed:
        return _beyond(attempt, wish)
    if attempt is not None and attempt.paused:
        if wish is Wish.FINALIZE:
            return Refused(f"a {attempt.way.verb} is under way", "complete it first, by running it again")
        # Whoever began the pause is gone, and with him the clock and half of the proofs: it ends where the writer was.
        return Undo(attempt, attempt.to_undo, marked=False)
    return _at_rest(state, attempt, wish)


def _beyond(attempt: Attempt, wish: Wish) -> Verdict:
    """The point of no return is behind: what is left is done first, whatever comes after it."""
    if wish is Wish.UNDO:
        return Refused(
            f"the writer is the {attempt.way.new} since the point of no return",
            "complete the move by running it again; then the way back is a move of its own: paymig rollback",
        )
    return Do(attempt.way.verb, attempt.left[0], attempt)


def _at_rest(state: State, attempt: Attempt | None, wish: Wish) -> Verdict:
    """No database is fenced on behalf of an attempt: one of the two takes writes."""
    if wish is Wish.UNDO:
        return Finished(state.writer)
    if wish is Wish.FINALIZE:
        return _finalize(state)
    way = _WAYS[wish]
    if state.writer == way.new:
        return Finished(state.writer)
    if way is BACK and state.ending:
        return Refused(
            "the way back has ended: `paymig finalize` stopped the replication to the source",
            "a move to the source would be a migration of its own",
        )
    if attempt is None or attempt.way != way:
        return Begin(way)
    return Do(way.verb, attempt.left[0], attempt)


def _finalize(state: State) -> Verdict:
    if state.writer == "source":
        return Refused("the source is still the writer: there is no way back to end", "paymig switchover comes first")
    if state.finalized:
        return Finished(state.writer)
    return Do("finalize", Step.FINALIZE, None)


def leads_forth(verdict: Verdict) -> bool:
    """Tell whether an act brings the writer nearer to the target, and the point of no return is still ahead."""
    if isinstance(verdict, Do):
        return verdict.attempt is not None and verdict.attempt.way == FORTH and not verdict.attempt.committed
    return isinstance(verdict, Begin) and verdict.way == FORTH
