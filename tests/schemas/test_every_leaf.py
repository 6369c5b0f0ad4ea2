"""Break every leaf of both specs in turn: one diagnostic, at exactly that leaf."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
from ruamel.yaml import YAML

from schemas.diagnostics import Span, SpecError, SpecPath
from schemas.load import parse
from schemas.models import field_at, model_at
from schemas.positions import Positions
from tests.strategies import SPECS


@dataclass(frozen=True)
class Source:
    """A spec's text and where everything is in it."""

    text: str
    positions: Positions

    def offset(self, line: int, column: int) -> int:
        return sum(map(len, self.text.splitlines(keepends=True)[: line - 1])) + column - 1

    def start(self, span: Span) -> int:
        return self.offset(span.line, span.column)

    def end(self, span: Span) -> int:
        return self.offset(span.end_line, span.end_column)

    def children(self, path: SpecPath) -> list[SpecPath]:
        return [child for child in self.positions if child and child[:-1] == path]

    def in_braces(self, path: SpecPath) -> bool:
        return self.text[self.start(self.positions[path[:-1]].value)] == "{"

    def written(self, path: SpecPath) -> str:
        place = self.positions[path]
        return self.text[self.start(place.start) : self.end(place.value)]


def place_at(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def wrong_type(source, path):
    """Put a list where a scalar belongs."""
    span = source.positions[path].value
    start = source.start(span)
    return source.text[:start] + "[]" + source.text[source.end(span) :], start


def unknown_key(source, path):
    """Put a key beside it that nobody knows."""
    start = source.start(source.positions[path].key)
    column = source.positions[path].key.column
    between = ", " if source.in_braces(path) else "\n" + " " * (column - 1)
    return source.text[:start] + "zzz: 1" + between + source.text[start:], start


def duplicate_key(source, path):
    """Write it a second time."""
    end = source.end(source.positions[path].value)
    column = source.positions[path].key.column
    between = ", " if source.in_braces(path) else "\n" + " " * (column - 1)
    return source.text[:end] + between + source.written(path) + source.text[end:], end + len(between)


def missing_key(source, path):
    """Take it away; the mapping it was in is where the diagnostic belongs."""
    siblings = source.children(path[:-1])
    parent = source.positions[path[:-1]].start
    start, end = source.start(source.positions[path].key), source.end(source.positions[path].value)
    following = dict(pairwise(siblings)).get(path)
    previous = {later: earlier for earlier, later in pairwise(siblings)}.get(path)
    if following is not None:
        end = source.start(source.positions[following].key)
    elif previous is not None:
        start = source.end(source.positions[previous].value)
    insert = "{}" if len(siblings) == 1 and not source.in_braces(path) else ""
    text = source.text[:start] + insert + source.text[end:]
    # At the top, the mapping starts at its first key, which may be the next one now.
    first = source.start(parent)
    return text, first


def has_free_keys(path):
    return model_at(path[:-1]) is None


def cases():
    for name in ("payments", "minimal"):
        text = (SPECS / f"{name}.yaml").read_text()
        source = Source(text, parse(text, "migration.yaml", SPECS).positions)
        for path, place in source.positions.items():
            label = f"{name}:{'.'.join(map(str, path))}"
            if not source.children(path):
                yield pytest.param(source, path, wrong_type, "PMG103 PMG104 PMG107 PMG108", id=f"{label}:type")
                if place.key is not None:
                    yield pytest.param(source, path, duplicate_key, "PMG003", id=f"{label}:duplicate")
                    if not has_free_keys(path):
                        yield pytest.param(source, path, unknown_key, "PMG101", id=f"{label}:unknown")
            field = field_at(path) if path else None
            if place.key is not None and field is not None and field.is_required():
                yield pytest.param(source, path, missing_key, "PMG102", id=f"{label}:missing")


@pytest.mark.parametrize(("source", "path", "damage", "codes"), list(cases()))
def test_a_broken_leaf_gives_one_diagnostic_at_that_leaf(source, path, damage, codes):
    text, offset = damage(source, path)
    with pytest.raises(SpecError) as refused:
        parse(text, "migration.yaml", SPECS)
    (found,) = refused.value.diagnostics
    assert found.code in codes.split()
    assert (found.line, found.column) == place_at(text, offset)
    assert found.hint


def scalars(data, key=None):
    """Yield the key of every scalar, None for an entry of a list."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from scalars(value, name)
    elif isinstance(data, list):
        for value in data:
            yield from scalars(value)
    else:
        yield key


def test_the_walk_is_complete():
    """As many leaves are broken as another reader counts."""
    keys = [
        key
        for name in ("payments", "minimal")
        for key in scalars(YAML(typ="safe", pure=True).load(SPECS / f"{name}.yaml"))
    ]
    damages = [case.values[2] for case in cases()]
    assert damages.count(wrong_type) == len(keys)
    assert damages.count(duplicate_key) == len([key for key in keys if key is not None])
    free = [key for key in keys if key in ("Owner", "CostCenter")]
    assert damages.count(unknown_key) == damages.count(duplicate_key) - len(free)
    assert damages.count(missing_key) > 40
