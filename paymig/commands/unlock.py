"""`paymig unlock`: end the lease of an operator who is gone."""

import click

from paymig.operation import Operation
from paymig.options import operation, why_option, yes_option


@click.command(epilog="Example: paymig unlock --why 'the laptop that deployed has died'")
@yes_option
@why_option
@operation
def command(
    at: Operation,
    yes: bool,
    why: str,
) -> None:
    """End the lease on SPEC's migration: says whose it is, and asks.

    A lease whose command has died runs out by itself within a minute, so this is seldom needed. A command that is still
    running under the lease is refused at its next step.
    """
    from paymig.journal.show import lease_json
    from paymig.journal.unlock import unlock

    broken = unlock(at.journal, at.console, yes, why)
    name = at.migration.full_name
    text = f"Ended the lease of {broken}" if broken else f"{name}: nobody holds the lease"
    at.console.result({"migration": name, "ended": lease_json(broken)}, text)
