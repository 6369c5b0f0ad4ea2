"""`paymig graph`: a picture of the components."""

from pathlib import Path

import click

from paymig.options import spec_argument


@click.command(epilog="Example: paymig graph specs/payments.yaml -o payments.svg")
@spec_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write FILE.svg as a picture, or FILE.mmd as Mermaid; without it Mermaid goes to standard output.",
)
def command(spec: Path, environment: str | None, output: Path | None) -> None:
    """Draw SPEC's components and what flows between them, read off the compiled root template."""
    from compiler import graph
    from compiler.compile import compile_spec
    from schemas.load import load

    loaded = load(spec, environment)
    drawn = graph.read(compile_spec(loaded).templates["root"])
    if output is None:
        click.echo(graph.mermaid(drawn), nl=False)
    elif output.suffix == ".svg":
        output.write_text(graph.svg(drawn, loaded.migration.full_name))
    elif output.suffix in (".mmd", ".md"):
        output.write_text(graph.mermaid(drawn))
    else:
        raise click.BadParameter(f"{output}: the name must end with .svg or .mmd", param_hint="--output")
