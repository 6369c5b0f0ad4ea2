"""What a shift of the traffic would do, and what going back would cost."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from paymig import approvals
from paymig.aws.weights import Weights
from paymig.deploy import record_of
from paymig.gates.position import bake_of
from schemas.migration import Migration
from schemas.units import format_duration


@dataclass(frozen=True)
class ShiftPlan:
    """A shift that nobody has asked for yet.

    Attributes:
        bake: how long the share is watched; none on the way down.
        steps: what would be done, in this order.
        going_back: what it would cost, afterwards.
    """

    record: str
    before: Weights
    after: Weights
    bake: timedelta | None
    steps: Sequence[str]
    going_back: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON's types."""
        return {**asdict(self), "bake": self.bake.total_seconds() if self.bake else 0}

    def __str__(self) -> str:
        numbered = [f"{number}. {step}" for number, step in enumerate(self.steps, 1)]
        return "\n".join([*numbered, "going back:", *(f"- {cost}" for cost in self.going_back)])


def plan_of(migration: Migration, before: Weights, share: int) -> ShiftPlan:
    """Tell what giving AWS `share` percent of the traffic would do."""
    record, after, up = record_of(migration).name, Weights.to_new(share), share > before.share
    bake = bake_of(migration, share) if up else None
    rule = approvals.rule_of(migration, approvals.step_of(share)) if up else "none"
    steps = [
        f"move {record} from {before.share:g} % to {share} % on AWS: both weights in one batch "
        f"({before} becomes {after}), waited for until every name server has them, and read back",
        f"watch every gate for {format_duration(bake)}, and go back to {before.share:g} % by itself if one fails"
        if bake
        else "no bake",
    ]
    if rule != "none":
        who = "somebody else" if rule == "second-person" else "somebody"
        steps.insert(0, f"make sure that {who} has approved it: paymig approve --step {share}%")
    going_back = [
        "nothing is lost: the source stays the only database that takes writes",
        f"one batch of two weights, about a minute until every name server has it; resolvers keep the answer for "
        f"{format_duration(migration.routing.ttl)}, and some for longer: until then "
        f"{abs(share - before.share):g} % of the traffic goes where it went",
    ]
    return ShiftPlan(record, before, after, bake, steps, going_back)
