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
@yes_option
@why_option
@operation
def command(
    at: Operation,
    share: int,
    force_step: bool,
    yes: bool,
    why: str,
) -> None:
    """Move traffic so that AWS gets a share of it.

    Both weights change in one batch; the command waits until every name server has them and reads them back. The
    share must be one of the spec's steps, or 0.
    """
    from paymig.traffic import shift

    shift(at.aws, at.migration, share, at.console, yes, why, force_step).show(at.console)
