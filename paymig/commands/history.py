"""`paymig history`: what was done to a migration, by whom, and when."""

from pathlib import Path

import click

from paymig.options import aws_options, format_option, spec_argument


@click.command(epilog="Example: paymig history --format json | jq '.entries[] | select(.verb == \"shift\")'")
@spec_argument
@aws_options
@format_option
def command(
    spec: Path, environment: str | None, profile: str | None, region: str | None, endpoint_url: str | None, output: str
) -> None:
    """Show SPEC's journal, oldest first, and who holds the lease now."""
    from rich.console import Group

    from paymig.aws.session import Aws
    from paymig.console import Console
    from paymig.journal.opening import open_journal
    from paymig.journal.show import lease_json, lease_line, table
    from schemas.load import load

    migration = load(spec, environment).migration
    journal = open_journal(Aws.for_spec(migration.region, profile, region, endpoint_url), migration.full_name)
    entries, lease = list(journal.entries()), journal.lease()
    Console(output).result(
        {"migration": migration.full_name, "lease": lease_json(lease), "entries": [e.to_json() for e in entries]},
        Group(table(entries), lease_line(lease)),
    )
