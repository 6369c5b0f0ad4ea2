"""`paymig destroy`: delete the stacks."""

import click

from paymig.operation import Operation
from paymig.options import operation, why_option, yes_option


@click.command(epilog="Example: paymig destroy specs/payments.yaml --environment staging")
@yes_option
@why_option
@operation
def command(
    at: Operation,
    yes: bool,
    why: str,
) -> None:
    """Delete SPEC's stacks: refused while AWS still gets traffic.

    The artefact bucket and the journal stay, and so does what the templates retain, such as the final snapshot of the
    database and the access logs.
    """
    from paymig.destroy import destroy

    deleted = destroy(at.aws, at.migration, at.console, yes, why)
    name = at.migration.full_name
    at.console.result(
        {"stack": name, "deleted": deleted}, f"{name}: {'deleted' if deleted else 'there is no such stack'}"
    )
