"""`paymig rollback`: all traffic back to the source."""

import click

from paymig.operation import Operation
from paymig.options import operation, why_option, yes_option


@click.command(epilog="Example: paymig rollback --yes")
@click.option(
    "--without-journal",
    is_flag=True,
    help="Go back although the journal does not answer: you know that the source is the writer.",
)
@yes_option
@why_option
@operation
def command(
    at: Operation,
    without_journal: bool,
    yes: bool,
    why: str,
) -> None:
    """Send all traffic back to the source, at once and in one batch.

    Only the DNS weights are touched, so it works whatever state the stacks are in. The lease is taken over from whoever
    holds it. Nothing can be lost: the source is the only database that takes writes.
    """
    from paymig.rollback import roll_back

    roll_back(at.aws, at.migration, at.console, yes, why, without_journal).show(at.console)
