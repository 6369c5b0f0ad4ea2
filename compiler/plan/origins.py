"""Causes that lie in another resource: what a change refers to came or went, or a function's version follows it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from compiler.linked import Resource, references
from compiler.plan.change import Action, Change, PropertyChange, together
from compiler.published import NOT_FROZEN

_FUNCTION, _VERSION = "AWS::Lambda::Function", "AWS::Lambda::Version"


def traced(
    found: Mapping[str, Change], old: Mapping[str, Resource], new: Mapping[str, Resource]
) -> Iterator[tuple[str, Change]]:
    """Yield every change by its place, its cause and its properties' causes where they began.

    Args:
        found: the changes, by place.
        old: what there is, by place.
        new: what there shall be, by place.
    """
    known = {**found, **dict(_versions(found, {**old, **new}))}
    for place, change in known.items():
        yield place, replace(change, properties=tuple(_property(one, change.stack, known) for one in change.properties))


def _versions(found: Mapping[str, Change], resources: Mapping[str, Resource]) -> Iterator[tuple[str, Change]]:
    """Give a version that comes or goes the cause for which its function's settings change."""
    for place, change in found.items():
        if change.type != _VERSION:
            continue
        functions = (one for one in references(resources[place].properties) if resources[one].type == _FUNCTION)
        for function in functions:
            changed = found[function].properties if function in found else ()
            causes = [one.cause for one in changed if one.path.partition(".")[0] not in NOT_FROZEN]
            if causes:
                yield place, replace(change, cause=together(*causes))


def _property(one: PropertyChange, stack: str, found: Mapping[str, Change]) -> PropertyChange:
    """Give a value that refers to other resources than before the cause of these."""
    differing = [place for value in (one.new, one.old) for place in _named(one.path, value, stack)]
    differing = [place for place in differing if _comes_or_goes(found.get(place))]
    return one if one.because or not differing else replace(one, cause=found[differing[0]].cause)


def _named(path: str, value: Any, stack: str) -> Iterator[str]:
    """Yield the resources that a property, or `DependsOn`, names."""
    if path.partition(".")[0] == "DependsOn":
        ids = [value] if isinstance(value, str) else value or ()
        yield from (f"{stack}/{logical_id}" if stack else logical_id for logical_id in ids)
    else:
        yield from references(value)


def _comes_or_goes(change: Change | None) -> bool:
    return change is not None and change.action is not Action.CHANGE
