"""`paymig history`: what was done to a migration, by whom, and when."""

import click

from paymig.operation import Operation
from paymig.options import operation


@click.command(epilog="Example: paymig history --format json | jq '.entries[] | select(.verb == \"shift\")'")
@operation
def command(at: Operation) -> None:
    """Show SPEC's journal, oldest first, and who holds the lease now."""
    from rich.console import Group

    from paymig.journal.show import lease_json, lease_line, table

    entries, lease = list(at.journal.entries()), at.journal.lease()
    at.console.result(
        {"migration": at.migration.full_name, "lease": lease_json(lease), "entries": [e.to_json() for e in entries]},
        Group(table(entries), lease_line(lease)),
    )
