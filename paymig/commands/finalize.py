"""`paymig finalize`: the end of the way back."""

import click

from paymig.operation import Operation
from paymig.options import in_cloud_option, operation, why_option, yes_option


@click.command(epilog="Example: paymig finalize --why 'baked for three days'")
@in_cloud_option
@yes_option
@why_option
@operation(stream=True)
def command(at: Operation, cloud: bool, yes: bool, why: str) -> None:
    """End the replication to the source, and with it the way back: nothing brings the writer back after this.

    The source stays fenced; its rows stay as they are at this moment.
    """
    from paymig.cutover import driver, in_cloud
    from runtime_lambdas.switchover.decide import Wish

    at.console.confirm(
        "This ends the way back: the source gets no change from now on, and `paymig rollback` is refused for good. "
        f"Finalize {at.migration.full_name}?",
        yes,
    )
    run = in_cloud.run if cloud else driver.run
    driver.finish(at, run(at, Wish.FINALIZE, why))
