"""`paymig init`: a first migration.yaml."""

from importlib.resources import files
from pathlib import Path

import click

from paymig.errors import Refused


@click.command(epilog="Example: paymig init && $EDITOR migration.yaml && paymig check")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default="migration.yaml")
def command(path: Path) -> None:
    """Write a first spec to PATH (migration.yaml) and the JSON Schema beside it.

    An existing spec is never overwritten.
    """
    schema = path.with_name("migration.schema.json")
    try:
        with path.open("x") as file:
            file.write(files("paymig").joinpath("first.yaml").read_text())
    except FileExistsError:
        raise Refused(f"{path} exists already", f"choose another name, or look at it: paymig check {path}") from None
    schema.write_text(files("schemas").joinpath("migration.schema.json").read_text())
    click.echo(
        f"Wrote {path} and {schema.name}. Fill in your own values and put the certificate of your database's authority "
        f"beside it, then: paymig check {path}"
    )
