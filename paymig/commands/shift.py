"""`paymig shift`: move a share of the traffic."""

from typing import Any

import click

from paymig.operation import Operation
from paymig.options import operation, why_option, yes_option


class Share(click.ParamType[int]):
    """A whole percentage, written `10` or `10%`."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the share.

        Raises:
            click.BadParameter: it is no whole number from 0 to 100.
        """
        text = str(value).removesuffix("%")
        if not text.isascii() or not text.isdigit() or int(text) > 100:
            self.fail(f"{value!r} is no whole percentage from 0 to 100, such as 10 or 10%", param, ctx)
        return int(text)


@click.command(epilog="Example: paymig shift --to 10%")
@click.option("--to", "share", type=Share(), required=True, help="The share of traffic that AWS gets: 10 or 10%.")
@click.option("--force-step", is_flag=True, help="Take a share that is none of the spec's steps.")
@click.option("--no-bake", is_flag=True, help="Return as soon as the traffic has moved, and watch no gate.")
@click.option("--plan", is_flag=True, help="Show what it would do and what going back would cost; change nothing.")
@yes_option
@why_option
@operation(stream=True)
def command(at: Operation, share: int, force_step: bool, no_bake: bool, plan: bool, yes: bool, why: str) -> None:
    """Move traffic so that AWS gets a share of it, and watch it there for as long as the spec says.

    The share must be one of the spec's steps, or 0. Before a move towards AWS every gate must pass; a value that is
    missing, stale or of too small a sample does not. Both weights change in one batch; the command waits until every
    name server has them and reads them back. While the share bakes the gates are judged again and again: when one
    fails, the traffic goes back to where it was (exit code 8).

    Ctrl-C stops watching; the traffic stays, and the same command watches on. With --format json each event is one JSON
    object a line, the result last.
    """
    from paymig.traffic.shift import Shifter

    shifter = Shifter(at.aws, at.spec, at.console, why, **at.terms)
    if plan:
        shifter.plan(share, force_step)
    else:
        shifter.shift(share, yes, force_step, bake=not no_bake).show(at.console)
