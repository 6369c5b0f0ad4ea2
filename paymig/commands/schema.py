"""`paymig schema`: the JSON Schema, for editors."""

from importlib.resources import files

import click


@click.command(epilog="Example: paymig schema > migration.schema.json")
def command() -> None:
    """Print the JSON Schema of migration.yaml.

    An editor with YAML support completes and explains every field when the file begins with
    "# yaml-language-server: $schema=migration.schema.json".
    """
    click.echo(files("schemas").joinpath("migration.schema.json").read_text(), nl=False)
