"""The plan: what differs between two linked migrations, what each difference does, and where in the spec it is from."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from compiler.linked import Resource, references
from compiler.plan.change import Action, Cause, Change, Locate, Plan, PropertyChange, together
from compiler.plan.differences import Path, differences, leaves
from compiler.plan.origins import traced
from compiler.plan.replacements import Effect, effect_of

_TYPE = "Type"


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
        elif properties := tuple(_properties(old[place], resource, locate, locate_removed)):
            found[place] = _change(Action.CHANGE, resource, locate(resource, ""), properties)
    for place, resource in old.items():
        if place not in new:
            found[place] = _change(Action.REMOVE, resource, locate_removed(resource, ""))
    _follow(found, {place: resource for place, resource in new.items() if place in old}, locate)
    found = dict(traced(found, old, new))
    return Plan(tuple(found[place] for place in sorted(found)))


def _change(action: Action, resource: Resource, cause: Cause, properties: tuple[PropertyChange, ...] = ()) -> Change:
    retained = action is Action.REMOVE and str(resource.attributes.get("DeletionPolicy", "")).startswith("Retain")
    return Change(action, resource.stack, resource.logical_id, resource.type, cause, properties, retained)


def _properties(old: Resource, new: Resource, locate: Locate, locate_old: Locate) -> Iterator[PropertyChange]:
    if old.type != new.type:
        yield PropertyChange(_TYPE, old.type, new.type, Effect.REPLACEMENT, locate(new, ""))
        return
    for path, before, after in differences(old.properties, new.properties):
        dotted = ".".join(path)
        # What set the value before, such as a patch that is no more, is a cause, too.
        cause = together(locate(new, dotted), locate_old(old, dotted))
        yield PropertyChange(dotted, before, after, effect_of(new.type, path), cause)
    for path, before, after in differences(old.attributes, new.attributes):
        yield PropertyChange(".".join(path), before, after, Effect.IN_PLACE, locate(new, path[0]))


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
