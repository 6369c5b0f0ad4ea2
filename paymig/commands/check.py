"""`paymig check`: every error of a spec at once."""

import sys
from pathlib import Path

import click

from paymig.options import format_option, spec_argument


@click.command(epilog="Example: paymig check specs/payments.yaml --environment staging")
@spec_argument
@format_option
def command(spec: Path, environment: str | None, output: str) -> int:
    """Check SPEC and show every error at once, each with its line and column.

    Nothing is compiled and nothing is contacted. Exit code 1 when there are errors.
    """
    from schemas.diagnostics import SpecError, render_json, render_text
    from schemas.load import load

    try:
        loaded = load(spec, environment)
    except SpecError as error:
        if output == "json":
            click.echo(render_json(error.diagnostics))
        else:
            click.echo(render_text(error.diagnostics, error.sources, color=sys.stdout.isatty()))
        return 1
    if output == "json":
        click.echo(render_json(loaded.warnings))
        return 0
    if loaded.warnings:
        click.echo(render_text(loaded.warnings, {loaded.file: loaded.text}))
    click.echo(f"{spec}: good ({loaded.migration.full_name}, {loaded.migration.region})")
    return 0
