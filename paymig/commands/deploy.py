"""`paymig deploy`: the stacks, by change set."""

import click

from paymig.operation import Operation
from paymig.options import allow_replace_option, operation, why_option, yes_option


@click.command(epilog="Example: paymig deploy specs/payments.yaml --profile payments-prod")
@yes_option
@why_option
@click.option("--no-execute", is_flag=True, help="Leave the change set for review instead of executing it.")
@click.option(
    "--accept-drift",
    "accepted",
    metavar="COMPONENT/RESOURCE",
    multiple=True,
    help="Deploy although this resource, which holds state, was changed by hand. May be repeated.",
)
@allow_replace_option
@click.option("--role-arn", metavar="ARN", help="The role that CloudFormation acts as, now and from now on.")
@operation(stream=True)
def command(
    at: Operation,
    yes: bool,
    why: str,
    no_execute: bool,
    accepted: tuple[str, ...],
    allow_replace: tuple[str, ...],
    role_arn: str | None,
) -> None:
    """Deploy SPEC: upload what changed, show the change set, ask, execute, follow every nested stack to the end.

    The live weights are kept: a deploy never moves traffic. A failed deploy is rolled back, and its root cause is shown
    with the line of the spec it comes from (exit code 6).

    Ctrl-C stops following; the stacks go on. The same command follows them again, from any machine, and so does one
    that is started while another deploy runs. With --format json each event is one JSON object a line, the result last.
    """
    from dataclasses import asdict

    from compiler.compile import compile_spec
    from paymig.deploy import Deployer

    deployer = Deployer(at.aws, at.spec, compile_spec(at.spec), at.console, why, accepted, allow_replace, role_arn)
    done = deployer.run(yes=yes, execute=not no_execute)
    text = f"{done.stack}: {done.outcome} in {done.seconds:.1f} s"
    if done.outcome == "proposed":
        text += f"\nReview {done.change_set}\nthen execute it by: paymig deploy"
    at.console.result(asdict(done), text)
