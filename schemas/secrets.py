"""Secrets that are written into a spec, and how to keep them out of every message."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from schemas.diagnostics import Diagnostic, Span, SpecPath
from schemas.positions import Document, place_of
from schemas.words import dotted

_WORDS = (
    r"passwords?|passwd|passphrase|pwd|tokens?|api[_-]?key|(?:secret|private|access)[_-]?key(?:[_-]?id)?|credentials?"
)
_NAME = re.compile(rf"(?:{_WORDS}|secret)$", re.IGNORECASE)
_LITERAL = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS access keys
    r"|\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@"  # a URL with a password
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}"  # a JSON web token
    r"|\b(?:gh[pousr]_\w{20,}|xox[abprs]-[\w-]{10,}|sk_live_\w{10,})"  # tokens of well-known services
)
_ASSIGNED = re.compile(
    rf"((?:{_WORDS}|secret)[\"']?[ \t]*:(?:[ \t]+|[ \t]*\n[ \t]+(?![\w-]+:\s)))(?!arn:)([^\s#][^,}}\]\n]*)",
    re.IGNORECASE,
)
# Shorter ones would blot out innocent text all over the file.
_TELLING = 6

_HINT = (
    "keep it in AWS Secrets Manager and write only the secret's ARN, at source.database.secret; "
    "what was written here should be changed"
)


def find(document: Document, file: str) -> Iterator[Diagnostic]:
    """Find values that are secrets by the name of their key or by their form; the value itself is never shown."""
    for path, _ in _secrets(document.data, (), False):
        span = place_of(document.positions, path).value
        yield Diagnostic.at(span, "PMG110", f"{dotted(path)} must not hold a secret", path=path, file=file, hint=_HINT)


def blot(text: str, document: Document, spans: Iterable[Span]) -> str:
    """Cover secrets with asterisks: those in `spans`, their other occurrences, and what looks like one."""
    lines = text.removeprefix("\ufeff").splitlines()
    for span in spans:
        for number in range(span.line, min(span.end_line, len(lines)) + 1):
            line = lines[number - 1]
            start = span.column - 1 if number == span.line else 0
            end = span.end_column - 1 if number == span.end_line else len(line)
            lines[number - 1] = line[:start] + "*" * len(line[start:end]) + line[end:]
    covered = "\n".join(lines)
    for _, value in _secrets(document.data, (), False):
        if len(str(value)) >= _TELLING:
            covered = covered.replace(str(value), "*" * len(str(value)))
    covered = _ASSIGNED.sub(lambda match: match[1] + "*" * len(match[2]), covered)
    return _LITERAL.sub(lambda match: "*" * len(match[0]), covered)


def _secrets(value: Any, path: SpecPath, named: bool) -> Iterator[tuple[SpecPath, Any]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _secrets(entry, (*path, key), named or _NAME.search(key) is not None)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _secrets(entry, (*path, index), named)
    elif isinstance(value, str):
        if (named and value and not value.startswith("arn:")) or _LITERAL.search(value):
            yield path, value
    elif named and value is not None and not isinstance(value, bool):
        yield path, value
