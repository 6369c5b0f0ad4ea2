"""Change sets: what CloudFormation would do, and doing it."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from paymig.aws.session import Aws, code_of
from paymig.aws.stack import Stack, describe, is_absent
from paymig.errors import AwsError, Refused, StackFailed
from runtime_lambdas.rollback.keep import PREFIX, STARTED, VOID, void_change_sets
from runtime_lambdas.runtime.waiting import paces

# Both spellings are AWS's own: the first from an update, the second from a change set.
_EMPTY = ("No updates are to be performed", "didn't contain changes")
_CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
_UNFIT = ("ValidationError", "AlreadyExistsException")
"""What CloudFormation says of a stack that is in no condition for a change set, among other things."""
_PATIENCE = 600


class Overtaken(AwsError):
    """Somebody else changed the stack while a change set was waiting, so the change set is void."""


@dataclass(frozen=True)
class Change:
    """One resource that a change set touches.

    Attributes:
        component: the nested stack's logical id; empty for the root stack.
    """

    component: str
    action: str
    logical_id: str
    type: str
    replacement: str | None


@dataclass(frozen=True)
class ChangeSet:
    """A change set ready to be executed."""

    id: str
    stack_id: str
    stack_name: str
    kind: Literal["CREATE", "UPDATE"]
    changes: tuple[Change, ...]


def kind_for(stack: Stack | None) -> Literal["CREATE", "UPDATE"]:
    """Decide between creating and updating.

    Raises:
        Refused: the stack is in a state from which neither works.
    """
    if stack is None or stack.status in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"):
        return "CREATE"
    if stack.busy:
        raise Refused(
            f"stack {stack.name} is {stack.status}: another operation is under way",
            "wait until it has ended: paymig status shows it",
        )
    if stack.status in ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"):
        raise Refused(
            f"stack {stack.name} is {stack.status}: it never came up, and CloudFormation can only delete it",
            "paymig destroy, then paymig deploy",
        )
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        raise Refused(
            f"stack {stack.name} is UPDATE_ROLLBACK_FAILED: {stack.reason or 'its rollback did not end'}",
            f"mend the cause, then: aws cloudformation continue-update-rollback --stack-name {stack.name}",
        )
    return "UPDATE"


def propose(
    aws: Aws,
    stack_name: str,
    stack: Stack | None,
    template: Mapping[str, Any],
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    role: str | None = None,
) -> ChangeSet | None:
    """Create a change set and wait until it is ready.

    Args:
        aws: where.
        stack_name: the stack's name.
        stack: the stack as it is now.
        template: `{"TemplateURL": ...}`, `{"TemplateBody": ...}` or `{"UsePreviousTemplate": True}`.
        parameters: every parameter's value.
        tags: tags of the stack, which CloudFormation hands on to its resources.
        role: the ARN of the role that CloudFormation acts as from now on; None for the one it has, or the caller.

    Returns:
        The change set, or None when there is nothing to change.

    Raises:
        Refused: the stack's state allows no change.
        StackFailed: CloudFormation refused the template.
        Overtaken: somebody else changed the stack meanwhile, or deleted the change set.
    """
    client = aws.client("cloudformation")
    kind = kind_for(stack)
    name = PREFIX + uuid.uuid4().hex
    try:
        client.create_change_set(
            StackName=stack_name,
            ChangeSetName=name,
            ChangeSetType=kind,
            Capabilities=_CAPABILITIES,
            IncludeNestedStacks=True,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(parameters.items())],
            Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
            ClientToken=name,
            **({"RoleARN": role} if role else {}),
            **template,
        )
    except ClientError as error:
        # Nobody else makes this name: an attempt whose answer was lost had taken effect.
        if code_of(error) != "AlreadyExistsException" or name not in str(error):
            if code_of(error) in _UNFIT and _condition(stack) != _condition(describe(aws, stack_name)):
                raise overtaken(stack_name) from error
            raise
    with _void_is_overtaken(stack_name):
        return _reviewed(aws, stack_name, name, kind)


def _reviewed(aws: Aws, stack_name: str, name: str, kind: Literal["CREATE", "UPDATE"]) -> ChangeSet | None:
    described = _settled(aws, stack_name, name)
    created, stack_id = described["ChangeSetId"], described["StackId"]
    if described["Status"] == "FAILED":
        _delete(aws, created, stack_id, kind)
        reason = described.get("StatusReason", "")
        if any(phrase in reason for phrase in _EMPTY):
            return None
        raise StackFailed(f"CloudFormation refused the change set for {stack_name}: {reason}")
    return ChangeSet(created, stack_id, stack_name, kind, tuple(_changes(aws, created)))


def execute(aws: Aws, change_set: ChangeSet) -> None:
    """Start what the change set says; follow the stack's events to see it end.

    Raises:
        Overtaken: the change set is void; nothing was started.
    """
    client = aws.client("cloudformation")
    try:
        client.execute_change_set(ChangeSetName=change_set.id, ClientRequestToken=change_set.id.rpartition("/")[2])
    except ClientError as error:
        if code_of(error) not in VOID and not is_absent(error):
            raise
        # Also what a repeated call says whose first attempt had taken effect.
        if _execution(aws, change_set) not in STARTED:
            raise overtaken(change_set.stack_name) from error


def clean(aws: Aws, stack: Stack | None) -> list[str]:
    """Delete what deploys left behind that ended before they executed: change sets of paymig's making.

    A change set holds the weights of its time, so an old one that somebody executes would move traffic.

    Returns:
        The ids of those that were deleted.
    """
    if stack is None or stack.status == "DELETE_COMPLETE":
        return []
    try:
        return void_change_sets(aws.client("cloudformation"), stack.name)
    except ClientError as error:
        if is_absent(error):
            return []  # with the stack, whatever waited is gone
        raise


def discard(aws: Aws, change_set: ChangeSet) -> None:
    """Delete a change set that nobody wants, and the empty stack of one that would have created it."""
    _delete(aws, change_set.id, change_set.stack_id, change_set.kind)


def overtaken(stack_name: str) -> Overtaken:
    """Word that somebody else was faster."""
    return Overtaken(
        f"the change set for {stack_name} is void: somebody else changed the stack, or discarded the change set",
        "paymig history shows who; then run the command again",
    )


@contextmanager
def _void_is_overtaken(stack_name: str) -> Iterator[None]:
    """Whatever is asked of a change set: others may have deleted it right before, and its stack with it."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in VOID or is_absent(error):
            raise overtaken(stack_name) from error
        raise


