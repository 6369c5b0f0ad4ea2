"""`paymig rollback`: all traffic back to the source."""

import click

from paymig.operation import Operation
from paymig.options import in_cloud_option, operation, why_option, yes_option


@click.command(epilog="Example: paymig rollback --yes")
@click.option(
    "--without-journal",
    is_flag=True,
    help="Go back although the journal does not answer: you know that the source is the writer.",
)
@click.option(
    "--accept-loss",
    type=click.IntRange(min=0),
    metavar="ROWS",
    help="Move the writer back although replication to the source does not work, and lose this many rows.",
)
@in_cloud_option
@yes_option
@why_option
@operation(stream=True)
def command(
    at: Operation,
    without_journal: bool,
    accept_loss: int | None,
    cloud: bool,
    yes: bool,
    why: str,
) -> None:
    """Go back: the traffic to the source at once, or, where the target is the writer, the writer to the source.

    While the source is the writer only the DNS weights are touched, in one batch, so it works whatever state the stacks
    are in. A switchover that is under way is undone first. The lease is taken over from whoever holds it.

    Once the target is the writer, the writer moves back as it came, in a pause of writes, and nothing is lost while
    replication to the source is healthy. Where it is not, the command says how many rows would be lost, and goes on
    only with that number in --accept-loss.
    """
    from paymig.rollback import roll_back

    if cloud and (without_journal or accept_loss is not None):
        raise click.UsageError("--in-cloud goes with neither --without-journal nor --accept-loss")
    if not without_journal:
        from paymig.cutover.back import switch_back, undo

        undo(at, why, cloud)
        if switch_back(at, yes, why, accept_loss, cloud):
            return
    roll_back(at.aws, at.migration, at.console, yes, why, without_journal).show(at.console)
