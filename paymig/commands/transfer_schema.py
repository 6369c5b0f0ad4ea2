"""`paymig transfer-schema`: the target's tables, and after the load what is built on them."""

from typing import Literal

import click

from paymig.operation import Operation
from paymig.options import operation, why_option


@click.command(epilog="Example: paymig transfer-schema specs/payments.yaml --section pre-data")
@click.option(
    "--section",
    type=click.Choice(["pre-data", "post-data"]),
    required=True,
    help="pre-data before the load: tables with their keys. post-data after it: indexes, constraints, triggers.",
)
@why_option
@operation
def command(at: Operation, section: Literal["pre-data", "post-data"], why: str) -> int:
    """Make the target's schema from the source's, with pg_dump and pg_restore of this machine.

    Run it with `--section pre-data` before the replication is started and with `--section post-data` once every table
    is loaded. A second run does nothing, or makes what is still missing; a target whose schema is another one is left
    as it is and the differences are shown. Owners and privileges are not brought along: paymig's roles get theirs.
    """
    from dataclasses import asdict

    from paymig.databases import Databases
    from paymig.schema_transfer.run import transfer_schema

    databases = Databases(at.aws, at.spec)
    done = transfer_schema(at.journal, databases, section, why)
    lines = [f"{section}: the target lacked nothing"]
    if done.outcome == "made":
        lines = [f"{section}: {done.objects} objects made with pg_dump {done.major}; the target is as the source"]
    lines += [f"note: {difference.message}" for difference in done.extra]
    at.console.result(asdict(done), "\n".join(lines))
    return 0
