"""`cutover`: the steps, the gates and the ways back."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.sections.base import Section, optional, required, subsection
from schemas.sections.scalars import Duration, Percentage

Approval = Literal["none", "required", "second-person"]
"""`required`: somebody approves; `second-person`: somebody other than the one who runs the step."""


class Step(Section):
    """A share of the traffic, and how long it is watched there."""

    to: Percentage = required("The share of traffic on AWS.", "10%")
    bake: Duration = required("How long every gate must stay green before the next step.", "1h")
    approval: Approval = optional("none", "Whether somebody must approve before the step.")


class Gates(Section):
    """What must hold before a step and during its bake. A missing value never passes."""

    replication_lag: Duration = optional("5s", "The target may be this far behind.")
    validation_age: Duration = optional("15m", "The last equal comparison may be this old.")
    alarms: Literal["none", "any"] = optional(
        "none", "`none`: no alarm may be firing. `any`: alarms are not looked at."
    )
    error_rate: Percentage = optional("0.5%", "This share of requests may fail.")
    minimum_requests: int = optional(500, "Fewer requests than this prove nothing.", ge=0)


class Switchover(Section):
    """Moving the writer."""

    pause_budget: Duration = optional("10s", "Writes may pause this long; past it the source is opened again.")
    sequence_gap: int = optional(10_000, "How far sequences jump ahead on the target.", ge=1)
    approval: Approval = optional("required", "Whether somebody must approve the switchover.")


class Rollback(Section):
    """Going back."""

    automatic: bool = optional(True, "Whether the rollback alarm sets the weights back by itself.")
    window: Duration = optional("72h", "How long after the switchover the lossless way back is kept open.")


_DEFAULT_STEPS = [
    {"to": "1%", "bake": "30m"},
    {"to": "10%", "bake": "1h"},
    {"to": "50%", "bake": "2h"},
    {"to": "100%", "bake": "24h", "approval": "required"},
]


class Cutover(Section):
    """The road from the source to the target."""

    strategy: Literal["compute-first", "together"] = optional(
        "compute-first",
        "`compute-first`: the new API takes the traffic while the source stays the writer, then the writer moves. "
        "`together`: both in one fenced step, for sites where AWS cannot reach the source for writes.",
    )
    steps: Annotated[list[Step], Field(min_length=1)] = optional(_DEFAULT_STEPS, "The traffic steps, rising to 100%.")
    gates: Gates = subsection("What must hold before a step and during its bake.")
    switchover: Switchover = subsection("Moving the writer.")
    rollback: Rollback = subsection("Going back.")

    @property
    def writer_approval(self) -> Literal["none", "required", "second-person"]:
        """Who has to approve the move of the writer; with `strategy: together` the traffic's step goes with it."""
        asked = {self.switchover.approval}
        if self.strategy == "together":
            asked.update(step.approval for step in self.steps)
        return "second-person" if "second-person" in asked else "required" if "required" in asked else "none"
