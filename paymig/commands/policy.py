"""`paymig policy`: the least IAM policy for a migration."""

from pathlib import Path

import click

from paymig.options import spec_argument


@click.command(epilog="Example: paymig policy specs/payments.yaml --for cloudformation --format template > role.json")
@spec_argument
@click.option(
    "--for",
    "who",
    type=click.Choice(["operator", "reviewer", "cloudformation"]),
    default="operator",
    show_default=True,
    help="Whose rights.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["json", "template", "markdown"]),
    default="json",
    show_default=True,
    help="A policy, a CloudFormation template that makes it, or a table that explains it.",
)
def command(spec: Path, environment: str | None, who: str, output: str) -> None:
    """Print the least IAM policy that SPEC takes.

    An operator may run every command; a reviewer those that only look: plan, status, history. With a role for
    CloudFormation, given once as `paymig deploy --role-arn`, an operator needs no right to the resources themselves;
    without one, an operator needs both policies.
    """
    from compiler.compile import compile_spec
    from paymig.policy.formats import FORMATS
    from paymig.policy.service_role import wanted
    from schemas.load import load

    compiled = compile_spec(load(spec, environment))
    click.echo(FORMATS[output](compiled, who).rstrip("\n"))
    if who == "cloudformation" and (unknown := wanted(compiled).unknown):
        click.echo(f"note: {', '.join(sorted(unknown))}: the provider publishes no rights; add them", err=True)
