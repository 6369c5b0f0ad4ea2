"""Moving traffic between the old and the new side, step by step."""

import time
from dataclasses import asdict, dataclass

from paymig.aws import change_set, stack, weights
from paymig.aws.session import Aws
from paymig.aws.weights import Record, Weights
from paymig.console import Console
from paymig.deploy import record_of
from paymig.errors import Refused
from paymig.journal.opening import open_journal
from runtime_lambdas.runtime.journal.hold import Hold, hold
from runtime_lambdas.runtime.journal.lease import LeaseLost
from schemas.migration import Migration


@dataclass(frozen=True)
class Move:
    """How a move of the traffic ended.

    Attributes:
        seconds: from the change to the name servers' agreement and the read-back.
    """

    record: str
    before: Weights
    after: Weights
    seconds: float

    def show(self, console: Console) -> None:
        """Print the result."""
        console.result(
            asdict(self),
            f"{self.record}: {self.after.new} % of the traffic goes to AWS, {self.after.old} % to the source "
            f"(was {self.before}; {self.seconds:.1f} s)",
        )


def shift(
    aws: Aws, migration: Migration, share: int, console: Console, yes: bool, why: str = "", force_step: bool = False
) -> Move:
    """Give AWS `share` percent of the traffic, under the lease.

    Args:
        aws: where.
        migration: whose traffic.
        share: in percent.
        console: where progress goes.
        yes: do not ask.
        why: the operator's words, for the journal.
        force_step: take a share that is none of the spec's steps.

    Raises:
        Refused: the share is no step, the lease is another's, a stack is changing, the weighted pair does not exist or
            is in a shape that paymig does not make, or the writer has moved.
        NotConfirmed: the operator declined.
        AwsError: the name servers did not take the change.
    """
    refuse_unplanned(migration, share, force_step)
    record = record_of(migration)
    journal = open_journal(aws, migration.full_name)
    with hold(journal, "shift", why) as holding:
        refuse_moved_writer(journal.writer().side)
        root = stack.describe(aws, migration.full_name)
        if root is not None and root.busy:
            raise Refused(
                f"stack {root.name} is {root.status}, and may touch the record itself",
                "paymig deploy follows it to its end; in an emergency, paymig rollback does not wait",
            )
        before = weights.read(aws, record)
        if before is None:
            raise Refused(f"{record.name} has no weighted pair in zone {record.hosted_zone}", "paymig deploy makes it")
        after = Weights.to_new(share)
        if before == after:
            return Move(record.name, before, after, 0.0)
        console.confirm(f"Move {record.name} from {before.share:g} % to {share} % on AWS?", yes)
        for _ in change_set.clean(aws, root):
            console.say("Discarded a change set that was left for review: it holds the weights of now")
        started = time.monotonic()
        with holding.step("move the traffic", before=str(before), after=str(after)) as reached:
            weights.write(aws, record, after, instead_of=before)
            _yield_to_rollback(aws, record, holding, before, after)
            seconds = time.monotonic() - started
            reached |= {"live": str(after), "seconds": round(seconds, 3)}
    return Move(record.name, before, after, seconds)


def _yield_to_rollback(aws: Aws, record: Record, holding: Hold, before: Weights, after: Weights) -> None:
    """Undo the move when somebody took the lease over just before it.

    A rollback that found the traffic at the source had nothing to change, so nothing else would tell this move from one
    that came later.
    """
    try:
        holding.check()
    except LeaseLost:
        weights.write(aws, record, before, instead_of=after)
        raise


def refuse_unplanned(migration: Migration, share: int, force: bool) -> None:
    """Refuse a share that the spec does not name; none at all is always a step.

    Raises:
        Refused: it is not one of the spec's.
    """
    steps = [step.to for step in migration.cutover.steps]
    if share and share not in steps and not force:
        raise Refused(
            f"{share} % is no step of this spec; its steps are {', '.join(f'{step:g} %' for step in steps)}",
            "add the step to cutover.steps, or repeat the command with --force-step",
        )


def refuse_moved_writer(writer: str) -> None:
    """Refuse to move traffic by weights once the target is the writer.

    Raises:
        Refused: the source is fenced, so whoever is sent there cannot pay.
    """
    if writer != "source":
        raise Refused(
            "the target is the writer: the old API would write to a fenced database, so weights alone must not move",
            "the writer has to be switched back first, and the traffic with it",
        )
