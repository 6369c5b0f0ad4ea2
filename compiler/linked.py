"""All templates of a migration as one: each reference across nested stacks names the resource it ends at.

A value's form is made canonical on the way, so that two templates that say the same look the same: a `Ref` to a
parameter becomes what was passed for it, `Fn::Sub` and `Fn::Join` become one list of parts, `Fn::GetAtt` a pair,
conditions and mappings what they stand for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ROOT = "root"
STACK = "AWS::CloudFormation::Stack"
_KEY = re.compile(r"templates/([^/]+)\.[0-9a-f]{32}\.json$")
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_OF_THE_STACK = "Outputs."


@dataclass(frozen=True)
class Resource:
    """One resource, its references qualified: `{"Ref": "Network/Vpc"}`.

    Attributes:
        template: name of the template that holds it, such as `network`.
        stack: logical id of the nested stack; empty for the root.
        properties: canonical, a nested stack's without what is seen in its own resources.
        attributes: what stands beside the properties: `DeletionPolicy`, `DependsOn` (a sorted list) and so on.
    """

    template: str
    stack: str
    logical_id: str
    type: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Stack and logical id, `Network/Vpc`; of the root the logical id alone."""
        return f"{self.stack}/{self.logical_id}" if self.stack else self.logical_id


def link(templates: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, str]) -> dict[str, Resource]:
    """Link the templates of a migration.

    Args:
        templates: content by name; "root" nests the others under keys that hold their names.
        parameters: values of the root's parameters; one that is missing has its default, or stays a reference.

    Returns:
        Every resource by its place.
    """
    return {resource.place: resource for resource in _Root(templates, parameters).resources()}


def references(value: Any) -> Iterator[str]:
    """Yield the place of every resource that a canonical value refers to."""
    if isinstance(value, list):
        for entry in value:
            yield from references(entry)
    elif isinstance(value, Mapping):
        match intrinsic(value):
            case "Ref", str(place):
                if not place.startswith("AWS::"):
                    yield place
            case "Fn::GetAtt", [place, _]:
                yield place
            case _:
                for entry in value.values():
                    yield from references(entry)


