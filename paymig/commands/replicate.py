"""`paymig replicate`: the target becomes equal to the source, and stays it."""

import click

from paymig.operation import Operation
from paymig.options import operation, why_option, yes_option


@click.group(epilog="Example: paymig replicate start migration.yaml")
def command() -> None:
    """Start, watch and stop the replication from the source to the target.

    Needs a way to both databases: run it on a host inside the VPC, or one that is routed there.
    """


@command.command("start", epilog="Example: paymig replicate start --why 'first load'")
@why_option
@operation(stream=True)
def start_command(at: Operation, why: str) -> None:
    """Load every table, follow the changes, and show how far it is.

    Started again, it goes on where it was: nothing is loaded twice. The target's roles are made first, with the
    passwords of their secrets and the least that each needs, then its tables as the source has them; indexes and
    foreign keys follow the load.
    """
    from paymig.databases import Databases
    from paymig.replication.engines import engine_for
    from paymig.replication.run import start

    databases = Databases(at.aws, at.spec)
    engine = engine_for(at.migration, databases, at.aws)
    try:
        start(engine, at.journal, databases, at.migration, at.console, why).show(at.console)
    finally:
        engine.close()


@command.command("status", epilog="Example: paymig replicate status --format json")
@operation
def status_command(at: Operation) -> int:
    """Show how far each table is, how long its load still takes, how far the target is behind, and what is wrong.

    The lag is measured by a beat that is written on the source and awaited on the target. The way back is told of where
    it is on. Exit code 8 where the side that takes no writes is not complete, does not follow, or can't be trusted.
    """
    from paymig.databases import Databases
    from paymig.errors import UNHEALTHY
    from paymig.replication.engines import engine_for
    from paymig.replication.status import look

    databases = Databases(at.aws, at.spec)
    engine = engine_for(at.migration, databases, at.aws)
    try:
        report = look(engine, at.journal)
    finally:
        engine.close()
    report.show(at.console)
    return 0 if report.healthy else UNHEALTHY


@command.command("stop", epilog="Example: paymig replicate stop --retire --yes")
@click.option("--retire", is_flag=True, help="End it for good and leave nothing on either server.")
@yes_option
@why_option
@operation
def stop_command(at: Operation, retire: bool, yes: bool, why: str) -> None:
    """Pause the replication, or end it.

    Paused, it goes on where it stopped at the next `start`; until then the source keeps its log. Nothing is lost either
    way: the source is the writer.
    """
    from paymig.databases import Databases
    from paymig.replication.engines import engine_for
    from paymig.replication.run import stop

    databases = Databases(at.aws, at.spec)
    engine = engine_for(at.migration, databases, at.aws)
    try:
        stop(engine, at.journal, at.console, retire=retire, yes=yes, why=why).show(at.console)
    finally:
        engine.close()
