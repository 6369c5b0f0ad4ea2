"""`paymig rollback`: all traffic back to the source."""

from pathlib import Path

import click

from paymig.options import aws_options, format_option, spec_argument, yes_option


@click.command(epilog="Example: paymig rollback --yes")
@spec_argument
@yes_option
@aws_options
@format_option
def command(
    spec: Path,
    environment: str | None,
    yes: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    output: str,
) -> None:
    """Send all traffic back to the source, at once and in one batch.

    Only the DNS weights are touched, so it works whatever state the stacks are in. Nothing can be lost: the source is
    the only database that takes writes.
    """
    from paymig.aws.session import Aws
    from paymig.console import Console
    from paymig.traffic import move
    from schemas.load import load

    migration = load(spec, environment).migration
    console = Console(output)
    aws = Aws.for_spec(migration.region, profile, region, endpoint_url)
    move(aws, migration, 0, console, yes).show(console)
