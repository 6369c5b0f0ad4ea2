"""From a spec to templates, code and source map, always the same bytes for the same spec."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compiler import extensions, limits, names
from compiler.assemble import assemble, sections
from compiler.assets import Assets, collect
from compiler.bundle import Bundle
from compiler.component import Cause, DeployParameter
from compiler.files import write_atomically
from compiler.json_text import to_json
from compiler.published import republished
from compiler.refusal import Refusal
from compiler.root import PARAMETERS, root
from compiler.source_map import SourceMap
from schemas.diagnostics import SpecError
from schemas.migration import Migration
from schemas.spec import Spec

ROOT = "root"

_LESS = {"replication": "name several tables by one pattern: `%` stands for any text"}
"""How a template becomes smaller, where an extension can't be the reason."""


@dataclass(frozen=True)
class Compiled:
    """A migration, ready to be uploaded and deployed.

    Attributes:
        migration: the spec.
        templates: JSON text by name; "root" nests the others.
        keys: the S3 key of each template, by the same names.
        assets: the code's bundles by name.
        asset_keys: the S3 key of each bundle, by the same names.
        parameters: what the deploy passes to the root.
        source_map: from resources back to the spec.
    """

    migration: Migration
    templates: Mapping[str, bytes]
    keys: Mapping[str, str]
    assets: Mapping[str, Bundle]
    asset_keys: Mapping[str, str]
    parameters: tuple[DeployParameter, ...]
    source_map: SourceMap


def compile_spec(spec: Spec) -> Compiled:
    """Compile a spec.

    Raises:
        SpecError: it can't become stacks, or its templates pass a limit of CloudFormation.
    """
    try:
        return build(spec, collect(spec.migration, spec.folder))
    except Refusal as refusal:
        raise _error(spec, refusal) from refusal


def _error(spec: Spec, *refusals: Refusal) -> SpecError:
    findings = [spec.finding(refusal.code, refusal.path, str(refusal), refusal.hint) for refusal in refusals]
    return SpecError(findings, {spec.file: spec.text})


def build(spec: Spec, assets: Assets) -> Compiled:
    """Compile a spec with code that is bundled already.

    Raises:
        Refusal: it can't become stacks.
        SpecError: its templates pass a limit of CloudFormation.
    """
    migration = spec.migration
    assembly = assemble(migration, assets)
    contents = {names.snake(component.name): component.template.to_dict() for component in assembly.components}
    causes: dict[str, Mapping[str, Cause]] = {
        names.snake(component.name): component.causes for component in assembly.components
    }
    section_of = sections(migration)
    for name, path, patch in extensions.patches(migration, spec.folder):
        unpatched, contents[name] = contents[name], extensions.patched(contents[name], patch, path)
        causes[name] = extensions.patched_causes(causes[name], patch, path)
        if section_of[name].partition(".")[0] == "api":
            contents[name], renamed = republished(unpatched, contents[name])
            causes[name] = {renamed.get(key, key): cause for key, cause in causes[name].items()}
    extra: dict[str, str] = {}
    for name, logical_id, template in extensions.stacks(migration, spec.folder):
        contents[name] = template
        causes[name] = {key: Cause(f"extensions.{name}.stack") for key in template["Resources"]}
        extra[name] = logical_id
    templates = {name: to_json(content) for name, content in contents.items()}
    keys = {name: _key(name, body) for name, body in templates.items()}
    top = root(migration, assembly, keys, extra)
    contents[ROOT] = top.template.to_dict()
    # The root names its stacks by logical id; a template is asked for by its own name.
    causes[ROOT] = {**top.causes, **{names.snake(key): cause for key, cause in top.causes.items()}}
    templates[ROOT] = to_json(contents[ROOT])
    keys[ROOT] = _key(ROOT, templates[ROOT])
    if refusals := _over_limits(contents, templates, section_of):
        raise _error(spec, *refusals)
    return Compiled(
        migration,
        templates,
        keys,
        assets.bundles,
        {name: assets.key(name) for name in assets.bundles},
        PARAMETERS,
        SourceMap(spec, causes),
    )


def _over_limits(
    contents: Mapping[str, Mapping[str, Any]], templates: Mapping[str, bytes], section_of: Mapping[str, str]
) -> list[Refusal]:
    return [
        Refusal(
            "PMG310",
            section_of.get(name, "extensions" if name == ROOT else f"extensions.{name}"),
            f"the template {name} is too large: {sentence}",
            _LESS.get(name, "leave something out, or move it to a stack of its own under `extensions`"),
        )
        for name, content in contents.items()
        for sentence in limits.exceeded(content, templates[name])
    ]


def _key(name: str, body: bytes) -> str:
    return f"templates/{name}.{hashlib.sha256(body).hexdigest()[:32]}.json"


def write(compiled: Compiled, folder: Path) -> list[Path]:
    """Write templates, code, source map and manifest into a folder.

    Each file appears whole or not at all. The manifest is taken away first and written last: a folder without one is
    an unfinished compile. Templates and code of an earlier compile are removed.

    Returns:
        All that is the compile's: two files, and two folders that hold nothing else.
    """
    manifest, source_map = folder / "manifest.json", folder / "source-map.json"
    templates, assets = folder / "templates", folder / "assets"
    manifest.unlink(missing_ok=True)
    files = {templates / f"{name}.json": body for name, body in compiled.templates.items()}
    for path, body in files.items():
        write_atomically(path, body)
    for name, key in compiled.asset_keys.items():
        path = folder / key
        files[path] = b""
        if not path.is_file():
            compiled.assets[name].write(path)
    for path in [*templates.glob("*.json"), *assets.glob("*.zip")]:
        if path not in files:
            path.unlink()
    write_atomically(source_map, to_json(compiled.source_map.to_dict()))
    write_atomically(manifest, to_json(_manifest(compiled)))
    return [manifest, source_map, templates, assets]


def _manifest(compiled: Compiled) -> dict[str, Any]:
    return {
        "format": 1,
        "migration": compiled.migration.full_name,
        "region": compiled.migration.region,
        "templates": {
            name: {"key": compiled.keys[name], "sha256": hashlib.sha256(body).hexdigest()}
            for name, body in compiled.templates.items()
        },
        "assets": {
            name: {"key": compiled.asset_keys[name], "sha256": bundle.sha256}
            for name, bundle in compiled.assets.items()
        },
        "parameters": [
            {"name": parameter.name, "type": parameter.type, "required": parameter.default is None}
            for parameter in compiled.parameters
        ],
    }
