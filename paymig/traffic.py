"""Moving traffic between the old and the new side."""

import time
from dataclasses import asdict, dataclass

from paymig.aws import weights
from paymig.aws.session import Aws
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import record_of
from paymig.errors import Refused
from schemas.migration import Migration


@dataclass(frozen=True)
class Move:
    """How a shift ended.

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


def move(aws: Aws, migration: Migration, share: int, console: Console, yes: bool) -> Move:
    """Give AWS `share` percent of the traffic.

    Raises:
        Refused: the weighted pair does not exist, or is in a shape that paymig does not make.
        NotConfirmed: the operator declined.
        AwsError: the name servers did not take the change.
    """
    record = record_of(migration)
    before = weights.read(aws, record)
    if before is None:
        raise Refused(f"{record.name} has no weighted pair in zone {record.hosted_zone}", "paymig deploy makes it")
    after = Weights.to_new(share)
    started = time.monotonic()
    if before != after:
        console.confirm(f"Move {record.name} from {before.share:g} % to {share} % on AWS?", yes)
        started = time.monotonic()
        weights.write(aws, record, after)
    return Move(record.name, before, after, time.monotonic() - started)
