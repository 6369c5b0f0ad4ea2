"""`paymig preflight`: what would go wrong, before anything is started."""

from pathlib import Path

import click

from paymig.findings import findings_option
from paymig.options import aws_options, spec_argument


@click.command(epilog="Example: paymig preflight specs/payments.yaml --format json | jq '.[].sql'")
@spec_argument
@click.option("--in-aws", is_flag=True, help="Let the switchover function look, where this machine has no route.")
@aws_options
@findings_option
def command(
    spec: Path,
    environment: str | None,
    in_aws: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    output: str,
) -> int:
    """Look at the source, and the target where there is one, and show what would go wrong.

    Each finding names the line of SPEC that brings it in and the SQL that mends it. Nothing is changed on either side;
    up to 32 MiB of the largest table are read to tell how long the load will take. Exit code 8 when there are errors.
    """
    from paymig.aws.session import Aws
    from paymig.databases import Databases
    from paymig.errors import UNHEALTHY
    from paymig.findings import show
    from paymig.preflight import judge, look
    from schemas.load import load

    loaded = load(spec, environment)
    aws = Aws.for_spec(loaded.migration.region, profile, region, endpoint_url)
    databases = Databases(aws, loaded)
    seen = look.from_aws(aws, databases, loaded.migration) if in_aws else look.from_here(databases, loaded.migration)
    findings = [*judge.judge(seen.case), *seen.unseen]
    if output == "json":
        click.echo(judge.as_json(loaded, findings))
    else:
        show(judge.diagnostics(loaded, findings), {loaded.file: loaded.text}, output)
    return UNHEALTHY if judge.stops(findings) else 0
