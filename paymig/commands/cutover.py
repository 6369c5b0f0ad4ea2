"""`paymig cutover`: the whole road, from wherever it stands."""

import click

from paymig.operation import Operation
from paymig.options import operation, why_option, yes_option


@click.command(epilog="Example: paymig cutover --plan")
@click.option("--plan", is_flag=True, help="Show what is still ahead; change nothing.")
@yes_option
@why_option
@operation(stream=True)
def command(at: Operation, plan: bool, yes: bool, why: str) -> None:
    """Walk SPEC's cutover from wherever its journal stands: replication, each traffic step with its bake, the writer.

    Each leg is a command that could be typed by itself, and asks, waits and refuses like it. It stops where an approval
    is missing (exit code 4), where a gate does not pass, and before the way back is given up. Ctrl-C stops it in a
    state from which the same command goes on, on any machine.
    """
    from paymig.cli import cli
    from paymig.errors import Refused
    from paymig.road import ahead, look, shares_of
    from paymig.traffic.shift import Shifter

    now = look(at.aws, at.migration, at.journal)
    legs = ahead(now, shares_of(at.migration))
    told = {"migration": at.migration.full_name, "phase": now.phase, "writer": now.writer.side, "share": now.share}
    text = f"{at.migration.full_name} is {now.phase}: the {now.writer.side} is the writer, {now.share:g} % goes to AWS"
    if plan:
        left = [str(leg) for leg in legs]
        at.console.result(told | {"ahead": left}, "\n".join([text, *(f"  {leg}" for leg in left or ["nothing left"])]))
        return
    at.console.say(text)
    done: list[str] = []
    for leg in legs:
        if leg.kind == "deploy":
            raise Refused("nothing is deployed yet", "paymig deploy, then paymig cutover")
        if leg.kind in ("finalize", "rollback"):
            at.console.result(told | {"done": done, "next": str(leg)}, f"Next, by hand: {leg}")
            return
        at.console.say(f"-- {leg}")
        at.console.event({"event": "leg", "command": str(leg)})
        if leg.kind == "shift":
            Shifter(at.aws, at.spec, at.console, why, **at.terms).shift(leg.share, yes)
        else:
            typed = [*leg.command, *at.arguments, *(("--yes",) if yes and leg.kind == "switchover" else ())]
            cli.main(args=typed, prog_name="paymig", standalone_mode=False, obj=at.terms)
        done.append(str(leg))
    at.console.result(told | {"done": done, "next": None}, f"{at.migration.full_name}: nothing left to do")
