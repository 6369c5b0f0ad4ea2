"""The way out for what the spec does not say: patches of a component's template, and stacks of one's own."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from compiler.assemble import sections
from compiler.component import Cause
from compiler.refusal import Refusal
from schemas.migration import Migration

_PATCHED = {"Outputs": "Value", "Resources": "Type"}
"""What may be patched, and what an entry must have to be a new one."""

_OF_A_TEMPLATE = "write a CloudFormation template in YAML or JSON"


def patches(migration: Migration, folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each patch: the component's template name, the spec path that names the file, the content.

    Raises:
        Refusal: no such component, no such file, or not a mapping of `Resources` and `Outputs`.
    """
    components = sections(migration)
    for name, extension in sorted(migration.extensions.items()):
        if extension.patch is None:
            continue
        template, path = name.replace("-", "_"), f"extensions.{name}.patch"
        if template not in components:
            near = get_close_matches(template, components, n=1)
            raise Refusal(
                "PMG312",
                f"extensions.{name}",
                f"there is no component {name} to patch",
                f"did you mean {near[0]}?" if near else f"the components are {', '.join(components)}",
            )
        content = _read(folder / extension.patch, "PMG312", path, "write a YAML file with `Resources` or `Outputs`")
        if not any(content.values()):
            raise Refusal("PMG312", path, f"{extension.patch} patches nothing", "write `Resources` or `Outputs` there")
        for section, entries in content.items():
            if section not in _PATCHED or not isinstance(entries, dict):
                raise Refusal(
                    "PMG312",
                    path,
                    f"{extension.patch} has {section}, a patch is a mapping of {' and '.join(_PATCHED)} alone",
                    f"remove {section}, or nest a template of your own by `stack`",
                )
            for key, entry in entries.items():
                if not isinstance(entry, dict):
                    raise Refusal(
                        "PMG312",
                        path,
                        f"{key} in {extension.patch} is not a mapping",
                        f"write what to change of {key}, such as `Properties: {{...}}`",
                    )
        yield template, path, content


def stacks(migration: Migration, folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each stack of the operator's own: its name, its logical id, its template.

    Raises:
        Refusal: a component has that name, no such file, or a template that wants parameters.
    """
    for name, extension in sorted(migration.extensions.items()):
        if extension.stack is None:
            continue
        path = f"extensions.{name}.stack"
        if name.replace("-", "_") in {*sections(migration), "root"}:
            raise Refusal("PMG313", path, f"{name} is a component's name", "give the stack another name")
        template = _read(folder / extension.stack, "PMG313", path, _OF_A_TEMPLATE)
        wanted = [key for key, value in template.get("Parameters", {}).items() if "Default" not in value]
        if wanted:
            raise Refusal(
                "PMG313",
                path,
                f"{extension.stack} wants values for {', '.join(wanted)}, and a nested stack is given none",
                "give each parameter a default",
            )
        if not template.get("Resources"):
            raise Refusal("PMG313", path, f"{extension.stack} has no resources", _OF_A_TEMPLATE)
        yield name, "".join(part.capitalize() for part in name.split("-")), template


def patched(template: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Merge a patch of `patches` over its component's template.

    Raises:
        Refusal: an entry changes nothing, or neither names what is there nor is whole itself: a slip of the pen.
    """
    merged = merge(template, patch)
    for section, whole in _PATCHED.items():
        there: Mapping[str, Any] = template.get(section, {})
        for key, entry in patch.get(section, {}).items():
            if key not in there and whole not in entry:
                near = get_close_matches(key, there, n=1)
                raise Refusal(
                    "PMG312",
                    path,
                    f"there is no {key} in the {section} of this component to patch",
                    f"did you mean {near[0]}?" if near else f"give it a {whole} if it is to be added",
                )
            if merged[section][key] == there.get(key):
                hint = f"take {key} out of the patch, or change what you meant to"
                raise Refusal("PMG312", path, f"the patch leaves {key} as it is", hint)
    return merged


def merge(template: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Merge a patch over a template: mappings key by key, everything else is replaced."""
    merged = dict(template)
    for key, value in patch.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def patched_causes(causes: Mapping[str, Cause], patch: Mapping[str, Any], path: str) -> dict[str, Cause]:
    """Return the causes after a patch: what it adds, and the properties it sets, come from its path."""
    changed = dict(causes)
    for logical_id, resource in patch.get("Resources", {}).items():
        old = causes.get(logical_id)
        own = dict.fromkeys((resource or {}).get("Properties", {}), path)
        changed[logical_id] = Cause(old.resource, {**old.properties, **own}) if old else Cause(path)
    return changed


def _read(file: Path, code: str, path: str, hint: str) -> dict[str, Any]:
    # It reads CloudFormation's short tags such as !Ref, and ships no types.
    import cfn_flip  # type: ignore[import-untyped]

    try:
        text = file.read_text(encoding="utf-8")
        content = cfn_flip.load_json(text) if file.suffix == ".json" else cfn_flip.load_yaml(text)
    except (OSError, ValueError) as error:
        raise Refusal(code, path, f"{file.name} cannot be read: {_first_line(error)}", hint) from error
    except Exception as error:
        # cfn_flip lets the errors of the YAML reader through, which has no public name of its own here.
        if type(error).__module__.split(".")[0] != "yaml":
            raise
        raise Refusal(code, path, f"{file.name} is not YAML: {_first_line(error)}", hint) from error
    if not isinstance(content, dict):
        raise Refusal(code, path, f"{file.name} is not a mapping", hint)
    return content


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())
