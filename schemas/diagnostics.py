"""What is wrong with a spec, where, why and how to mend it; as data, as text for people and as JSON for programs."""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Self

SpecPath = tuple[str | int, ...]
"""Keys and list indexes from the top of the spec: `("cutover", "steps", 0, "to")`."""

_NO_SOURCES: Mapping[str, str] = MappingProxyType({})


class Span(NamedTuple):
    """A stretch of a file: lines and columns from 1, in characters, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Severity(StrEnum):
    """How bad it is: only an error stops."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Diagnostic:
    """One finding.

    Attributes:
        code: a key of `schemas.codes.CODES`.
        message: what is wrong, with the values, one line.
        path: the place in the spec as keys and indexes.
        file: as the operator named it.
        line: from 1, like `column`, `end_line` and `end_column` (exclusive), in characters.
        hint: how to mend it.
    """

    code: str
    severity: Severity
    message: str
    path: SpecPath
    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    hint: str | None = None

    @classmethod
    def at(
        cls,
        span: Span,
        code: str,
        message: str,
        *,
        path: SpecPath = (),
        file: str,
        hint: str | None = None,
        severity: Severity = Severity.ERROR,
    ) -> Self:
        """Make a diagnostic of a span."""
        return cls(code, severity, message, path, file, *span, hint)

    @property
    def span(self) -> Span:
        """Where it is."""
        return Span(self.line, self.column, self.end_line, self.end_column)


class SpecError(Exception):
    """A spec with errors, all of them.

    Attributes:
        diagnostics: sorted by position, none twice; warnings may be among them.
        sources: text of each file they speak of, with secrets blotted out, for `render_text`.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] = _NO_SOURCES) -> None:
        self.diagnostics = in_order(diagnostics)
        self.sources = sources
        super().__init__("; ".join(f"{d.file}:{d.line}:{d.column}: {d.code} {d.message}" for d in self.diagnostics))


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort by position; of those with the same code and place, keep the first."""
    unique: dict[tuple[str, int, int, str, SpecPath], Diagnostic] = {}
    for found in diagnostics:
        unique.setdefault((found.file, found.line, found.column, found.code, found.path), found)
    return tuple(unique[key] for key in sorted(unique, key=lambda key: (key[:4], str(key[4]))))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them stops."""
    return any(found.severity is Severity.ERROR for found in diagnostics)


def render_json(diagnostics: Sequence[Diagnostic]) -> str:
    """Write diagnostics as a JSON array of objects with the fields of `Diagnostic`."""
    return json.dumps([asdict(found) for found in diagnostics], indent=2, ensure_ascii=False)


_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}


def render_text(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, str] = _NO_SOURCES, color: bool = False
) -> str:
    """Write diagnostics for people: place, message, source line with the span underlined, hint, and a count.

    Args:
        diagnostics: in the order they shall appear.
        sources: file name to text; a file that is not there is shown without its line.
        color: whether to use terminal colours.
    """
    lines = {file: text.removeprefix("\ufeff").splitlines() for file, text in sources.items()}

    def paint(text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if color else text

    def one(found: Diagnostic) -> Iterator[str]:
        label = paint(f"{found.severity}[{found.code}]", f"1;{_COLORS[found.severity]}")
        yield f"{paint(f'{found.file}:{found.line}:{found.column}', '1')}: {label}: {_printable(found.message)}"
        text = lines.get(found.file, [])
        if found.line <= len(text):
            source = text[found.line - 1]
            gutter = len(str(found.line))
            indent, marks = _underline(source, found.span)
            yield f" {found.line} | {_printable(source)}".rstrip()
            yield f" {' ' * gutter} | {' ' * indent}{paint('^' * marks, _COLORS[found.severity])}"
        if found.hint:
            yield f"  {paint('hint', '1')}: {_printable(found.hint)}"

    blocks = ["\n".join(one(found)) for found in diagnostics]
    return "\n\n".join([*blocks, _count(diagnostics)])


def _underline(source: str, span: Span) -> tuple[int, int]:
    """Return how many terminal cells lie before the span and how many it covers on its first line."""
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(source.rstrip())
    return _cells(source[:start]), max(1, _cells(source[start:end]))


def _cells(text: str) -> int:
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _printable(text: str) -> str:
    """Replace what would move or recolour the terminal; a tab becomes one space, so that the underline fits."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def _count(diagnostics: Sequence[Diagnostic]) -> str:
    counts = [(sum(found.severity is severity for found in diagnostics), severity) for severity in Severity]
    return ", ".join(f"{n} {severity}{'s' if n > 1 else ''}" for n, severity in counts if n) or "no errors"
