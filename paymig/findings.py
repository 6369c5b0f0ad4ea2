"""How `check` and `compile` tell their findings: to people, to programs, to a GitHub workflow, to code scanning."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from schemas.diagnostics import Diagnostic

F = TypeVar("F", bound=Callable[..., Any])

FOR_SERVICES = ("github", "sarif")
"""Formats that hold findings and nothing else, whatever the command does besides."""


def findings_option(command: F) -> F:
    """`--format text|json|github|sarif`."""
    return click.option(
        "--format",
        "output",
        type=click.Choice(["text", "json", *FOR_SERVICES]),
        default="text",
        show_default=True,
        help="Result as; github: annotations of a workflow, sarif: SARIF 2.1.0 for code scanning.",
    )(command)


def show(diagnostics: "Sequence[Diagnostic]", sources: Mapping[str, str], output: str) -> None:
    """Print findings on standard output in a format of `findings_option`."""
    if text := rendered(diagnostics, sources, output):
        click.echo(text)


def rendered(diagnostics: "Sequence[Diagnostic]", sources: Mapping[str, str], output: str) -> str:
    """Word findings in a format of `findings_option`; nothing may be nothing."""
    if output == "github":
        from schemas.formats.github import render_github

        return render_github(diagnostics)
    if output == "sarif":
        from schemas.formats.sarif import render_sarif

        return render_sarif(diagnostics)
    if output == "json":
        from schemas.diagnostics import render_json

        return render_json(diagnostics)
    from schemas.diagnostics import render_text

    return render_text(diagnostics, sources, color=sys.stdout.isatty())
