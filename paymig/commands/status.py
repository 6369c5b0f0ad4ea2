"""`paymig status`: where the migration stands."""

import click

from paymig.operation import Operation
from paymig.options import operation


@click.command(epilog="Example: paymig status --format json | jq .live")
@operation
def command(at: Operation) -> int:
    """Show the stacks, the live traffic and the alarms.

    Exit code 0 when everything is deployed and no alarm fires, 8 otherwise.
    """
    from dataclasses import asdict

    from paymig.errors import UNHEALTHY
    from paymig.status import look, render

    status = look(at.aws, at.migration)
    at.console.result(asdict(status) | {"healthy": status.healthy}, render(status))
    return 0 if status.healthy else UNHEALTHY
