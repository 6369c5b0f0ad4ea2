"""What plans are made of: a compiled spec, and a folder that an earlier compile wrote."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from compiler.compile import Compiled
from compiler.linked import ROOT, STACK, Resource, nested_name
from compiler.plan.change import Cause, Locate
from compiler.source_map import SourceMap

Templates = Mapping[str, Mapping[str, Any]]
"""Content of each template by name, "root" among them."""


class NotCompiled(Exception):
    """A folder that does not hold a compiled migration: says which file is missing or wrong."""


def templates_of(compiled: Compiled) -> Templates:
    """Return a compiled spec's templates as data."""
    return {name: json.loads(body) for name, body in compiled.templates.items()}


def locator(source_map: SourceMap) -> Locate:
    """Find causes in the spec of a source map; what it does not know comes from its component's section."""

    def locate(resource: Resource, property_path: str) -> Cause:
        first, *others = (
            Cause(source_map.spec.file, path, span.line, span.column)
            for path in source_map.paths(resource.template, resource.logical_id, property_path)
            for span in (source_map.spec.locate(path),)
        )
        return replace(first, others=tuple(others))

    return locate


def read_folder(folder: Path) -> Templates:
    """Read the templates of a folder that `compiler.compile.write` made.

    Raises:
        NotCompiled: it holds none, or one that its root nests is missing.
    """
    content = folder / "templates"
    if not (folder / "manifest.json").is_file():
        raise NotCompiled(f"{folder} has no manifest.json: it is no compiled folder, or its compile did not end")
    templates = {path.stem: _json(path) for path in sorted(content.glob("*.json"))}
    if ROOT not in templates:
        raise NotCompiled(f"{content} has no {ROOT}.json")
    for resource in templates[ROOT]["Resources"].values():
        name = nested_name(resource)
        if resource["Type"] == STACK and name is not None and name not in templates:
            raise NotCompiled(f"{content} has no {name}.json, which its {ROOT}.json nests")
    return templates


def folder_locator(folder: Path, otherwise: Locate) -> Locate:
    """Find causes in the source map of a folder; ask `otherwise` where there is none.

    Raises:
        NotCompiled: the source map is not JSON.
    """
    file = folder / "source-map.json"
    if not file.is_file():
        return otherwise
    content = _json(file)
    everywhere = content.get("everywhere", {})

    def cause(place: Mapping[str, Any]) -> Cause:
        others = tuple(map(cause, place.get("others", ())))
        return Cause(content["spec"], place["path"], place["line"], place["column"], others)

    def locate(resource: Resource, property_path: str) -> Cause:
        place = content.get("templates", {}).get(resource.template, {}).get(resource.logical_id)
        if place is None:
            return otherwise(resource, property_path)
        while property_path:
            if found := place.get("properties", {}).get(property_path) or everywhere.get(property_path):
                return cause(found)
            property_path = property_path.rpartition(".")[0]
        return cause(place)

    return locate


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise NotCompiled(f"{path} is not JSON: {error}") from error
