"""All traffic back to the source, while the source is still the writer: at once, whatever else is going on."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from paymig.aws import weights
from paymig.aws.session import Aws
from paymig.aws.weights import Record, Weights
from paymig.console import Console
from paymig.deploy import record_of
from paymig.errors import AwsError, Refused
from paymig.failures import from_botocore
from paymig.journal.opening import open_journal
from paymig.traffic.move import Move
from paymig.traffic.refusals import refuse_moved_writer
from runtime_lambdas.rollback.keep import keep
from runtime_lambdas.runtime.journal.hold import Hold, hold
from schemas.migration import Migration

_HOME = Weights.to_new(0)
_NO_ANSWER = (BotoCoreError, ClientError)


def roll_back(
    aws: Aws, migration: Migration, console: Console, yes: bool, why: str = "", without_journal: bool = False
) -> Move:
    """Send all traffic back to the source, in one batch.

    The lease is taken over from whoever holds it; that command's next step is refused. CloudFormation is asked for
    nothing until the traffic is back, and then only to make sure that no deploy moves it again.

    Args:
        aws: where.
        migration: whose traffic.
        console: where progress goes.
        yes: do not ask.
        why: the operator's words, for the journal.
        without_journal: the operator vouches that the source is the writer, because the journal cannot be read.

    Raises:
        Refused: the weighted pair does not exist, or the writer has moved.
        NotConfirmed: the operator declined.
        AwsError: the journal cannot be read, or the name servers did not take the change.
    """
    record = record_of(migration)
    if without_journal:
        before = _present(aws, record)
        console.confirm(_question(record, before), yes)
        move = _move(aws, record, before)
        _keep(aws, migration.full_name, record, console)
        return move
    try:
        journal = open_journal(aws, migration.full_name)
        refuse_moved_writer(journal.writer().side)
    except _NO_ANSWER as error:
        raise _unreadable(error) from error
    before = _present(aws, record)
    console.confirm(_question(record, before), yes)
    with ExitStack() as held_until_the_end:
        try:
            holding = held_until_the_end.enter_context(hold(journal, "rollback", why, over=True))
        except _NO_ANSWER as error:
            raise _unreadable(error) from error
        if holding.former is not None:
            console.say(f"Took the lease over from {holding.former}: that command's next step is refused")
        try:
            refuse_moved_writer(journal.writer().side)  # somebody may have moved it while the operator thought
        except _NO_ANSWER as error:
            raise _unreadable(error) from error
        move = _recorded(aws, record, before, holding)
        console.say(f"{record.name}: all traffic goes to the source")
        _keep(aws, migration.full_name, record, console)
    return move


def _question(record: Record, before: Weights) -> str:
    return f"Send all traffic of {record.name} back to the source (now: {before})?"


def _present(aws: Aws, record: Record) -> Weights:
    before = weights.look(aws, record)
    if before is None:
        raise Refused(
            f"{record.name} has no weighted pair in zone {record.hosted_zone}: there is no traffic to send back",
            "paymig deploy makes it",
        )
    return before


def _recorded(aws: Aws, record: Record, before: Weights, holding: Hold) -> Move:
    with holding.step("send the traffic back", before=str(before), after=str(_HOME)) as reached:
        move = _move(aws, record, before)
        reached |= {"live": str(_HOME), "seconds": round(move.seconds, 3)}
    return move


def _move(aws: Aws, record: Record, before: Weights) -> Move:
    started = time.monotonic()
    if before != _HOME:
        weights.write(aws, record, _HOME)
    return Move(record.name, before, _HOME, time.monotonic() - started)


@dataclass(frozen=True)
class _Traffic:
    """The pair, as `keep` looks at it."""

    aws: Aws
    record: Record

    def is_home(self) -> bool:
        """Whether all traffic goes to the source, or there is no pair any more."""
        return weights.look(self.aws, self.record) in (None, _HOME)

    def send_home(self) -> None:
        """Send all traffic to the source."""
        weights.write(self.aws, self.record, _HOME)


def _keep(aws: Aws, name: str, record: Record, console: Console) -> None:
    """Make sure that no deploy moves the traffic again, which read the weights before it went back."""
    try:
        keep(aws.client("cloudformation"), name, _Traffic(aws, record), console.say, lambda: None)
    except _NO_ANSWER as error:
        worded = from_botocore(error)
        console.say(
            "The traffic is back, but whether a deploy is under way that may move it again could not be seen: "
            f"{worded.message if worded else error}. Look at it with: paymig status"
        )


def _unreadable(error: Exception) -> AwsError:
    worded = from_botocore(error) or AwsError(str(error))
    hint = f"{worded.hint}. " if worded.hint else ""
    return AwsError(
        f"the journal does not answer, so nothing proves that the source is the writer: {worded.message}",
        f"{hint}If you know that the writer never moved: paymig rollback --without-journal",
    )
