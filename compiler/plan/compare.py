"""The plan: what differs between two linked migrations, what each difference does, and where in the spec it is from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from compiler.linked import Resource, references
from compiler.plan.differences import Path, differences, leaves
from compiler.plan.replacements import Effect, effect_of

_TYPE = "Type"


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
    """

    file: str
    path: str
    line: int
    column: int


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


def compare(old: Mapping[str, Resource], new: Mapping[str, Resource], locate: Locate, locate_removed: Locate) -> Plan:
    """Compare two linked migrations.

    Args:
        old: what there is, as `compiler.linked.link` gives it.
        new: what there shall be.
        locate: finds causes in the new spec.
        locate_removed: finds causes of what the new spec has no more.
    """
    found: dict[str, Change] = {}
    for place, resource in new.items():
        if place not in old:
            found[place] = _change(Action.ADD, resource, locate(resource, ""))
        elif properties := tuple(_properties(old[place], resource, locate)):
            found[place] = _change(Action.CHANGE, resource, locate(resource, ""), properties)
    for place, resource in old.items():
        if place not in new:
            found[place] = _change(Action.REMOVE, resource, locate_removed(resource, ""))
    _follow(found, {place: resource for place, resource in new.items() if place in old}, locate)
    return Plan(tuple(found[place] for place in sorted(found)))


def _change(action: Action, resource: Resource, cause: Cause, properties: tuple[PropertyChange, ...] = ()) -> Change:
    retained = action is Action.REMOVE and str(resource.attributes.get("DeletionPolicy", "")).startswith("Retain")
    return Change(action, resource.stack, resource.logical_id, resource.type, cause, properties, retained)


def _properties(old: Resource, new: Resource, locate: Locate) -> Iterator[PropertyChange]:
    if old.type != new.type:
        yield PropertyChange(_TYPE, old.type, new.type, Effect.REPLACEMENT, locate(new, ""))
        return
    for path, before, after in differences(old.properties, new.properties):
        dotted = ".".join(path)
        yield PropertyChange(dotted, before, after, effect_of(new.type, path), locate(new, dotted))
    for path, before, after in differences(old.attributes, new.attributes):
        yield PropertyChange(".".join(path), before, after, Effect.IN_PLACE, locate(new, ""))


def _follow(found: dict[str, Change], kept: Mapping[str, Resource], locate: Locate) -> None:
    """Carry replacements on: a value that refers to a replaced resource changes, and may replace its own resource."""
    users = _users(kept)
    waiting = [place for place, change in found.items() if place in kept and change.effect > Effect.IN_PLACE]
    while waiting:
        source = waiting.pop(0)
        for place, path, value in users.get(source, ()):
            resource, before = kept[place], found.get(place)
            effect = min(effect_of(resource.type, path), found[source].effect)
            dotted = ".".join(path)
            if before is not None and any(_covers(known, dotted, effect) for known in before.properties):
                continue
            change = PropertyChange(dotted, value, value, effect, _reason(found[source]), source)
            if before is None:
                before = _change(Action.CHANGE, resource, locate(resource, ""))
            rest = tuple(known for known in before.properties if known.path != dotted)
            found[place] = replace(before, properties=(*rest, change))
            if found[place].effect > before.effect:
                waiting.append(place)


def _reason(replaced: Change) -> Cause:
    """Return the cause of a replacement: that of the property which forces it."""
    return next(known.cause for known in replaced.properties if known.effect == replaced.effect)


def _covers(known: PropertyChange, path: str, effect: Effect) -> bool:
    return (path == known.path or path.startswith(f"{known.path}.")) and known.effect >= effect


def _users(resources: Mapping[str, Resource]) -> Mapping[str, list[tuple[str, Path, Any]]]:
    """Return for each resource where it is referred to: place, property path and value."""
    users: dict[str, list[tuple[str, Path, Any]]] = {}
    for place, resource in resources.items():
        for path, value in leaves(resource.properties):
            for source in dict.fromkeys(references(value)):
                users.setdefault(source, []).append((place, path, value))
    return users
