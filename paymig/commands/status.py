"""`paymig status`: where the migration stands."""

from pathlib import Path

import click

from paymig.operation import Operation
from paymig.options import operation

_EVERY = 5.0  # seconds between two looks of --watch


@click.command(epilog="Example: paymig status --format json | jq .live")
@click.option("--watch", is_flag=True, help="Look again every 5 seconds, until Ctrl-C.")
@click.option(
    "--html",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page there, which needs nothing else.",
)
@operation
def command(at: Operation, watch: bool, file: Path | None) -> int:
    """Show phase, writer, stacks, live traffic, gates, alarms, and whether going back loses nothing now.

    Exit code 0 when everything is deployed and no alarm fires, 8 otherwise. A gate that does not pass is no matter of
    health: it is asked before traffic moves.
    """
    import time
    from datetime import UTC, datetime

    from paymig.errors import UNHEALTHY
    from paymig.status import look, render
    from paymig.status_page import page

    while True:
        status = look(at.aws, at.migration)
        if watch and at.console.out.is_terminal and not at.console.json:
            at.console.out.clear()
        at.console.result(status.to_json(), render(status))
        if file is not None:
            file.write_text(page(status, datetime.now(UTC)), encoding="utf-8")
        if not watch:
            return 0 if status.healthy else UNHEALTHY
        time.sleep(_EVERY)
