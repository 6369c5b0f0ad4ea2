"""Questions to one value. Values are read as CloudFormation reads them: true and "true" are the same."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compiler.linked import literal
from compiler.plan.wording import worded


@dataclass(frozen=True)
class Predicate:
    """A question to one value.

    Attributes:
        words: how it reads after the property's name.
        test: never given an absent value.
    """

    words: str
    test: Callable[[Any], bool]


EXISTS = Predicate("is set", lambda value: value not in ("", [], {}))
TRUE = Predicate("is true", lambda value: literal(value) == "true")
FALSE = Predicate("is false", lambda value: literal(value) == "false")
LITERAL = Predicate(
    "is written out", lambda value: isinstance(value, str) and value != "" and not value.startswith("{{resolve:")
)
WILDCARD_ACTION = Predicate(
    "has a wildcard for a whole service", lambda value: bool(re.fullmatch(r"(\w[\w-]*:)?\*", literal(value)))
)


def equals(wanted: Any) -> Predicate:
    """Make a predicate: the value itself."""
    return Predicate(f"is {literal(wanted)}", lambda value: literal(value) == literal(wanted))


def one_of(*wanted: str) -> Predicate:
    """Make a predicate: one of these."""
    return Predicate(f"is one of {', '.join(wanted)}", lambda value: literal(value) in wanted)


def matches(pattern: str) -> Predicate:
    """Make a predicate: the value as text, references as `${Network/Vpc}`, holds the pattern."""
    return Predicate(f"matches {pattern}", lambda value: bool(re.search(pattern, worded(value))))


def at_least(least: int) -> Predicate:
    """Make a predicate: a number that is no less."""
    return Predicate(f"is {least} or more", lambda value: literal(value).isdigit() and int(literal(value)) >= least)


def below(limit: int) -> Predicate:
    """Make a predicate: a number under the limit."""
    return Predicate(f"is below {limit}", lambda value: literal(value).isdigit() and int(literal(value)) < limit)


def above(limit: int) -> Predicate:
    """Make a predicate: a number over the limit."""
    return Predicate(f"is above {limit}", lambda value: literal(value).isdigit() and int(literal(value)) > limit)
