"""What a move needs to know of the spec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runtime_lambdas.runtime.comparison import Cut, Invariant


@dataclass(frozen=True)
class Settings:
    """A migration's own values.

    Attributes:
        migration: its full name.
        include: patterns of the tables that move.
        exclude: patterns of those that do not.
        sequence_gap: how many numbers of a sequence are left out on the new writer.
        pause_budget: seconds that writes may be paused.
        lag: seconds that the other side may be behind before a move begins.
        invariants: what must hold on both sides at the fence.
        since: reads the cut of the latest comparison that found both sides equal; without one everything is compared
            before the pause.
    """

    migration: str
    include: Sequence[str]
    exclude: Sequence[str] = ()
    sequence_gap: int = 10_000
    pause_budget: float = 10.0
    lag: float = 5.0
    invariants: Sequence[Invariant] = ()
    since: Callable[[], Cut | None] = lambda: None
