"""What a run needs of the world: the acts on the databases, and somebody to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from runtime_lambdas.runtime.refused import Refused
from runtime_lambdas.runtime.writer import Side

from .history import Attempt
from .pause import Pause
from .phases import Step, Way

Evidence = Mapping[str, Any]
"""What was found or reached; values are JSON's."""


class MoveRefused(Refused):
    """The wish cannot be fulfilled; nothing was done."""


class NotReady(Refused):
    """Something does not hold that a move needs."""


class Superseded(Refused):
    """A database refused an act, because another operator has taken over since."""


class GivenUp(Refused):
    """The move was given up before the point of no return, and everything of it undone.

    Attributes:
        writer: the side that takes writes again.
        pause: seconds for which writes were paused.
    """

    def __init__(self, cause: BaseException, writer: Side, pause: float) -> None:
        super().__init__(
            f"the writer did not move, and the {writer} takes writes again after a pause of {pause:.2f} s: "
            f"{getattr(cause, 'message', None) or str(cause).strip() or type(cause).__name__}",
            getattr(cause, "hint", None),
        )
        self.writer = writer
        self.pause = pause


@dataclass(frozen=True)
class Event:
    """What an operator sees of a step.

    Attributes:
        seconds: what it took; 0 when it begins.
        pause: how long writes have been paused; None when they are not.
    """

    way: Way | None
    step: Step
    what: Literal["begins", "done", "failed", "undone"]
    seconds: float = 0.0
    pause: float | None = None
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        writer: the side that takes writes.
        epoch: how often the writer has changed.
        pause: seconds for which this run paused writes; None when it did not.
    """

    writer: Side
    epoch: int
    pause: float | None


class Actions(Protocol):
    """What is done to the databases. Each act may be repeated, in part or whole, and ends in the same state."""

    def claim(self, token: int) -> None:
        """Shut out whoever works under an older token: an act of his that is still on its way will be refused."""
        ...

    def do(self, way: Way, step: Step, attempt: Attempt | None, pause: Pause | None) -> Evidence:
        """Do a step, within what is left of the pause."""
        ...

    def undo(self, way: Way, step: Step) -> Evidence:
        """Take a step back, whether it was done, begun, or not even that."""
        ...
