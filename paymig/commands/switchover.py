"""`paymig switchover`: the target becomes the writer."""

import click

from paymig.operation import Operation
from paymig.options import in_cloud_option, operation, why_option, yes_option


@click.command(epilog="Example: paymig switchover --plan")
@click.option("--plan", is_flag=True, help="Show every step and what going back would cost; change nothing.")
@in_cloud_option
@yes_option
@why_option
@operation(stream=True)
def command(at: Operation, plan: bool, cloud: bool, yes: bool, why: str) -> None:
    """Move the writer from the source to the target, in a pause of writes that is shorter than the spec's budget.

    The source is fenced and the fence proved, the last change awaited on the target, what changed compared, the
    sequences set ahead, the way back proved; then the target becomes the writer. Any failure before that, and a pause
    past the budget, opens the source again. Where the spec asks for an approval, one that is good now has to be there
    (paymig approve --step switchover); the commit uses it up. The same command ends what an interrupted one left: in
    the pause it is undone, past the point of no return completed.
    """
    from paymig.cutover import driver
    from paymig.cutover.forth import switch_over

    if plan:
        driver.show_plan(at, cloud)
    else:
        driver.finish(at, switch_over(at, yes, why, cloud))