def _condition(stack: Stack | None) -> tuple[str, str] | None:
    return (stack.id, stack.status) if stack else None


def _delete(aws: Aws, change_set_id: str, stack_id: str, kind: Literal["CREATE", "UPDATE"]) -> None:
    """Delete a change set, and the empty stack that CREATE leaves behind unless others are at work in it."""
    client = aws.client("cloudformation")
    try:
        client.delete_change_set(ChangeSetName=change_set_id)
    except ClientError as error:
        if code_of(error) not in VOID:
            raise
    if kind == "UPDATE":
        return
    found = describe(aws, stack_id)
    if found is None or found.status != "REVIEW_IN_PROGRESS":
        return  # another change set of it is being executed: deleting the stack would undo that
    if not client.list_change_sets(StackName=stack_id)["Summaries"]:
        client.delete_stack(StackName=stack_id)


def _settled(aws: Aws, stack_name: str, name: str) -> dict[str, Any]:
    client = aws.client("cloudformation")
    for _ in paces(_PATIENCE):
        described: dict[str, Any] = client.describe_change_set(StackName=stack_name, ChangeSetName=name)
        if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return described
    raise AwsError(f"the change set {name} of {stack_name} was not ready after {_PATIENCE} s", "paymig deploy again")


def _execution(aws: Aws, change_set: ChangeSet) -> str:
    try:
        described = aws.client("cloudformation").describe_change_set(ChangeSetName=change_set.id)
    except ClientError as error:
        if code_of(error) in VOID or is_absent(error):
            return ""
        raise
    return str(described["ExecutionStatus"])


def _changes(aws: Aws, change_set_id: str, component: str = "") -> Iterator[Change]:
    pages = aws.client("cloudformation").get_paginator("describe_change_set").paginate(ChangeSetName=change_set_id)
    for page in pages:
        for found in (change["ResourceChange"] for change in page["Changes"]):
            if nested_change_set := found.get("ChangeSetId"):
                yield from _changes(aws, nested_change_set, found["LogicalResourceId"])
            else:
                yield Change(
                    component=component,
                    action=found["Action"],
                    logical_id=found["LogicalResourceId"],
                    type=found["ResourceType"],
                    replacement=found.get("Replacement"),
                )
