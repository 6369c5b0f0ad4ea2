"""With `strategy: together` the traffic follows the writer at once, both ways."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from paymig.aws import weights
from paymig.aws.weights import Record, Weights
from paymig.cutover.view import MoveView
from paymig.deploy import record_of
from paymig.gates.position import wanted
from paymig.operation import Operation
from runtime_lambdas.runtime.journal.hold import Hold, hold
from runtime_lambdas.runtime.journal.lease import LeaseHeld, LeaseLost
from runtime_lambdas.runtime.waiting import paces
from runtime_lambdas.runtime.writer import Side

STEP = "traffic"
"""What an operator sees this called."""

_SHARES: dict[Side, int] = {"source": 0, "target": 100}
_HOME = Weights.to_new(0)
_PATIENCE = 300.0  # seconds for whoever else turns the traffic: as long as the name servers may take


@dataclass(frozen=True)
class Turn:
    """Where the traffic is, and where it has to be.

    Attributes:
        record: whose weights.
        before: the live weights; None where there is no pair.
        after: the weights that send everybody to the writer.
    """

    record: Record
    before: Weights | None
    after: Weights


def turn_to(at: Operation, side: Side) -> Turn | None:
    """Look at the traffic; None where it does not move with the writer."""
    if at.migration.cutover.strategy != "together":
        return None
    record = record_of(at.migration)
    return Turn(record, weights.look(at.aws, record), Weights.to_new(_SHARES[side]))


def follow(at: Operation, to: Side, holding: Hold, shown: MoveView) -> None:
    """Send the traffic to the writer, and have the journal say so; do what of it is still to be done.

    Args:
        at: whose.
        to: the side that was to become the writer; where it did not, nothing is done.
        holding: the lease.
        shown: where it is shown.

    Raises:
        LeaseLost: somebody else took over. The traffic is at the writer: where that was `to` no more, this took it
            there.
        Refused: there is no weighted pair.
        AwsError: the name servers did not take the change.
    """
    began = time.monotonic()
    try:
        turn = _left(at, to)
        if turn is None:
            return
        # Of the traffic alone: what the writer's own verbs mean in the journal is told by their steps.
        holding = replace(holding, verb="shift")
        if turn.before == turn.after:  # whoever moved it did not live to record it
            holding.note("find the traffic there", live=str(turn.after))
            return
        with holding.step("move the traffic", before=str(turn.before), after=str(turn.after)) as there:
            _tell(at, "begins")
            shown.begins(STEP)
            weights.write(at.aws, turn.record, turn.after)
            _yield_to_taker(at, to, holding, turn)
            there["live"] = str(turn.after)
    except Exception:
        _tell(at, "failed")
        shown.ended(STEP, "failed", time.monotonic() - began)
        raise
    _tell(at, "done")
    shown.ended(STEP, "done", time.monotonic() - began)


def follow_later(at: Operation, to: Side, why: str) -> None:
    """Do as `follow` does, after a move that was made elsewhere, under a lease of its own.

    Somebody else who watched the same move may be turning the traffic already: that is waited for.

    Args:
        at: whose.
        to: as of `follow`. The lease is taken from a living holder where this is the source, as a rollback does.
        why: the operator's words.

    Raises:
        LeaseHeld: somebody else is at work, and did not turn it.
        LeaseLost, Refused, AwsError: as of `follow`.
    """
    refused: LeaseHeld | LeaseLost | None = None
    for _ in paces(_PATIENCE):
        if _left(at, to) is None:
            return
        over = to == "source" and refused is None
        try:
            with hold(at.journal, "shift", why, over) as holding, MoveView(at.console, math.inf) as shown:
                follow(at, to, holding, shown)
                return
        except (LeaseHeld, LeaseLost) as error:
            if at.journal.writer().side != to:
                raise
            if refused is None:
                at.console.say(f"Somebody else is at work, perhaps turning the traffic: {error.message}")
            refused = error
    if refused is not None:
        raise refused


def _left(at: Operation, to: Side) -> Turn | None:
    """Return the turn that is not made yet, or not in the journal."""
    # First of all: where the writer is elsewhere, nothing may hang on the name servers.
    if at.journal.writer().side != to:
        return None
    turn = turn_to(at, to)
    if turn is None:
        return None
    made = turn.before == turn.after and (wanted(at.journal.entries()) or str(_HOME)) == str(turn.after)
    return None if made else turn


def _yield_to_taker(at: Operation, to: Side, holding: Hold, turn: Turn) -> None:
    """Where somebody took the lease over just before the turn, and has moved the writer away, undo the turn.

    He may have looked at the traffic before it was turned. Where the writer is `to` still, the turn is right whoever
    made it, and a move of the writer that he begins looks at the traffic when it has opened the other side.
    """
    try:
        holding.check()
    except LeaseLost:
        if (writer := at.journal.writer().side) != to:
            weights.write(at.aws, turn.record, Weights.to_new(_SHARES[writer]), instead_of=turn.after)
        raise


def _tell(at: Operation, what: str) -> None:
    at.console.event({"event": "step", "step": STEP, "what": what, "pause": None})
