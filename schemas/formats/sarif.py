"""Diagnostics as SARIF 2.1.0, which code scanning services and editors read."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from schemas.codes import CODES
from schemas.diagnostics import Diagnostic, Severity
from schemas.formats.pages import pages, section

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def render_sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """Write one run with every rule that a diagnostic can name."""
    codes = list(CODES)
    driver = {"name": "paymig", "version": version("paymig"), "rules": [_rule(code) for code in codes]}
    run = {
        "tool": {"driver": driver},
        # Columns count characters, not bytes or UTF-16 units.
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, codes.index(found.code)) for found in diagnostics],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    page = pages()[code]
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in _words(CODES[code])),
        "shortDescription": {"text": CODES[code]},
        "fullDescription": {"text": section(page, "")},
        "help": {"text": f"{section(page, 'Why')}\n\n{section(page, 'How to mend it')}", "markdown": page},
    }


def _words(title: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in title.replace("'", "")).split()


def _result(found: Diagnostic, index: int) -> dict[str, Any]:
    region = {
        "startLine": found.line,
        "startColumn": found.column,
        "endLine": found.end_line,
        "endColumn": found.end_column,
    }
    return {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": _LEVELS[found.severity],
        "message": {"text": found.message + (f"\nHint: {found.hint}" if found.hint else "")},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(found.file)}, "region": region}}],
    }


def _uri(file: str) -> str:
    """Return a relative file as a relative reference, which services take to be below the checkout."""
    path = PurePath(file)
    return Path(file).as_uri() if path.is_absolute() else quote(path.as_posix())
