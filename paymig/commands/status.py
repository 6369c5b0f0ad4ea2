"""`paymig status`: where the migration stands."""

from pathlib import Path

import click

from paymig.operation import Operation
from paymig.options import operation

_EVERY = 5.0  # seconds between two looks of --watch


@click.command(epilog="Example: paymig status --format json | jq .live")
@click.option(
    "--watch", is_flag=True, help="Look again every 5 seconds, until Ctrl-C; the exit code is the last look's."
)
@click.option(
    "--html",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page there, which needs nothing else.",
)
@operation
def command(at: Operation, watch: bool, file: Path | None) -> int:
    """Show phase, writer, stacks, traffic, gates, alarms, and whether going back loses nothing now.

    The traffic is shown as the journal wants it, as the weights have it, and as Route 53 answers. Once the target is
    the writer, a beat is written there and awaited on the source: run it where both databases can be reached.

    Exit code 0 when everything is deployed, no alarm fires and no move of the writer has stopped half-way; 8 otherwise.
    A gate that does not pass is no matter of health: it is asked before traffic moves.
    """
    import time
    from datetime import UTC, datetime

    from paymig.cutover.way_back import way_back
    from paymig.errors import UNHEALTHY
    from paymig.status import look, render
    from paymig.status_page import page

    code = None
    try:
        while True:
            status = look(at.aws, at.migration, lambda: way_back(at))
            if watch and at.console.out.is_terminal and not at.console.json:
                at.console.out.clear()
            at.console.result(status.to_json(), render(status))
            if file is not None:
                file.write_text(page(status, datetime.now(UTC)), encoding="utf-8")
            code = 0 if status.healthy else UNHEALTHY
            if not watch:
                return code
            time.sleep(_EVERY)
    except KeyboardInterrupt:
        if code is None:
            raise
        return code
