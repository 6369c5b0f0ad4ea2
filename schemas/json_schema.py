"""The JSON Schema of migration.yaml, so that editors complete, explain and check it.

`python -m schemas.json_schema` writes it, `--check` says whether the written one is stale.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.generated import write_or_check
from schemas.models import fields_of, model_in, models_in
from schemas.overlays import NOT_IN_OVERLAY
from schemas.sections.root import Migration

FILE = Path(__file__).with_name("migration.schema.json")


def schema() -> dict[str, Any]:
    """Return the JSON Schema, draft 2020-12."""
    generated = Migration.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = generated.pop("$defs")
    for model in models_in(Migration):
        _explain(definitions.get(model.__name__, generated), model)
    definitions |= _overlays(generated, definitions)
    generated["properties"]["environments"]["patternProperties"] = {
        pattern: {"$ref": "#/$defs/Overlay"} for pattern in generated["properties"]["environments"]["patternProperties"]
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "migration.yaml",
        **_tidy(generated),
        "$defs": {name: _tidy(definition) for name, definition in sorted(definitions.items())},
    }


def text() -> str:
    """Return the JSON Schema as the file holds it."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _explain(definition: dict[str, Any], model: type[BaseModel]) -> None:
    """Give each property of a model an example and, where it may be left out, a default."""
    for key, field in fields_of(model).items():
        entry = definition["properties"][key]
        entry["description"] = field.description
        entry["examples"] = [example(field)]
        if not field.is_required():
            entry["default"] = field.default


def example(field: FieldInfo) -> Any:
    """Return an example of a field's value; of a section, all its defaults."""
    if field.examples:
        return field.examples[0]
    inner = model_in(field.annotation)
    return {key: example(part) for key, part in fields_of(inner).items()} if inner is not None else None


def _overlays(top: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return definitions in which nothing is required: an overlay says only what differs.

    The entries of lists keep what they require, since an overlay replaces a list as a whole.
    """
    partial = {name for name, definition in definitions.items() if "required" in definition}
    while True:
        users = {name for name, definition in definitions.items() if _references(definition) & partial}
        if users <= partial:
            break
        partial |= users

    def relaxed(definition: dict[str, Any]) -> dict[str, Any]:
        return {
            key: {name: redirected(entry) for name, entry in value.items()} if key == "properties" else value
            for key, value in definition.items()
            if key not in ("required", "description")
        }

    def redirected(entry: Any) -> Any:
        if isinstance(entry, list):
            return [redirected(part) for part in entry]
        if not isinstance(entry, dict):
            return entry
        name = str(entry.get("$ref", "")).removeprefix(_PREFIX)
        rest = {
            key: redirected(value) if key == "anyOf" else value
            for key, value in entry.items()
            if key not in ("$ref", "default")
        }
        return ({"$ref": _PREFIX + (f"Overlay{name}" if name in partial else name)} if name else {}) | rest

    properties = {key: entry for key, entry in top["properties"].items() if key not in NOT_IN_OVERLAY}
    overlay = relaxed({**top, "properties": properties})
    overlay["description"] = "What differs in this environment: mappings merge, everything else replaces."
    return {f"Overlay{name}": relaxed(definitions[name]) for name in partial} | {"Overlay": overlay}


_PREFIX = "#/$defs/"


def _references(definition: dict[str, Any]) -> set[str]:
    """Name the definitions that a mapping's properties are, not those of entries of lists."""
    return {
        option["$ref"].removeprefix(_PREFIX)
        for entry in definition["properties"].values()
        for option in (entry, *entry.get("anyOf", ()))
        if "$ref" in option
    }


def _tidy(node: Any, named: bool = False) -> Any:
    """Drop the titles that only repeat a name, and close mappings whose keys have a pattern.

    Args:
        node: part of the schema.
        named: whether the keys of this mapping are names and no keywords.
    """
    if isinstance(node, list):
        return [_tidy(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    keep = {
        key: value if key in ("default", "examples") and not named else _tidy(value, key in _NAMED and not named)
        for key, value in node.items()
        if key != "title" or named
    }
    return keep | ({"additionalProperties": False} if "patternProperties" in node and not named else {})


_NAMED = ("properties", "patternProperties")


if __name__ == "__main__":
    sys.exit(write_or_check("schemas.json_schema", {FILE: text()}))
