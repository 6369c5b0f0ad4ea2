"""Finding things in templates, without the compiler's help."""

import re
from collections.abc import Iterator
from typing import Any

_VARIABLE = re.compile(r"\$\{([^!][^}]*)\}")


def references(value: Any) -> Iterator[tuple[str, str | None]]:
    """Yield every name that Ref, Fn::GetAtt, Fn::Sub and DependsOn mention, with the attribute of a GetAtt."""
    if isinstance(value, list):
        for entry in value:
            yield from references(entry)
    if not isinstance(value, dict):
        return
    for key, content in value.items():
        if key == "Ref":
            yield content, None
        elif key == "Fn::GetAtt":
            name, attribute = content if isinstance(content, list) else content.split(".", 1)
            yield name, attribute
        elif key == "Fn::Sub":
            text, own = content if isinstance(content, list) else (content, {})
            for variable in _VARIABLE.findall(text):
                if variable not in own:
                    name, _, attribute = variable.partition(".")
                    yield name, attribute or None
            yield from references(own)
        elif key == "DependsOn":
            for name in [content] if isinstance(content, str) else content:
                yield name, None
        else:
            yield from references(content)


def strings(value: Any) -> Iterator[str]:
    """Yield every string of a template, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from strings(entry)
    elif isinstance(value, dict):
        for key, content in value.items():
            yield key
            yield from strings(content)


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of a template's resources of one type, by logical id."""
    return {
        logical_id: resource.get("Properties", {})
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == kind
    }
