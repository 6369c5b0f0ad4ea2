"""`paymig compile`: templates and bundles in a folder, or in one for each environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paymig.findings import FOR_SERVICES, findings_option, rendered, show
from paymig.options import spec_argument

if TYPE_CHECKING:
    from compiler.compile import Compiled
    from paymig.stamp import Stamp
    from schemas.diagnostics import Diagnostic
    from schemas.spec import Spec


@click.command(epilog="Example: paymig compile specs/payments.yaml -o build --lint")
@spec_argument
@click.option("--all-environments", is_flag=True, help="Compile every environment, each into DIR/<environment>.")
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
@click.pass_obj
def command(
    stamp: "Stamp | None",
    spec: Path,
    environment: str | None,
    all_environments: bool,
    output_folder: Path,
    lint: bool,
    output: str,
) -> int:
    """Compile SPEC to CloudFormation nested stacks and Lambda bundles.

    Writes templates/root.json, a template for each component, assets/*.zip, source-map.json and manifest.json. The same
    spec always gives the same bytes. AWS is not contacted.

    The same command over unchanged files, its own output included, does nothing and says the same again.
    """
    from compiler.compile import compile_spec, write
    from schemas.diagnostics import SpecError
    from schemas.load import load, load_all

    if environment and all_environments:
        raise click.UsageError("--environment names one, --all-environments asks for all: give one of them.")
    try:
        specs = load_all(spec) if all_environments else (load(spec, environment),)
        results = {_folder(output_folder, one, all_environments): compile_spec(one) for one in specs}
    except SpecError as error:
        if output not in FOR_SERVICES:
            raise
        show(error.diagnostics, error.sources, output)
        return 1
    written = [path for folder, compiled in results.items() for path in write(compiled, folder)]
    findings = _lint(results) if lint else dict.fromkeys(results, ())
    every = tuple(dict.fromkeys(finding for found in findings.values() for finding in found))
    if output in FOR_SERVICES:
        text = rendered((*specs[0].warnings, *every), {}, output)
    elif output == "json":
        text = _json(results, findings, all_environments)
    else:
        told = rendered(every, {specs[0].file: specs[0].text}, output) if every else ""
        text = "\n".join(filter(None, (told, *(_line(compiled, folder) for folder, compiled in results.items()))))
    said = f"{text}\n" if text else ""
    click.echo(said, nl=False)
    failed = any(found.severity == "error" for found in every)
    if stamp is not None and not failed:
        stamp.keep(said, [str(spec), *sorted(map(str, specs[0].files))], map(str, written))
    return int(failed)


def _folder(output_folder: Path, spec: "Spec", all_environments: bool) -> Path:
    return output_folder / spec.migration.environment if all_environments else output_folder


def _line(compiled: "Compiled", folder: Path) -> str:
    return f"{len(compiled.templates)} templates and {len(compiled.assets)} bundles in {folder}"


def _json(
    results: "Mapping[Path, Compiled]", findings: "Mapping[Path, tuple[Diagnostic, ...]]", all_environments: bool
) -> str:
    import json
    from dataclasses import asdict

    found: dict[str, Any] = {
        compiled.migration.environment: {
            "folder": str(folder),
            "templates": sorted(compiled.templates),
            "assets": sorted(compiled.assets),
            "findings": [asdict(finding) for finding in findings[folder]],
        }
        for folder, compiled in results.items()
    }
    return json.dumps({"environments": found} if all_environments else next(iter(found.values())), indent=2)


def _lint(results: "Mapping[Path, Compiled]") -> "dict[Path, tuple[Diagnostic, ...]]":
    from compiler.lint import LintError, lint_all
    from paymig.errors import PaymigError

    try:
        return dict(zip(results, lint_all(list(results.values())), strict=True))
    except LintError as error:
        raise PaymigError(str(error)) from error
