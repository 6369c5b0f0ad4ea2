"""A YAML text as plain data, together with where each key and value stands.

Read as YAML 1.2: `yes`, `on` and `12:30` are text, only `true` and `false` are booleans. What a spec has no use for
and what surprises readers is refused: merge keys, tags, several documents, keys that are no text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from schemas.diagnostics import Diagnostic, Span, SpecPath
from schemas.scalars import UNUSABLE, resolve
from schemas.syntax import syntax_error
from schemas.words import clip, describe, quote

_LARGEST = 1 << 20
_DEEPEST = 40
_MOST_VALUES = 20_000


_Collection = SequenceStartEvent | MappingStartEvent
_Node = ScalarEvent | AliasEvent | _Collection


class Place(NamedTuple):
    """Where a key and its value stand; an entry of a list and the top have no key."""

    key: Span | None
    value: Span

    @property
    def start(self) -> Span:
        """The key, or the value where there is no key."""
        return self.key or self.value


Positions = Mapping[SpecPath, Place]
"""The place of each path that is written down; `()` is the top."""


@dataclass(frozen=True)
class Document:
    """What a YAML text says.

    Attributes:
        data: mappings, lists, text, numbers, booleans and None; of a key given twice, its first value.
        positions: a place for each path in `data`; below an alias only the alias itself has one.
        diagnostics: what is wrong with it as YAML; after a syntax error `data` is empty.
    """

    data: dict[str, Any]
    positions: Positions
    diagnostics: tuple[Diagnostic, ...]


def place_of(positions: Positions, path: SpecPath) -> Place:
    """Return the place of a path, or of its nearest ancestor that is written down."""
    while path not in positions:
        path = path[:-1]
    return positions[path]


def read(text: str, file: str) -> Document:
    """Read a YAML text; never raises for what the text holds.

    Args:
        text: the file's text.
        file: its name, for the diagnostics.
    """
    text = text.removeprefix("\ufeff")
    reader = _Reader(file)
    try:
        reader.read(text)
    except _Stop as stop:
        reader.diagnostics.append(stop.diagnostic)
        return Document({}, {(): Place(None, _START)}, tuple(reader.diagnostics))
    except YAMLError as error:
        reader.diagnostics.append(syntax_error(error, text, file))
        return Document({}, {(): Place(None, _START)}, tuple(reader.diagnostics))
    return Document(reader.top, reader.positions, tuple(reader.diagnostics))


_START = Span(1, 1, 1, 1)


class _Stop(Exception):
    """There is nothing more to read."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class _Value(NamedTuple):
    data: Any
    span: Span
    size: int


