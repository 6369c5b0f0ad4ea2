"""A check: a question to all resources of one type, answered by their properties."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from compiler.evidence.predicates import Predicate
from compiler.plan.differences import keyed
from compiler.plan.wording import worded

_ABSENT = "not set"
_WIDTH = 80


@dataclass(frozen=True)
class Fact:
    """Something with properties that checks look at: a resource, or what was derived from several.

    Attributes:
        place: of the resource it stands for, `Database/Cluster`.
        type: without the leading `AWS::`.
        properties: canonical.
    """

    place: str
    type: str
    properties: Mapping[str, Any]


class Quantifier(StrEnum):
    """How many values must answer yes."""

    ALL = "all"
    NONE = "none"
    ANY = "any"


@dataclass(frozen=True)
class Seen:
    """One property as a check found it."""

    place: str
    path: str
    value: str


@dataclass(frozen=True)
class Answer:
    """What a check found.

    Attributes:
        holds: whether the answer is yes; so it is where no resource of the type exists, unless one is wanted.
        shown: what shows it.
        failed: what speaks against it; empty when there is nothing to look at.
    """

    holds: bool
    shown: tuple[Seen, ...]
    failed: tuple[Seen, ...]


@dataclass(frozen=True)
class Check:
    """A quantified question to a property of a type.

    Attributes:
        type: without the leading `AWS::`.
        path: below the properties, separated by slashes; `*` is every entry of a list, a tag goes by its key.
    """

    quantifier: Quantifier
    type: str
    path: str
    predicate: Predicate

    def __str__(self) -> str:
        return f"{self.quantifier} {self.type}.{self.path.replace('/', '.')} {self.predicate.words}"

    def answer(self, facts: Iterable[Fact]) -> Answer:
        """Ask all facts of the type."""
        shown: list[Seen] = []
        failed: list[Seen] = []
        for fact in facts:
            if fact.type == self.type:
                values = list(_values(fact.properties, self.path.split("/")))
                good, bad = self._sort(fact, values)
                shown += good
                failed += bad
        if self.quantifier is Quantifier.ANY:
            return Answer(bool(shown), tuple(shown), () if shown else tuple(failed))
        return Answer(not failed, tuple(shown), tuple(failed))

    def _sort(self, fact: Fact, values: Sequence[tuple[str, Any]]) -> tuple[list[Seen], list[Seen]]:
        """Divide one fact's values into what shows it and what speaks against it; an absent one is as good as no."""
        if not values:
            absent = [Seen(fact.place, self.path.replace("/", "."), _ABSENT)]
            return (absent, []) if self.quantifier is Quantifier.NONE else ([], absent)
        yes = [Seen(fact.place, path, _text(value)) for path, value in values if self.predicate.test(value)]
        no = [Seen(fact.place, path, _text(value)) for path, value in values if not self.predicate.test(value)]
        return (no, yes) if self.quantifier is Quantifier.NONE else (yes, no)


def _values(value: Any, path: Sequence[str], so_far: str = "") -> Iterator[tuple[str, Any]]:
    if not path:
        yield so_far, value
        return
    head, rest = path[0], path[1:]
    dot = "." if so_far else ""
    if head == "*":
        # Where AWS takes a list it takes a single entry as well.
        for index, entry in enumerate(value if isinstance(value, list) else [value]):
            yield from _values(entry, rest, f"{so_far}{dot}{index}")
        return
    inner = keyed(value)
    if isinstance(inner, Mapping) and head in inner:
        yield from _values(inner[head], rest, f"{so_far}{dot}{head}")


def _text(value: Any) -> str:
    text = worded(value)
    return text if len(text) <= _WIDTH else text[:_WIDTH] + "…"


def all_(type_: str, path: str, predicate: Predicate) -> Check:
    """Make a check: every resource of the type has the property, and all its values fulfil the predicate."""
    return Check(Quantifier.ALL, type_, path, predicate)


def none(type_: str, path: str, predicate: Predicate) -> Check:
    """Make a check: no value fulfils the predicate."""
    return Check(Quantifier.NONE, type_, path, predicate)


def any_(type_: str, path: str, predicate: Predicate) -> Check:
    """Make a check: at least one value fulfils the predicate."""
    return Check(Quantifier.ANY, type_, path, predicate)
