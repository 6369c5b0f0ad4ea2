"""`paymig compile`: templates and bundles in a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from paymig.findings import FOR_SERVICES, findings_option, show
from paymig.options import spec_argument

if TYPE_CHECKING:
    from compiler.compile import Compiled
    from schemas.diagnostics import Diagnostic


@click.command(epilog="Example: paymig compile specs/payments.yaml -o build --lint")
@spec_argument
@click.option(
    "-o",
    "--output-folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default="build",
    show_default=True,
    help="Where to write.",
)
@click.option("--lint", is_flag=True, help="Run cfn-lint over the result; its findings name lines of the spec.")
@findings_option
def command(spec: Path, environment: str | None, output_folder: Path, lint: bool, output: str) -> int:
    """Compile SPEC to CloudFormation nested stacks and Lambda bundles.

    Writes templates/root.json, a template for each component, assets/*.zip, source-map.json and manifest.json. The same
    spec always gives the same bytes. AWS is not contacted.
    """
    import json

    from compiler.compile import compile_spec, write
    from schemas.diagnostics import SpecError
    from schemas.load import load

    try:
        loaded = load(spec, environment)
        compiled = compile_spec(loaded)
    except SpecError as error:
        if output not in FOR_SERVICES:
            raise
        show(error.diagnostics, error.sources, output)
        return 1
    write(compiled, output_folder)
    findings = _lint(compiled) if lint else ()
    if output in FOR_SERVICES:
        show((*loaded.warnings, *findings), {}, output)
    elif output == "json":
        from dataclasses import asdict

        result = {
            "folder": str(output_folder),
            "templates": sorted(compiled.templates),
            "assets": sorted(compiled.assets),
            "findings": [asdict(found) for found in findings],
        }
        click.echo(json.dumps(result, indent=2))
    else:
        if findings:
            show(findings, {loaded.file: loaded.text}, output)
        click.echo(f"{len(compiled.templates)} templates and {len(compiled.assets)} bundles in {output_folder}")
    return int(any(found.severity == "error" for found in findings))


def _lint(compiled: "Compiled") -> "tuple[Diagnostic, ...]":
    from compiler.lint import LintError, lint
    from paymig.errors import PaymigError

    try:
        return lint(compiled)
    except LintError as error:
        raise PaymigError(str(error)) from error
