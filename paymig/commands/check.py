"""`paymig check`: every error of a spec at once."""

from pathlib import Path

import click

from paymig.findings import findings_option, show
from paymig.options import specs_argument


@click.command(epilog="Example: paymig check specs/payments.yaml --environment staging")
@specs_argument
@findings_option
def command(specs: tuple[Path, ...], environment: str | None, output: str) -> int:
    """Check each SPEC and show every error at once, each with its line and column.

    Nothing is compiled and nothing is contacted. Exit code 1 when there are errors.
    """
    from schemas.diagnostics import Diagnostic, SpecError
    from schemas.load import load

    found: list[Diagnostic] = []
    sources: dict[str, str] = {}
    good: list[str] = []
    for spec in specs:
        try:
            loaded = load(spec, environment)
        except SpecError as error:
            found += error.diagnostics
            sources |= error.sources
        else:
            found += loaded.warnings
            sources[loaded.file] = loaded.text
            good.append(f"{spec}: good ({loaded.migration.full_name}, {loaded.migration.region})")
    if found or output != "text":
        show(found, sources, output)
    if output == "text":
        for line in good:
            click.echo(line)
    return int(len(good) < len(specs))
