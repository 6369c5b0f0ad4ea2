"""What a senior engineer would look for in the templates, by number; each rule looks at the result, not at the code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.compiler.walk import of_type, strings

Properties = dict[str, Any]


class Stacks:
    """The compiled templates of one spec, and the template that stands before the first deploy."""

    def __init__(self, templates: dict[str, dict[str, Any]], bootstrap: dict[str, Any]) -> None:
        self.templates = templates
        self.bootstrap = bootstrap

    def all(self, kind: str) -> dict[str, Properties]:
        """The properties of every resource of a type, by "template.LogicalId"."""
        return {
            f"{name}.{logical_id}": properties
            for name, template in self.templates.items()
            for logical_id, properties in of_type(template, f"AWS::{kind}").items()
        }

    def one(self, kind: str) -> Properties:
        [only] = self.all(kind).values()
        return only

    def resource(self, name: str) -> dict[str, Any]:
        template, logical_id = name.split(".")
        found: dict[str, Any] = self.templates[template]["Resources"][logical_id]
        return found

    def properties(self, name: str) -> Properties:
        properties: Properties = self.resource(name)["Properties"]
        return properties

    def beside(self, name: str, kind: str) -> dict[str, Properties]:
        """The resources of a type in the template that holds `name`, "template.LogicalId"."""
        return of_type(self.templates[name.split(".")[0]], f"AWS::{kind}")

    def statements(self, role: str) -> Iterator[dict[str, Any]]:
        for policy in self.properties(role)["Policies"]:
            yield from policy["PolicyDocument"]["Statement"]

    def rights(self, role: str) -> set[str]:
        """Every action that a role may do."""
        return {action for statement in self.statements(role) for action in listed(statement["Action"])}

    def variables(self, function: str) -> dict[str, Any]:
        found: dict[str, Any] = self.properties(function)["Environment"]["Variables"]
        return found

    def alarms(self) -> dict[str, Properties]:
        return {name.split(".")[1]: alarm for name, alarm in self.all("CloudWatch::Alarm").items()}

    def text(self) -> list[str]:
        return list(strings(list(self.templates.values())))


class Rule(NamedTuple):
    number: int
    name: str
    holds: Callable[[Stacks], None]


RULES: dict[int, Rule] = {}


def rule(number: int) -> Callable[[Callable[[Stacks], None]], Callable[[Stacks], None]]:
    """Enter a check under its number; its name says what must hold."""

    def enter(check: Callable[[Stacks], None]) -> Callable[[Stacks], None]:
        assert number not in RULES
        RULES[number] = Rule(number, check.__name__, check)
        return check

    return enter


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def attributes(pairs: list[dict[str, str]]) -> dict[str, Any]:
    return {pair["Key"]: pair["Value"] for pair in pairs}


def dimensions(alarm: Properties) -> dict[str, Any]:
    return {entry["Name"]: entry["Value"] for entry in alarm["Dimensions"]}


def settings(stacks: Stacks) -> dict[str, Any]:
    """The settings of the DMS task."""
    found: dict[str, Any] = json.loads(stacks.properties("replication.Task")["ReplicationTaskSettings"])
    return found
