"""`paymig deploy`: the stacks, by change set."""

from pathlib import Path

import click

from paymig.options import aws_options, format_option, spec_argument, yes_option


@click.command(epilog="Example: paymig deploy specs/payments.yaml --profile payments-prod")
@spec_argument
@yes_option
@click.option("--no-execute", is_flag=True, help="Leave the change set for review instead of executing it.")
@aws_options
@format_option
def command(
    spec: Path,
    environment: str | None,
    yes: bool,
    no_execute: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    output: str,
) -> None:
    """Deploy SPEC: upload what changed, show the change set, ask, execute, follow every nested stack to the end.

    The live weights are kept: a deploy never moves traffic. A failed deploy is rolled back, and its root cause is shown
    with the line of the spec it comes from (exit code 6).
    """
    from dataclasses import asdict

    from compiler.compile import compile_spec
    from paymig.aws.session import Aws
    from paymig.console import Console
    from paymig.deploy import Deployer
    from schemas.load import load

    loaded = load(spec, environment)
    console = Console(output)
    aws = Aws.for_spec(loaded.migration.region, profile, region, endpoint_url)
    done = Deployer(aws, loaded, compile_spec(loaded), console).run(yes=yes, execute=not no_execute)
    text = f"{done.stack}: {done.outcome} in {done.seconds:.1f} s"
    if done.outcome == "proposed":
        text += f"\nReview, then execute: {done.change_set}"
    console.result(asdict(done), text)
