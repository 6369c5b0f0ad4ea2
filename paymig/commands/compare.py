"""`paymig compare`: whether both databases hold the same."""

from pathlib import Path

import click

from paymig.operation import Operation
from paymig.options import in_cloud_option, operation


@click.command(epilog="Example: paymig compare --table public.payments --show-values")
@click.option("--table", "tables", metavar="PATTERN", multiple=True, help="Only these, as public.pay%; again for more.")
@click.option("--full", is_flag=True, help="Compare everything, also where changes since the last time would do.")
@click.option("--show-values", is_flag=True, help="Show the values that differ; without it they stay in the databases.")
@click.option(
    "--max-load",
    type=click.FloatRange(0, 100, min_open=True),
    default=100,
    show_default=True,
    help="Share of the time, in percent, that each connection may keep its server busy.",
)
@click.option("--connections", type=click.IntRange(1, 64), default=2, show_default=True, help="To each server at once.")
@click.option("--snapshot", is_flag=True, help="Read each side in one view of it, held until the end.")
@click.option("--sha256", is_flag=True, help="Digest by SHA-256 instead of MD5, where somebody might forge rows.")
@click.option("--resume", metavar="FOLDER", type=click.Path(path_type=Path), help="Keep how far it is there; go on.")
@click.option(
    "--report", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the report there."
)
@in_cloud_option
@operation
def command(
    at: Operation,
    cloud: bool,
    tables: tuple[str, ...],
    full: bool,
    show_values: bool,
    max_load: float,
    connections: int,
    snapshot: bool,
    sha256: bool,
    resume: Path | None,
    report: Path | None,
) -> int:
    """Compare source and target row by row, their schemas object by object, and run the invariants on both.

    What changed since a comparison that found both equal is compared, or everything the first time. Rows are digested
    inside the servers and looked at again until replication has brought them; nothing is written to either database.
    With --in-cloud everything is compared, in parts, many at a time; what an interrupted one did is kept.

    Exit code 0 when everything is equal, 8 when something differs or could not be told.
    """
    from paymig.comparison import in_cloud
    from paymig.comparison.run import Wishes, compare
    from paymig.errors import UNHEALTHY

    wishes = Wishes(
        tables, full, show_values, max_load / 100, connections, snapshot, "sha256" if sha256 else "md5", resume
    )
    found = in_cloud.compare(at, wishes, report) if cloud else compare(at, wishes, report)
    return 0 if found.verdict == "equal" and found.same_schema else UNHEALTHY
