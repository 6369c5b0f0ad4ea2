"""`paymig evidence`: what the templates show of PCI DSS."""

from pathlib import Path

import click

from paymig.options import spec_argument


def _numbers(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


@click.command(
    epilog="Example: paymig evidence specs/payments.yaml --format html -o evidence.html --require 1.3.1,4.2.1"
)
@spec_argument
@click.option(
    "--format",
    "output",
    type=click.Choice(["markdown", "html", "json"]),
    default="markdown",
    show_default=True,
    help="Report as.",
)
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report there instead of to standard output.",
)
@click.option(
    "--require",
    metavar="NUMBERS",
    callback=_numbers,
    help="Requirements, with commas between, that must be shown by the template.",
)
def command(spec: Path, environment: str | None, output: str, file: Path | None, require: tuple[str, ...]) -> int:
    """Report what SPEC's templates show of PCI DSS v4.0.1, and the inventories that it asks for.

    Each requirement is "shown by the template", with the resources and properties that show it, "left to process", or
    "not shown", with what speaks against it. Exit code 8 when one of --require is not shown by the template.
    """
    from compiler.compile import compile_spec
    from compiler.evidence.assess import Verdict, unshown
    from compiler.evidence.html import html
    from compiler.evidence.markdown import markdown
    from compiler.evidence.report import report, to_json
    from compiler.evidence.requirements import REQUIREMENTS
    from paymig.errors import UNHEALTHY
    from schemas.load import load

    known = [number for requirement in REQUIREMENTS for number in requirement.numbers]
    if unknown := [number for number in require if number not in known]:
        raise click.BadParameter(
            f"{', '.join(unknown)}: not in the table. It has {', '.join(known)}.", param_hint="--require"
        )
    made = report(compile_spec(load(spec, environment)))
    text = {"markdown": markdown, "html": html, "json": to_json}[output](made)
    if file is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        file.write_text(text, encoding="utf-8")
        counts = ", ".join(f"{made.count(verdict)} {verdict}" for verdict in Verdict)
        click.echo(f"{file}: {counts}")
    failed = tuple(unshown(made.findings, require))
    for number, finding in failed:
        click.echo(f"error: {number} is {finding.verdict}: {finding.requirement.what}", err=True)
    return UNHEALTHY if failed else 0
