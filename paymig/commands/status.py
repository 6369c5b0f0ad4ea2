"""`paymig status`: where the migration stands."""

from pathlib import Path

import click

from paymig.options import aws_options, format_option, spec_argument


@click.command(epilog="Example: paymig status --format json | jq .live")
@spec_argument
@aws_options
@format_option
def command(
    spec: Path, environment: str | None, profile: str | None, region: str | None, endpoint_url: str | None, output: str
) -> int:
    """Show the stacks, the live traffic and the alarms.

    Exit code 0 when everything is deployed and no alarm fires, 8 otherwise.
    """
    from dataclasses import asdict

    from paymig.aws.session import Aws
    from paymig.console import Console
    from paymig.errors import UNHEALTHY
    from paymig.status import look, render
    from schemas.load import load

    migration = load(spec, environment).migration
    aws = Aws.for_spec(migration.region, profile, region, endpoint_url)
    status = look(aws, migration)
    Console(output).result(asdict(status) | {"healthy": status.healthy}, render(status))
    return 0 if status.healthy else UNHEALTHY