def intrinsic(value: Any) -> tuple[str, Any] | None:
    """Return name and argument where a value is an intrinsic function, such as `("Ref", "Network/Vpc")`."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, argument),) = value.items()
        if name == "Ref" or name.startswith("Fn::"):
            return name, argument
    return None


class _Scope:
    """One template, resolved where it stands.

    Args:
        name: of the template.
        stack: logical id of its nested stack; empty for the root.
        content: the template.
    """

    def __init__(self, name: str, stack: str, content: Mapping[str, Any]) -> None:
        self.name = name
        self.stack = stack
        self.content = content

    def passed(self, parameter: str) -> Any:
        """Return the canonical value given for a parameter, or None."""
        raise NotImplementedError

    def attribute(self, logical_id: str, name: str) -> Any:
        return {"Fn::GetAtt": [self.place(logical_id), name]}

    def properties(self, resource: Mapping[str, Any]) -> Mapping[str, Any]:
        return resource.get("Properties") or {}

    def place(self, logical_id: str) -> str:
        return f"{self.stack}/{logical_id}" if self.stack else logical_id

    def resources(self) -> Iterator[Resource]:
        for logical_id, resource in self.content["Resources"].items():
            yield Resource(
                template=self.name,
                stack=self.stack,
                logical_id=logical_id,
                type=resource["Type"],
                properties={key: self.resolve(value) for key, value in self.properties(resource).items()},
                attributes={
                    key: self._attribute_of_resource(key, value)
                    for key, value in resource.items()
                    if key not in ("Type", "Properties")
                },
            )

    def _attribute_of_resource(self, key: str, value: Any) -> Any:
        if key == "DependsOn":
            return sorted([value] if isinstance(value, str) else value)
        return self._condition(value) if key == "Condition" else self.resolve(value)

    def resolve(self, value: Any) -> Any:
        """Return a value in canonical form."""
        if isinstance(value, list):
            return [self.resolve(entry) for entry in value]
        if not isinstance(value, Mapping):
            return value
        match intrinsic(value):
            case "Ref", str(name):
                return self._named(name)
            case "Fn::GetAtt", str(text):
                return self.attribute(*text.split(".", 1))
            case "Fn::GetAtt", [str(name), attribute]:
                return self.attribute(name, self.resolve(attribute))
            case "Fn::Sub", str(text):
                return _joined(self._substituted(text, {}))
            case "Fn::Sub", [str(text), own]:
                return _joined(self._substituted(text, own))
            case "Fn::Join", [str(delimiter), list(entries)]:
                return _joined(_interleaved(delimiter, [self.resolve(entry) for entry in entries]))
            case "Fn::If", [str(name), then, otherwise]:
                return {"Fn::If": [self._condition(name), self.resolve(then), self.resolve(otherwise)]}
            case "Fn::FindInMap", [str(name), *keys]:
                return self._found(name, [self.resolve(key) for key in keys])
            case _:
                return {key: self.resolve(entry) for key, entry in value.items()}

    def _named(self, name: str) -> Any:
        if name not in self.content.get("Parameters", {}):
            return {"Ref": name if name.startswith("AWS::") else self.place(name)}
        passed = self.passed(name)
        if passed is None:
            passed = self.content["Parameters"][name].get("Default")
        return {"Ref": self.place(name)} if passed is None else passed

    def _substituted(self, text: str, own: Mapping[str, Any]) -> Iterator[Any]:
        end = 0
        for variable in _VARIABLE.finditer(text):
            yield text[end : variable.start()]
            end = variable.end()
            name, _, attribute = variable[1].strip().partition(".")
            if name.startswith("!"):
                yield "${" + variable[1][1:] + "}"
            elif variable[1] in own:
                yield self.resolve(own[variable[1]])
            else:
                yield self.attribute(name, attribute) if attribute else self._named(name)
        yield text[end:]

    def _condition(self, name: str) -> Any:
        return self._expression(self.content.get("Conditions", {}).get(name, name))

    def _expression(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._expression(entry) for entry in value]
        if isinstance(value, Mapping):
            if value.keys() == {"Condition"}:
                return self._condition(value["Condition"])
            if intrinsic(value) is None or any(key in value for key in ("Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals")):
                return {key: self._expression(entry) for key, entry in value.items()}
        return self.resolve(value)

    def _found(self, name: str, keys: Sequence[Any]) -> Any:
        found: Any = self.content.get("Mappings", {}).get(name, {})
        if len(keys) == 2 and all(isinstance(key, str) for key in keys):
            return found.get(keys[0], {}).get(keys[1], {"Fn::FindInMap": [name, *keys]})
        return {"Fn::FindInMap": [found, *keys]}


class _Nested(_Scope):
    """A nested template; its parameters are what the root passes."""

    def __init__(self, name: str, stack: str, content: Mapping[str, Any], root: "_Root") -> None:
        super().__init__(name, stack, content)
        self._root = root
        self._given = root.content["Resources"][stack].get("Properties", {}).get("Parameters", {})

    def passed(self, parameter: str) -> Any:
        return self._root.resolve(self._given[parameter]) if parameter in self._given else None


class _Root(_Scope):
    """The root template with those it nests."""

    def __init__(self, templates: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, str]) -> None:
        super().__init__(ROOT, "", templates[ROOT])
        self._templates = templates
        self._parameters = parameters

    @cached_property
    def _nested(self) -> Mapping[str, _Nested]:
        found = {logical_id: nested_name(resource) for logical_id, resource in self.content["Resources"].items()}
        return {
            logical_id: _Nested(name, logical_id, self._templates[name], self)
            for logical_id, name in found.items()
            if name in self._templates and name is not None
        }

    def passed(self, parameter: str) -> Any:
        return self._parameters.get(parameter)

    def attribute(self, logical_id: str, name: str) -> Any:
        nested = self._nested.get(logical_id)
        if nested is None or not name.startswith(_OF_THE_STACK):
            return super().attribute(logical_id, name)
        output = nested.content.get("Outputs", {}).get(name.removeprefix(_OF_THE_STACK))
        return super().attribute(logical_id, name) if output is None else nested.resolve(output["Value"])

    def properties(self, resource: Mapping[str, Any]) -> Mapping[str, Any]:
        # What these two hold is compared where it ends: in the resources of the nested template.
        seen_below = ("TemplateURL", "Parameters") if nested_name(resource) in self._templates else ()
        return {key: value for key, value in super().properties(resource).items() if key not in seen_below}

    def resources(self) -> Iterator[Resource]:
        yield from super().resources()
        for nested in self._nested.values():
            yield from nested.resources()


def nested_name(resource: Mapping[str, Any]) -> str | None:
    """Return the name of the template that a nested stack is made from; None for anything else."""
    if resource["Type"] != STACK:
        return None
    url = resource.get("Properties", {}).get("TemplateURL")
    text = url.get("Fn::Sub") if isinstance(url, Mapping) else url
    found = _KEY.search(text) if isinstance(text, str) else None
    return found[1] if found else None


def _interleaved(delimiter: str, entries: Sequence[Any]) -> Iterator[Any]:
    for position, entry in enumerate(entries):
        if position and delimiter:
            yield delimiter
        yield entry


def _joined(parts: Iterator[Any]) -> Any:
    """Return one text, or one list of parts with neighbouring literals merged."""
    merged: list[Any] = []
    for part in _flat(parts):
        if isinstance(part, str | int | float) and merged and isinstance(merged[-1], str):
            merged[-1] += literal(part)
        elif part != "":
            merged.append(literal(part) if isinstance(part, str | int | float) else part)
    if len(merged) > 1:
        return {"Fn::Join": ["", merged]}
    return merged[0] if merged else ""


def _flat(parts: Iterator[Any]) -> Iterator[Any]:
    for part in parts:
        match intrinsic(part):
            case "Fn::Join", ["", list(inner)]:
                yield from inner
            case _:
                yield part


def literal(value: Any) -> str:
    """Return a scalar as CloudFormation reads it: `True` is `true`, `32.0` is `32`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
