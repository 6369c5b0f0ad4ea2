"""The reference of migration.yaml in docs/reference.md, written from the JSON Schema.

`python -m schemas.reference` writes it, `--check` says whether the written one is stale.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.generated import write_or_check
from schemas.json_schema import FILE as SCHEMA_FILE

FILE = Path(__file__).parents[1] / "docs" / "reference.md"

_HEAD = """# migration.yaml

Every key of the spec. Written from the JSON Schema (`paymig schema`), which gives an editor the same words.
A dotted name is a key inside a section; `[]` stands for each entry of a list, `*` for a name of your choice. Durations
are written `30s`, `5m`, `1h30m`, `35d`; sizes `512MiB`, `100GiB`; percentages `0.5%`. Everything with a default may be
left out, and so may a section whose every key has one.

`environments` holds, for each other environment, what differs from the spec: the same keys, none required.
"""


def text() -> str:
    """Return the page as the file holds it."""
    schema = json.loads(SCHEMA_FILE.read_text())
    parts = [_HEAD, "## The top level\n", _table(_rows(schema, schema, "", deep=False))]
    for key, entry in schema["properties"].items():
        inner = _resolve(schema, entry)
        if "properties" in inner:
            parts += [f"## {key}\n", f"{inner['description']}\n", _table(_rows(schema, inner, f"{key}.", deep=True))]
    return "\n".join(parts)


def _rows(schema: dict[str, Any], section: dict[str, Any], prefix: str, deep: bool) -> Iterator[tuple[str, ...]]:
    required = section.get("required", [])
    for key, entry in section["properties"].items():
        inner = _resolve(schema, entry)
        item = _resolve(schema, inner.get("items", {}))
        value = _resolve(schema, _values(inner))
        name = f"{prefix}{key}"
        if not deep and "properties" in inner:
            yield f"[{name}](#{key})", "section", "required" if key in required else "", entry["description"]
        elif "properties" in inner:
            yield from _rows(schema, inner, f"{name}.", deep)
        else:
            yield _row(name, entry, inner, key in required)
            if "properties" in item:
                yield from _rows(schema, item, f"{name}[].", deep)
            if deep and "properties" in value:
                yield from _rows(schema, value, f"{name}.*.", deep)


def _values(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping's values, whose keys are the operator's choice."""
    found = [entry.get("additionalProperties"), *entry.get("patternProperties", {}).values()]
    return next((one for one in found if isinstance(one, dict)), {})


def _row(name: str, entry: dict[str, Any], inner: dict[str, Any], required: bool) -> tuple[str, ...]:
    if required:
        default = "required"
    elif entry.get("default") is None:
        default = ""
    else:
        default = _code(entry["default"])
    return f"`{name}`", _kind(inner), default, entry["description"]


def _kind(entry: dict[str, Any]) -> str:
    """Say what a value is, in a few words."""
    if "enum" in entry or "const" in entry:
        return " or ".join(_code(value) for value in entry.get("enum", [entry.get("const")]) if value is not None)
    options = [_kind(option) for option in entry.get("anyOf", []) if option.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(options))
    names = {"array": "list", "object": "mapping", "integer": "whole number", "string": "text", "boolean": "yes or no"}
    kind = str(entry.get("type", "mapping"))
    kind = names.get(kind, kind)
    least, most = entry.get("minimum"), entry.get("maximum")
    if least is not None and most is not None:
        return f"{kind}, {least} to {most}"
    return f"{kind}, at least {least}" if least is not None else kind


def _code(value: object) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _resolve(schema: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, also one that may be null."""
    for option in (entry, *entry.get("anyOf", [])):
        if "$ref" in option:
            found: dict[str, Any] = schema["$defs"][option["$ref"].rpartition("/")[2]]
            return found
    return entry


def _table(rows: Iterator[tuple[str, ...]]) -> str:
    lines = ["| key | value | default | |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check("schemas.reference", {FILE: text()}))
