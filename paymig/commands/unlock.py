"""`paymig unlock`: end the lease of an operator who is gone."""

from pathlib import Path

import click

from paymig.options import aws_options, format_option, spec_argument, why_option, yes_option


@click.command(epilog="Example: paymig unlock --why 'the laptop that deployed has died'")
@spec_argument
@yes_option
@why_option
@aws_options
@format_option
def command(
    spec: Path,
    environment: str | None,
    yes: bool,
    why: str,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    output: str,
) -> None:
    """End the lease on SPEC's migration: says whose it is, and asks.

    A lease whose command has died runs out by itself within a minute, so this is seldom needed. A command that is still
    running under the lease is refused at its next step.
    """
    from paymig.aws.session import Aws
    from paymig.console import Console
    from paymig.journal.opening import open_journal
    from paymig.journal.show import lease_json
    from paymig.journal.unlock import unlock
    from schemas.load import load

    migration = load(spec, environment).migration
    console = Console(output)
    journal = open_journal(Aws.for_spec(migration.region, profile, region, endpoint_url), migration.full_name)
    broken = unlock(journal, console, yes, why)
    text = f"Ended the lease of {broken}" if broken else f"{migration.full_name}: nobody holds the lease"
    console.result({"migration": migration.full_name, "ended": lease_json(broken)}, text)
