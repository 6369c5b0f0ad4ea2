"""Diagnostics as commands of a GitHub workflow, which shows them beside the lines of a pull request."""

from collections.abc import Sequence

from schemas.codes import CODES
from schemas.diagnostics import Diagnostic, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_github(diagnostics: Sequence[Diagnostic]) -> str:
    """Write one command a line; nothing for no diagnostics."""
    return "\n".join(_command(found) for found in diagnostics)


def _command(found: Diagnostic) -> str:
    properties = {"file": found.file, "line": found.line, "endLine": found.end_line}
    if found.line == found.end_line:
        # Columns are shown for a single line only; the last one counts as part of it.
        properties |= {"col": found.column, "endColumn": max(found.column, found.end_column - 1)}
    properties["title"] = f"{found.code} {CODES[found.code]}"
    text = found.message + (f"\nhint: {found.hint}" if found.hint else "")
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMANDS[found.severity]} {listed}::{_text(text)}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
