"""What a plan is made of: the changes of resources and of their properties, each with its cause in the spec."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from compiler.linked import Resource
from compiler.plan.replacements import Effect


class Action(StrEnum):
    """What happens to a resource."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True)
class Cause:
    """The part of a spec that a change comes from.

    Attributes:
        path: dotted; empty is the spec as a whole.
        line: from 1, like `column`.
        others: the other parts, where the value is made of several; which of them changed, the templates do not tell.
    """

    file: str
    path: str
    line: int
    column: int
    others: tuple["Cause", ...] = ()


def together(*causes: Cause) -> Cause:
    """Make one cause of one or more, each part of the spec in it once."""
    parts = {part.path: part for cause in reversed(causes) for part in (*cause.others, replace(cause, others=()))}
    first = replace(causes[0], others=())
    return replace(first, others=tuple(part for path, part in parts.items() if path != first.path))


Locate = Callable[[Resource, str], Cause]
"""From a resource and a dotted property, empty for the resource itself, to its cause."""


@dataclass(frozen=True)
class PropertyChange:
    """One property that changes.

    Attributes:
        path: dotted, below `Properties`; an attribute such as `DeletionPolicy` by its own name.
        old: the canonical value before, None where there was none; `new` is the one after.
        because: the resource whose replacement changes this value, though it reads the same; None for a change of
            the template itself.
    """

    path: str
    old: Any
    new: Any
    effect: Effect
    cause: Cause
    because: str | None = None


@dataclass(frozen=True)
class Change:
    """One resource that changes.

    Attributes:
        stack: logical id of the nested stack; empty for the root.
        effect: the worst of the properties'.
        retained: whether a removed resource outlives the stack, by its deletion policy.
    """

    action: Action
    stack: str
    logical_id: str
    type: str
    cause: Cause
    properties: tuple[PropertyChange, ...] = ()
    retained: bool = False

    @property
    def place(self) -> str:
        """Stack and logical id: `Database/Cluster`."""
        return f"{self.stack}/{self.logical_id}" if self.stack else self.logical_id

    @property
    def effect(self) -> Effect:
        """The worst effect among its properties."""
        return max((found.effect for found in self.properties), default=Effect.IN_PLACE)


@dataclass(frozen=True)
class Plan:
    """Everything that would change, by place."""

    changes: tuple[Change, ...]

    def count(self, action: Action, effect: Effect | None = None) -> int:
        """Count the changes of an action, of one effect or of any."""
        return sum(change.action is action and effect in (None, change.effect) for change in self.changes)
