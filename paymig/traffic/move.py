"""How a move of the traffic ends."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from paymig.aws import weights
from paymig.aws.session import Aws
from paymig.aws.weights import Record, Weights
from paymig.console import Console
from paymig.errors import PaymigError
from paymig.gates.gate import Gate
from runtime_lambdas.runtime.journal.hold import Hold
from runtime_lambdas.runtime.journal.lease import LeaseLost


@dataclass(frozen=True)
class Move:
    """How a move of the traffic ended.

    Attributes:
        seconds: from the change to the name servers' agreement and the read-back.
        baked: whether the share has baked for as long as the spec says, with every gate passed at the end.
    """

    record: str
    before: Weights
    after: Weights
    seconds: float
    baked: bool = False

    def show(self, console: Console) -> None:
        """Print the result."""
        console.result(
            asdict(self),
            f"{self.record}: {self.after.new} % of the traffic goes to AWS, {self.after.old} % to the source "
            f"(was {self.before}; {self.seconds:.1f} s){', baked' if self.baked else ''}",
        )


class WentBack(PaymigError):
    """A gate failed during the bake, and the traffic went back to where it was.

    Attributes:
        move: the way back.
    """

    exit_code = 8

    def __init__(self, move: Move, gates: Sequence[Gate]) -> None:
        super().__init__(
            f"{in_words(gates)}: {move.record} went back from {move.before.share:g} % to {move.after.share:g} % on AWS",
            "paymig status shows what is wrong; mend it, then shift again",
        )
        self.move = move


def in_words(gates: Sequence[Gate]) -> str:
    """Name gates, what they found and what they ask for."""
    return ", ".join(f"{gate.name} is {gate.value}, must be {gate.limit}" for gate in gates)


def yield_to_rollback(aws: Aws, record: Record, holding: Hold, before: Weights, after: Weights) -> None:
    """Undo a move when somebody took the lease over just before it.

    A rollback that found the traffic at the source had nothing to change, so nothing else would tell this move from one
    that came later.

    Raises:
        LeaseLost: somebody did; the weights are what they were before.
    """
    try:
        holding.check()
    except LeaseLost:
        weights.write(aws, record, before, instead_of=after)
        raise
