"""What a deploy makes of drift: it is shown, and where data is at stake it stops the deploy."""

from collections.abc import Collection

from rich.markup import escape

from compiler.plan.stateful import LOST
from paymig.aws import drift
from paymig.aws.session import Aws
from paymig.aws.stack import Stack
from paymig.console import Console
from paymig.errors import Refused

_CHECKABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def refuse_drift(aws: Aws, root: Stack, console: Console, accepted: Collection[str]) -> None:
    """Show what was changed by hand.

    Args:
        aws: where.
        root: the stack that an update is about to change.
        console: where it is shown.
        accepted: places, such as `Database/Cluster`, that may differ.

    Raises:
        Refused: a resource that holds state differs, so an update might undo or trip over what somebody did to it.
    """
    if root.status not in _CHECKABLE:
        return  # CloudFormation does not look at stacks in another state
    found = drift.detect(aws, root.id)
    if not found:
        return
    console.say("Changed outside CloudFormation:")
    for one in found:
        console.say(f"  {one.status:<8} {one.place}  [dim]{one.type}[/]")
        for difference in one.differences:
            console.say(f"    {escape(difference)}")
    stopping = sorted(one.place for one in found if one.type in LOST and one.place not in accepted)
    if stopping:
        raise Refused(
            f"somebody changed what holds state: {', '.join(stopping)}",
            "set it back to what the template says; or, where the change is to stay, write it into the spec and run "
            "paymig deploy " + " ".join(f"--accept-drift {place}" for place in stopping),
        )
