"""`paymig rollback`: all traffic back to the source."""

from pathlib import Path

import click

from paymig.options import aws_options, format_option, spec_argument, why_option, yes_option


@click.command(epilog="Example: paymig rollback --yes")
@spec_argument
@click.option(
    "--without-journal",
    is_flag=True,
    help="Go back although the journal does not answer: you know that the source is the writer.",
)
@yes_option
@why_option
@aws_options
@format_option
def command(
    spec: Path,
    environment: str | None,
    without_journal: bool,
    yes: bool,
    why: str,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    output: str,
) -> None:
    """Send all traffic back to the source, at once and in one batch.

    Only the DNS weights are touched, so it works whatever state the stacks are in. The lease is taken over from whoever
    holds it. Nothing can be lost: the source is the only database that takes writes.
    """
    from paymig.aws.session import Aws
    from paymig.console import Console
    from paymig.rollback import roll_back
    from schemas.load import load

    migration = load(spec, environment).migration
    console = Console(output)
    aws = Aws.for_spec(migration.region, profile, region, endpoint_url)
    roll_back(aws, migration, console, yes, why, without_journal).show(console)
