"""Which properties cannot change while a resource lives: CloudFormation replaces it instead.

The table is read off the provider schemas, for the services that the templates use: `python -m
compiler.plan.provider_schemas` writes it.
"""

import json
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cache
from importlib.resources import files

from compiler.plan.differences import Path

FILE = "replacements.json"


class Effect(IntEnum):
    """What a change does to its resource, the worst last."""

    IN_PLACE = 0
    POSSIBLE_REPLACEMENT = 1
    REPLACEMENT = 2

    @property
    def words(self) -> str:
        """The effect as text: `possible replacement`."""
        return "in-place" if self is Effect.IN_PLACE else self.name.lower().replace("_", " ")


@cache
def table() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return for each resource type its create-only properties, `always` and `maybe`, as slash-separated paths."""
    return json.loads(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def effect_of(type_: str, path: Path) -> Effect:
    """Return what a change of a property does.

    Args:
        type_: the resource's type; one that the table lacks may be replaced by any change.
        path: the property, below the resource's `Properties`.
    """
    known = table().get(type_)
    if known is None:
        return Effect.IN_PLACE if type_.startswith("Custom::") else Effect.POSSIBLE_REPLACEMENT
    if any(_touches(path, pattern) for pattern in known.get("always", ())):
        return Effect.REPLACEMENT
    if any(_touches(path, pattern) for pattern in known.get("maybe", ())):
        return Effect.POSSIBLE_REPLACEMENT
    return Effect.IN_PLACE


def _touches(path: Path, pattern: str) -> bool:
    """Whether one lies at or below the other: both an ancestor and a part of such a property touch it."""
    return all(want in ("*", have) for have, want in zip(path, pattern.split("/"), strict=False))
