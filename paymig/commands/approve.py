"""`paymig approve`: say that a step may be taken."""

import click

from paymig.operation import Operation
from paymig.options import operation, why_option, yes_option


@click.command(epilog="Example: paymig approve --step 100% --why 'watched 50% for two hours'")
@click.option("--step", required=True, metavar="STEP", help="A share of the traffic, such as 100%, or switchover.")
@yes_option
@why_option
@operation
def command(at: Operation, step: str, yes: bool, why: str) -> None:
    """Approve a step of SPEC's cutover; the approval is good for a day and for that step alone.

    It is bound to the spec, the compiled templates, the stacks, the live weights and the writer: when one of them
    changes, it is void. Where the spec says second-person, it has to be somebody other than the one who takes the step.
    """
    from paymig import approvals
    from paymig.road import shares_of
    from runtime_lambdas.runtime.journal.approvals import SWITCHOVER

    known = [*(approvals.step_of(share) for share in shares_of(at.migration)), SWITCHOVER]
    step = f"{step}%" if step.isdigit() else step
    if step not in known:
        raise click.BadParameter(f"{step} is no step of this spec: it has {', '.join(known)}.", param_hint="--step")
    rule = approvals.rule_of(at.migration, step)
    if rule == "none":
        at.console.say(f"The spec asks for no approval of {step}.")
    seen = approvals.digest(at.aws, at.spec, at.journal)
    at.console.confirm(f"Approve the step {step} of {at.migration.full_name}, as {at.journal.who}?", yes)
    entry = approvals.approve(at.journal, step, seen, why)
    at.console.result(
        {"migration": at.migration.full_name, "approved": step, "rule": rule, **entry.to_json()},
        f"Approved {step} of {at.migration.full_name} until {entry.evidence['expires'][:16]} UTC "
        f"(digest {seen[:12]}): as long as spec, templates and live state stay as they are",
    )
