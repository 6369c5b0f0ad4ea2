"""One command on the writer, from taking the lease to giving it back: the same in a function and on a machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from runtime_lambdas.runtime.journal.approvals import Demand
from runtime_lambdas.runtime.journal.hold import Hold, hold
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.journal.lease import LeaseHeld, LeaseLost

from .actions import Actions, Event, MoveRefused, Outcome
from .decide import Wish
from .history import fold
from .ledger import JournalLedger
from .phases import PAUSE, Step
from .run import Run

_PATIENCE = 120.0  # seconds to wait for the lease back, where it was lost while writes were paused
_SPARE = 60.0  # seconds beyond its budget that a pause may need to end, one way or the other


class Closing(Actions, Protocol):
    """Acts whose connections are to be closed at the end."""

    def close(self) -> None:
        """Close them."""


def move(
    journal: Journal,
    actions: Closing,
    wish: Wish,
    *,
    budget: float,
    why: str = "",
    accept_loss: int | None = None,
    demand: Demand | None = None,
    tell: Callable[[Event], None] = lambda _: None,
    over: bool = False,
    ready: Callable[[], None] | None = None,
    follow: Callable[[Hold], None] | None = None,
) -> Outcome:
    """Act until the wish is fulfilled.

    Args:
        journal: in the hands of the operator.
        actions: what is done to the databases.
        wish: what should be true at the end.
        budget: seconds that writes may be paused.
        why: the operator's words.
        accept_loss: rows that the operator gives up, on a way back without replication.
        demand: the approval that a switchover waits for.
        tell: is called with every event.
        over: take the lease from a living holder, too.
        ready: is called with the check, under the lease, and raises where something does not hold that the move needs
            besides the databases.
        follow: has what follows the writer do so, under the move's lease. It is called as soon as the new writer takes
            writes, before what is left of the move, and again at the end: it does what is still to be done. What fails
            the first time does not keep the rest of the move, which may start the way back, from being done.

    Raises:
        LeaseHeld: somebody else is at work.
        MoveRefused: the wish cannot be fulfilled.
        NotApproved: the switchover waits for an approval; the source is open.
        GivenUp: it could not be; everything was undone.
        LeaseLost: somebody took over; where writes were paused, they take writes again.
    """
    try:
        with hold(journal, str(wish), why, over) as holding:
            ledger = JournalLedger(journal, holding.lease)
            run = Run(
                ledger,
                actions,
                wish,
                budget=budget,
                why=why,
                accept_loss=accept_loss,
                demand=demand,
                tell=tell,
            )
            run.begin()
            outcome = None
            while outcome is None:
                if ready is not None and run.next is Step.CHECK:
                    ready()
                if follow is not None and run.next is Step.RETIRE:
                    try:
                        follow(holding)
                    except Exception as error:
                        if isinstance(error, LeaseLost):
                            raise
                        # Any other is passed over: it is called again, and raises what still stands in its way.
                    ledger.read()  # what it appended
                outcome = run.advance()
            if follow is not None:
                follow(holding)
            return outcome
    except LeaseLost:
        _leave_no_fence(journal, actions, budget, tell)
        raise
    finally:
        actions.close()


def advance(
    journal: Journal,
    actions: Closing,
    wish: Wish,
    *,
    first: bool,
    budget: float,
    why: str = "",
    demand: Demand | None = None,
    left: Callable[[], float] = lambda: math.inf,
) -> Outcome | None:
    """Act once, for a caller who calls until it is finished: one step, or all from the preparation to the open writer.

    No pause is begun that this process may not live to end.

    Args:
        journal: as of `move`.
        actions: as of `move`.
        wish: as of `move`.
        first: whether this is the caller's first call, which begins an attempt afresh.
        budget: as of `move`.
        why: as of `move`.
        demand: as of `move`.
        left: seconds that this process has to live.

    Returns:
        The outcome, or None while there is more to do.

    Raises:
        As of `move`.
    """
    whole = left()
    try:
        with hold(journal, str(wish), why) as holding:
            run = Run(JournalLedger(journal, holding.lease), actions, wish, budget=budget, why=why, demand=demand)
            run.begin(afresh=first)
            if run.next in PAUSE:
                run.begin()  # what was prepared for the pause went with the process that prepared it
            outcome = run.advance()
            while outcome is None and (run.giving_up or run.next in PAUSE):
                if not run.giving_up:
                    _demand_time(left(), whole, budget)
                outcome = run.advance()
            return outcome
    except LeaseLost:
        _leave_no_fence(journal, actions, budget)
        raise
    finally:
        actions.close()


def _demand_time(left: float, whole: float, budget: float) -> None:
    if left >= budget + _SPARE:
        return
    machine = "move the writer from a machine that reaches both databases"
    if whole < budget + _SPARE:
        raise MoveRefused(
            f"a pause of {budget:g} s, and {_SPARE:g} s to end it, never fit into a call, which has {whole:.0f} s: "
            "none was begun",
            f"{machine}; or deploy a cutover.switchover.pause_budget below {whole - _SPARE:.0f} s",
        )
    raise MoveRefused(
        f"to prepare took so long that {left:.0f} s are left of this call, and a pause of {budget:g} s could be "
        "cut off in the middle: none was begun",
        f"paymig compare --in-cloud, and the same command again: there is less to prepare then; or {machine}",
    )


def _leave_no_fence(
    journal: Journal, actions: Closing, budget: float, tell: Callable[[Event], None] = lambda _: None
) -> None:
    """Where somebody took the lease over in the pause and does not end it himself, end it."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        attempt = fold(journal.entries()).attempt
        if attempt is None or attempt.committed or not attempt.under_way:
            return
        try:
            why = "the lease was lost while writes were paused"
            with hold(journal, str(Wish.UNDO), why) as holding:
                ledger = JournalLedger(journal, holding.lease)
                Run(ledger, actions, Wish.UNDO, budget=budget, why=why, tell=tell).finish()
        except (LeaseHeld, LeaseLost):
            time.sleep(0.5)
