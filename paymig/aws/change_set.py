"""Change sets: what CloudFormation would do, and doing it."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from paymig.aws.session import Aws
from paymig.aws.stack import Stack
from paymig.aws.waiting import paces
from paymig.errors import AwsError, Refused, StackFailed

# Both spellings are AWS's own: the first from an update, the second from a change set.
_EMPTY = ("No updates are to be performed", "didn't contain changes")
_CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
_PATIENCE = 600


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
) -> ChangeSet | None:
    """Create a change set and wait until it is ready.

    Args:
        aws: where.
        stack_name: the stack's name.
        stack: the stack as it is now.
        template: `{"TemplateURL": ...}`, `{"TemplateBody": ...}` or `{"UsePreviousTemplate": True}`.
        parameters: every parameter's value.
        tags: tags of the stack, which CloudFormation hands on to its resources.

    Returns:
        The change set, or None when there is nothing to change.

    Raises:
        Refused: the stack's state allows no change.
        StackFailed: CloudFormation refused the template.
    """
    client = aws.client("cloudformation")
    kind = kind_for(stack)
    digest = hashlib.sha256(repr((sorted(template.items()), sorted(parameters.items()))).encode()).hexdigest()[:16]
    name = f"paymig-{digest}"
    if stack is not None:
        # A change set of the same content may be left over from a deploy that was interrupted before executing.
        client.delete_change_set(StackName=stack_name, ChangeSetName=name)
    created = client.create_change_set(
        StackName=stack_name,
        ChangeSetName=name,
        ChangeSetType=kind,
        Capabilities=_CAPABILITIES,
        IncludeNestedStacks=True,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(parameters.items())],
        Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
        **template,
    )
    described = _settled(aws, created["Id"])
    if described["Status"] == "FAILED":
        client.delete_change_set(ChangeSetName=created["Id"])
        if kind == "CREATE":
            client.delete_stack(StackName=stack_name)  # the empty shell that CREATE leaves behind
        reason = described.get("StatusReason", "")
        if any(phrase in reason for phrase in _EMPTY):
            return None
        raise StackFailed(f"CloudFormation refused the change set for {stack_name}: {reason}")
    return ChangeSet(created["Id"], created["StackId"], stack_name, kind, tuple(_changes(aws, created["Id"])))


def execute(aws: Aws, change_set: ChangeSet) -> None:
    """Start what the change set says; follow the stack's events to see it end."""
    aws.client("cloudformation").execute_change_set(ChangeSetName=change_set.id)


def discard(aws: Aws, change_set: ChangeSet) -> None:
    """Delete a change set that nobody wants, and the empty stack of one that would have created it."""
    client = aws.client("cloudformation")
    client.delete_change_set(ChangeSetName=change_set.id)
    if change_set.kind == "CREATE":
        client.delete_stack(StackName=change_set.stack_name)


def _settled(aws: Aws, change_set_id: str) -> dict[str, Any]:
    for _ in paces(_PATIENCE):
        described: dict[str, Any] = aws.client("cloudformation").describe_change_set(ChangeSetName=change_set_id)
        if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return described
    raise AwsError(f"the change set {change_set_id} was not ready after {_PATIENCE} s")


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
