"""What whoever rehearses may choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.migration import Step


@dataclass(frozen=True)
class Options:
    """The size and the speed of a rehearsal.

    Attributes:
        rate: requests a second that clients plan, on average.
        rows: payments that stand in the source before the load begins.
        duration: seconds that the longest bake lasts here.
        speed: how many times shorter than in the spec a bake and the record's TTL are.
        seed: of everything that is left to chance.
    """

    rate: float = 50.0
    rows: int = 20_000
    duration: float = 6.0
    speed: float = 600.0
    seed: int = 1

    def bake(self, wanted: float) -> float:
        """Return how long a bake of so many seconds lasts here."""
        return min(max(wanted / self.speed, 1.0), self.duration)

    def speed_at(self, steps: Sequence[Step], share: float) -> float:
        """Return how many times faster time passes while a share bakes: as for the slowest bake up to this one."""
        wanted = [step.bake.total_seconds() for step in steps if float(step.to) <= share]
        return max([1.0, *(bake / self.bake(bake) for bake in wanted)])

    def ttl(self, wanted: float) -> float:
        """Return how long clients keep an answer here; a resolver asks four times a second at most."""
        return min(max(wanted / self.speed, 0.5), self.duration)
