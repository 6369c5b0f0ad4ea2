"""`paymig plan`: what a deploy would change."""

from pathlib import Path

import click

from paymig.options import allow_replace_option, aws_options, format_option, spec_argument


@click.command(epilog="Example: paymig plan specs/payments.yaml --profile payments-prod")
@spec_argument
@click.option(
    "--against",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Compare with a folder that `paymig compile` wrote, instead of what is deployed.",
)
@allow_replace_option
@aws_options
@format_option
def command(
    spec: Path,
    environment: str | None,
    against: Path | None,
    allow_replace: tuple[str, ...],
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    output: str,
) -> int:
    """Show what a deploy of SPEC would do: each resource and property that changes, and the line that asks for it.

    Marks: + added, ~ changed in place, ? may be replaced, ± replaced, - removed. Nothing is changed, no change set is
    made. Exit code 3 when something that holds state would be replaced or deleted, unless --allow-replace names it.
    """
    from compiler.compile import compile_spec
    from paymig import plan, plan_view
    from paymig.console import Console
    from schemas.load import load

    loaded = load(spec, environment)
    compiled = compile_spec(loaded)
    if against is not None:
        found = plan.against_folder(against, compiled)
    else:
        from paymig.aws.session import Aws

        aws = Aws.for_spec(loaded.migration.region, profile, region, endpoint_url)
        found = plan.against_deployed(aws, compiled)
    Console(output).result(plan_view.as_json(found, allow_replace), plan_view.text(found))
    plan.refuse(found, allow_replace)
    return 0
