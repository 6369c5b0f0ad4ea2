"""Keeping the traffic at the source once it is back: no deploy moves it that read the weights before it went back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from botocore.exceptions import ClientError

from runtime_lambdas.runtime.waiting import paces

PREFIX = "paymig-"
"""How the names of our change sets begin."""

STARTED = ("EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE", "EXECUTE_FAILED")
"""Execution statuses of a change set that can no longer be deleted, or need not be."""

VOID = ("ChangeSetNotFound", "ChangeSetNotFoundException", "InvalidChangeSetStatus", "InvalidChangeSetStatusException")
"""What CloudFormation says of a change set that is gone or being executed. Both spellings of each are AWS's own."""

_IDLE = "REVIEW_IN_PROGRESS"


class Traffic(Protocol):
    """The weighted pair, as far as this is concerned."""

    def is_home(self) -> bool:
        """Whether all traffic goes to the source, or there is no pair."""
        raise NotImplementedError

    def send_home(self) -> object:
        """Send all traffic to the source."""


def void_change_sets(cloudformation: Any, stack: str) -> list[str]:
    """Delete the change sets of our making that nobody executed: they hold the weights of their time.

    Returns:
        The ids of those that were deleted.
    """
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack)
    left = [
        str(summary["ChangeSetId"])
        for page in pages
        for summary in page["Summaries"]
        if summary["ChangeSetName"].startswith(PREFIX) and summary.get("ExecutionStatus") not in STARTED
    ]
    for change_set in left:
        try:
            cloudformation.delete_change_set(ChangeSetName=change_set)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in VOID:
                raise
    return left


def keep(
    cloudformation: Any,
    stack: str,
    traffic: Traffic,
    say: Callable[[str], None],
    check: Callable[[], None],
    patience: float | None = None,
) -> bool:
    """Void what waits, and watch an update under way to its end: what it does to the weights is undone.

    Such an update may put the record as it was when it began.

    Args:
        cloudformation: a client of boto3.
        stack: the root stack's name.
        traffic: looked at until no update is under way.
        say: hears what happens.
        check: called while waiting; may raise to end it.
        patience: seconds to watch at most; None for as long as it takes.

    Returns:
        False when an update was still under way when patience ran out.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: whether an update is under way could not be seen.
    """
    name = stack
    for turn, _ in enumerate(paces(patience)):
        found = _describe(cloudformation, name)
        if found is None or found["StackStatus"] == "DELETE_COMPLETE":
            return True
        name = found["StackId"]  # of a stack that is deleted meanwhile, only the id still tells
        if turn == 0:
            void_change_sets(cloudformation, stack)
            found = _describe(cloudformation, name) or found  # what was executed just before is under way by now
        status = found["StackStatus"]
        busy = status.endswith("_IN_PROGRESS") and status != _IDLE
        if busy and turn == 0:
            say(f"Stack {stack} is {status}: watching the weights until it has ended")
        check()
        if not traffic.is_home():
            say(f"The update of stack {stack} moved the traffic; sending it back again")
            traffic.send_home()
        if not busy:
            return True
    return False


def _describe(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return found
