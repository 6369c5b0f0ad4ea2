"""`paymig destroy`: delete the stacks."""

from pathlib import Path

import click

from paymig.options import aws_options, format_option, spec_argument, why_option, yes_option


@click.command(epilog="Example: paymig destroy specs/payments.yaml --environment staging")
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
    """Delete SPEC's stacks: refused while AWS still gets traffic.

    The artefact bucket and the journal stay, and so does what the templates retain, such as the final snapshot of the
    database and the access logs.
    """
    from paymig.aws.session import Aws
    from paymig.console import Console
    from paymig.destroy import destroy
    from schemas.load import load

    migration = load(spec, environment).migration
    console = Console(output)
    aws = Aws.for_spec(migration.region, profile, region, endpoint_url)
    deleted = destroy(aws, migration, console, yes, why)
    name = migration.full_name
    console.result({"stack": name, "deleted": deleted}, f"{name}: {'deleted' if deleted else 'there is no such stack'}")
