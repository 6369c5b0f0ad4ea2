"""The pause of writes: its clock and its budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]
"""Seconds from any fixed point, as `time.monotonic`."""


class PauseSpent(RuntimeError):
    """The pause has lasted as long as it may: it must end where the writer was."""


@dataclass(frozen=True)
class Pause:
    """A pause that has begun.

    Attributes:
        began: by `clock`.
        budget: seconds that it may last at most, before the point of no return.
    """

    began: float
    budget: float
    clock: Clock = time.monotonic

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return self.clock() - self.began

    @property
    def left(self) -> float:
        """Seconds that are left of the budget; 0 when there are none."""
        return max(0.0, self.budget - self.seconds)

    def check(self, before: str) -> None:
        """Make sure that there is time left.

        Raises:
            PauseSpent: There is none; `before` says for what.
        """
        if not self.left:
            raise PauseSpent(
                f"writes have been paused for {self.seconds:.2f} s, the budget is {self.budget:g} s, and what comes "
                f"next is: {before}"
            )
