"""`paymig plan`: what a deploy would change."""

from pathlib import Path

import click

from paymig.operation import Operation
from paymig.options import allow_replace_option, operation


@click.command(epilog="Example: paymig plan specs/payments.yaml --profile payments-prod")
@click.option(
    "--against",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Compare with a folder that `paymig compile` wrote, instead of what is deployed.",
)
@allow_replace_option
@operation
def command(
    at: Operation,
    against: Path | None,
    allow_replace: tuple[str, ...],
) -> int:
    """Show what a deploy of SPEC would do: each resource and property that changes, and the line that asks for it.

    Marks: + added, ~ changed in place, ? may be replaced, ± replaced, - removed. Nothing is changed, no change set is
    made. Exit code 3 when something that holds state would be replaced or deleted, unless --allow-replace names it.
    """
    from compiler.compile import compile_spec
    from paymig import plan, plan_view

    compiled = compile_spec(at.spec)
    if against is None:
        from paymig.zone import refuse_misplaced_record  # brings the SDK, for which folders have no use

        refuse_misplaced_record(at.aws, at.spec)
    found = plan.against_folder(against, compiled) if against else plan.against_deployed(at.aws, compiled)
    at.console.result(plan_view.as_json(found, allow_replace), plan_view.text(found))
    plan.refuse(found, allow_replace)
    return 0