@dataclass
class _Reader:
    file: str
    top: Any = None
    positions: dict[SpecPath, Place] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _anchors: dict[str, _Value | None] = field(default_factory=dict)
    _values: int = 0

    def read(self, text: str) -> None:
        if len(text) > _LARGEST:
            self._stop(_START, "PMG009", f"the file has {len(text)} characters, more than {_LARGEST}")
        # ruamel's `parse` is untyped; its events are not.
        events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self._document(event, events)
        if isinstance(self.top, dict):
            return
        if self.positions:
            hint = "the top of a spec is a mapping and starts with `version: 1`"
            self._stop(self.positions[()].value, "PMG005", f"expected a mapping, found {describe(self.top)}", hint)
        else:
            self._stop(_START, "PMG005", "the file is empty", "start from an example: paymig init")

    def _document(self, start: DocumentStartEvent, events: Iterator[Event]) -> None:
        if self.positions:
            hint = "keep one spec in a file, and delete from the `---` on"
            self._stop(_span(start), "PMG005", "a second document starts here", hint)
        if start.version is not None and start.version != (1, 2):
            self._stop(_span(start), "PMG005", "the spec is read as YAML 1.2", "delete the %YAML line")
        self.top = self._value(_node(events), events, (), None).data

    def _value(self, event: _Node, events: Iterator[Event], path: SpecPath, key: Span | None) -> _Value:
        self._values += 1
        if isinstance(event, AliasEvent):
            value = self._alias(event)
        elif isinstance(event, ScalarEvent):
            value = self._scalar(event, key)
        else:
            value = self._collection(event, events, path)
        if self._values > _MOST_VALUES:
            hint = "an alias counts as often as it is used"
            self._stop(value.span, "PMG009", f"more than {_MOST_VALUES} values", hint)
        if not isinstance(event, AliasEvent) and event.anchor:
            self._anchors[event.anchor] = value
        self.positions[path] = Place(key, value.span)
        return value

    def _alias(self, event: AliasEvent) -> _Value:
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            why = "stands for itself" if event.anchor in self._anchors else "has no anchor before it"
            hint = f"write `&{event.anchor}` before the value it stands for"
            self._stop(_span(event), "PMG002", f"the alias *{event.anchor} {why}", hint)
        self._values += anchored.size
        return _Value(anchored.data, _span(event), anchored.size)

    def _collection(self, event: _Collection, events: Iterator[Event], path: SpecPath) -> _Value:
        if len(path) >= _DEEPEST:
            self._stop(_span(event), "PMG009", f"more than {_DEEPEST} levels deep")
        self._check_tag(event)
        if event.anchor:
            self._anchors[event.anchor] = None  # until it is complete: inside, an alias would never end
        read = self._list if isinstance(event, SequenceStartEvent) else self._mapping
        return read(event, events, path)

    def _list(self, start: _Collection, events: Iterator[Event], path: SpecPath) -> _Value:
        before, items, last, event = self._values, list[Any](), None, cast(Event, start)
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            last = self._value(cast(_Node, event), events, (*path, len(items)), None)
            items.append(last.data)
        return _Value(items, _enclosing(start, event, last), 1 + self._values - before)

    def _mapping(self, start: _Collection, events: Iterator[Event], path: SpecPath) -> _Value:
        before, mapping, last, event = self._values, dict[str, Any](), None, cast(Event, start)
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            name = self._key(event, events, path)
            if name is None:
                last = self._aside(events, path)
            elif name in mapping:
                first = self.positions[*path, name].start
                message = f"the key {quote(name)} is given twice"
                hint = f"the first is on line {first.line}: keep one of them"
                self._report(_span(event), "PMG003", message, hint, (*path, name))
                last = self._aside(events, path)
            else:
                last = self._value(_node(events), events, (*path, name), _span(event))
                mapping[name] = last.data
        return _Value(mapping, _enclosing(start, event, last), 1 + self._values - before)

    def _key(self, event: Event, events: Iterator[Event], path: SpecPath) -> str | None:
        """Return a key's text, or None after reporting why it can't be one."""
        if isinstance(event, ScalarEvent):
            key = self._scalar(event, None).data
            if isinstance(key, str) and not (key == "<<" and event.implicit[0]):
                return key
            if key == "<<":
                hint = "write the keys out, or give the whole mapping an anchor and use it as a value"
                self._report(_span(event), "PMG004", "merge keys (<<) are not part of YAML 1.2", hint, path)
            else:
                message = f"a key must be text, not {describe(key)}"
                self._report(_span(event), "PMG007", message, f'quote it: "{clip(event.value)}"', path)
            return None
        span = _span(event)
        if not isinstance(event, AliasEvent):
            span = self._aside(events, path, cast(_Node, event)).span
        self._report(span, "PMG007", "a key must be text, not a list, a mapping or an alias", "write it out", path)
        return None

    def _aside(self, events: Iterator[Event], path: SpecPath, first: _Node | None = None) -> _Value:
        """Read a value that is checked as YAML but not kept."""
        kept, self.positions = self.positions, {}
        value = self._value(first or _node(events), events, path, None)
        self.positions = kept
        return value

    def _scalar(self, event: ScalarEvent, key: Span | None) -> _Value:
        self._check_tag(event)
        span = _span(event)
        if key is not None and span[:2] == span[2:]:
            span = key  # nothing is written after the colon
        if not event.implicit[0]:
            return _Value(self._quoted(event), span, 1)
        data = resolve(event.value)
        if data is UNUSABLE:
            message = f"{clip(event.value)} is no number that can be used"
            self._report(span, "PMG008", message, "write a finite number, or quote it if it is meant as text")
            data = 0
        return _Value(data, span, 1)

    def _quoted(self, event: ScalarEvent) -> str:
        """Return a quoted text, in which two escapes may stand for the halves of one character, as JSON writes it."""
        text: str = event.value
        if text.isascii():
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._stop(_span(event), "PMG002", "an escape stands for half a character", "write the character itself")

    def _check_tag(self, event: ScalarEvent | _Collection) -> None:
        if event.ctag is not None:
            message = f"the tag {clip(str(event.ctag))} is not read"
            self._report(_span(event), "PMG006", message, 'delete the tag; quote what must stay text, such as "16.10"')

    def _report(self, span: Span, code: str, message: str, hint: str, path: SpecPath = ()) -> None:
        self.diagnostics.append(Diagnostic.at(span, code, message, path=path, file=self.file, hint=hint))

    def _stop(self, span: Span, code: str, message: str, hint: str | None = None) -> NoReturn:
        raise _Stop(Diagnostic.at(span, code, message, file=self.file, hint=hint))


def _node(events: Iterator[Event]) -> _Node:
    return cast(_Node, next(events))  # the grammar: after a key or the start of a document there is a value


def _span(event: Event) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _enclosing(start: _Collection, end: Event, last: _Value | None) -> Span:
    """Return a collection's span; the parser ends one without brackets only where the next thing begins."""
    if not start.flow_style and last is not None:
        return Span(*_span(start)[:2], *last.span[2:])
    return Span(*_span(start)[:2], *_span(end)[2:])
