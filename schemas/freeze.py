"""The models, frozen: building them takes longer than all a compile does, so it is done before a release.

`python -m schemas.freeze` writes `migration.py`, the types that the models give, and `migration.core.json`, by which
pydantic-core validates a spec into them. `--check` says whether the written ones are stale.
"""

import inspect
import json
import sys
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from schemas import units
from schemas.generated import write_or_check
from schemas.models import models_in
from schemas.sections.root import Migration
from schemas.validate import CORE, PARSE, RECORD

TYPES = Path(__file__).with_name("migration.py")

_HEAD = '''"""What a migration.yaml says, defaults filled in. Written by `python -m schemas.freeze`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal

from schemas.record import Record
'''

# What only serialisation, JSON Schema or pydantic itself read.
_UNUSED = {"computed_fields", "custom_init", "metadata", "ref", "root_model", "serialization", "serialization_alias"}


def types() -> str:
    """Return the source of `migration.py`: a class for each model, those it is made of before it."""
    return _HEAD + "".join(_class(model) for model in reversed(models_in(Migration)))


def _class(model: type[BaseModel]) -> str:
    fields = [f"    {name}: {_name(field.annotation)}\n" for name, field in model.model_fields.items()]
    properties = [
        "\n" + inspect.getsource(value.fget)
        for value in vars(model).values()
        if isinstance(value, property) and value.fget is not None
    ]
    return f'\n\nclass {model.__name__}(Record):\n    """{model.__doc__}"""\n\n' + "".join(fields + properties)


def _name(annotation: Any) -> str:
    """Write a type without what constrains it: that was checked when the value was made."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _name(arguments[0])
    if origin is Literal:
        return f"Literal[{', '.join(json.dumps(argument) for argument in arguments)}]"
    if origin in (Union, UnionType):
        return " | ".join(map(_name, arguments))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_name, arguments))}]"
    return "None" if annotation is type(None) else str(annotation.__name__)


def core() -> str:
    """Return `migration.core.json`: pydantic's core schema, its functions and classes by name.

    Raises:
        TypeError: a model uses what has no name here, such as a validator outside `schemas.units`.
    """
    return json.dumps(named(Migration.__pydantic_core_schema__), indent=1) + "\n"


def named(node: Any) -> Any:
    """Return a core schema without what validation does not read, each function and class replaced by its name."""
    if isinstance(node, dict):
        is_schema = isinstance(node.get("type"), str)
        return {key: named(value) for key, value in node.items() if not (is_schema and key in _UNUSED)}
    if isinstance(node, list):
        return [named(entry) for entry in node]
    if isinstance(node, type) and issubclass(node, BaseModel):
        return {RECORD: node.__name__}
    if callable(node):
        name = node.__name__
        if vars(units).get(name) is not node:
            raise TypeError(f"{node!r} cannot be frozen: a validator of a model must be a function of schemas.units")
        return {PARSE: name}
    return node


if __name__ == "__main__":
    sys.exit(write_or_check("schemas.freeze", {TYPES: types(), CORE: core()}))
