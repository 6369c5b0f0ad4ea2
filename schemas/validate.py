"""Validation by the frozen models: neither pydantic nor a model is imported."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import SchemaValidator

from schemas import migration, units
from schemas.record import Record

R = TypeVar("R", bound=Record)

CORE = Path(__file__).with_name("migration.core.json")
"""pydantic's core schema of the models, with names where it holds functions and classes."""

PARSE, RECORD = "$parse", "$record"
"""The keys of such a name: a function of `schemas.units`, a class of `schemas.migration`."""


def validate(data: dict[str, Any]) -> migration.Migration:
    """Return what a spec's data says.

    Raises:
        pydantic_core.ValidationError: exactly as the models raise it.
    """
    validated: migration.Migration = _validator().validate_python(data)
    return validated


def defaults(kind: type[R]) -> R:
    """Return a mapping of the spec in which nothing is written.

    Raises:
        pydantic_core.ValidationError: a key of it must be written.
    """
    made: R = SchemaValidator(next(_schemas(_core(), kind))).validate_python({})
    return made


def _schemas(node: Any, kind: type[Record]) -> Iterator[Any]:
    """Find the core schemas of a class."""
    if isinstance(node, dict):
        if node.get("cls") is kind:
            yield node
        for part in node.values():
            yield from _schemas(part, kind)


@cache
def _validator() -> SchemaValidator:
    return SchemaValidator(_core())


@cache
def _core() -> Any:
    return json.loads(CORE.read_bytes(), object_hook=_resolved)


def _resolved(node: dict[str, Any]) -> Any:
    if RECORD in node:
        return getattr(migration, node[RECORD])
    return getattr(units, node[PARSE]) if PARSE in node else node
