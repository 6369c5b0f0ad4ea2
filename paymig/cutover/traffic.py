"""With `strategy: together` the traffic follows the writer at once, both ways."""

from __future__ import annotations

from dataclasses import dataclass, replace

from paymig.aws import weights
from paymig.aws.weights import Record, Weights
from paymig.deploy import record_of
from paymig.gates.position import wanted
from paymig.operation import Operation
from paymig.traffic.move import yield_to_rollback
from runtime_lambdas.runtime.journal.hold import Hold, hold
from runtime_lambdas.runtime.writer import Side

_SHARES: dict[Side, int] = {"source": 0, "target": 100}


_HOME = Weights.to_new(0)


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


def follow(at: Operation, to: Side, holding: Hold) -> None:
    """Send the traffic to the writer, and have the journal say so; do what of it is still to be done.

    Args:
        at: whose.
        to: the side that was to become the writer; where it did not, nothing is done.
        holding: the lease.

    Raises:
        LeaseLost: somebody else took over; the traffic is his to move.
        Refused: there is no weighted pair.
        AwsError: the name servers did not take the change.
    """
    turn = _left(at, to)
    if turn is None:
        return
    # Of the traffic alone: what the writer's own verbs mean in the journal is told by their steps.
    holding = replace(holding, verb="shift")
    if turn.before == turn.after:  # whoever moved it did not live to record it
        holding.note("find the traffic there", live=str(turn.after))
        return
    with holding.step("move the traffic", before=str(turn.before), after=str(turn.after)) as there:
        weights.write(at.aws, turn.record, turn.after)
        if turn.before is not None:
            yield_to_rollback(at.aws, turn.record, holding, turn.before, turn.after)
        there["live"] = str(turn.after)


def follow_later(at: Operation, to: Side, why: str) -> None:
    """Do as `follow` does, after a move that was made elsewhere, under a lease of its own.

    Args:
        at: whose.
        to: as of `follow`. The lease is taken from a living holder where this is the source, as a rollback does.
        why: the operator's words.

    Raises:
        LeaseHeld: somebody else is at work.
        Refused, AwsError: as of `follow`.
    """
    if _left(at, to) is not None:
        with hold(at.journal, "shift", why, over=to == "source") as holding:
            follow(at, to, holding)


def _left(at: Operation, to: Side) -> Turn | None:
    """Return the turn that is not made yet, or not in the journal."""
    turn = turn_to(at, to)
    if turn is None or at.journal.writer().side != to:
        return None
    made = turn.before == turn.after and (wanted(at.journal.entries()) or str(_HOME)) == str(turn.after)
    return None if made else turn
