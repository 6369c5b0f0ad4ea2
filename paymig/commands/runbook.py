"""`paymig runbook`: the migration, step by step, for the night it happens."""

from pathlib import Path
from typing import Any

import click

from paymig.options import spec_argument


@click.command(epilog="Example: paymig runbook migration.yaml --rehearsal report/rehearsal.json -o runbook.html")
@spec_argument
@click.option(
    "--rehearsal",
    "rehearsed",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="rehearsal.json of the last `paymig rehearse --report`: what each command printed and how long it took.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write FILE.md, or FILE.html as one page; without it Markdown goes to standard output.",
)
def command(spec: Path, environment: str | None, rehearsed: Path | None, output: Path | None) -> None:
    """Write the runbook of SPEC: prerequisites, timetable, each command, when to go on, and the way back at each point.

    AWS is not contacted. With --rehearsal the commands come with what they printed and how long they took.
    """
    from compiler import graph
    from compiler.compile import compile_spec
    from paymig.runbook.blocks import Drawing, html, markdown
    from paymig.runbook.write import runbook
    from schemas.load import load

    if output is not None and output.suffix not in (".md", ".html"):
        raise click.BadParameter(f"{output}: the name must end with .md or .html", param_hint="--output")
    loaded = load(spec, environment)
    drawn = graph.read(compile_spec(loaded).templates["root"])
    name = loaded.migration.full_name
    mermaid = f"```mermaid\n{graph.mermaid(drawn)}```"
    blocks = runbook(loaded, _read(rehearsed) if rehearsed else None, Drawing(graph.svg(drawn, name), mermaid))
    if output is None:
        click.echo(markdown(blocks), nl=False)
    else:
        output.write_text(markdown(blocks) if output.suffix == ".md" else html(f"Runbook: {name}", blocks))


def _read(file: Path) -> dict[str, Any]:
    import json

    try:
        data = json.loads(file.read_text())
        if {"began", "verdict", "migration", "phases"} <= data.keys():
            return dict(data)
    except (ValueError, AttributeError):
        pass
    raise click.BadParameter(f"{file} is no rehearsal.json of `paymig rehearse --report`", param_hint="--rehearsal")
