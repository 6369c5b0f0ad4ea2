"""What keeps deployed stacks from harm by other hands: termination protection, and a stack policy for each stack.

The root cannot be deleted, and no update, from the console or by another tool, replaces or deletes what holds state.
Executing a change set takes no other policy along, so a deploy that may replace something opens the policies of its
stacks for exactly that before it executes, and closes them afterwards.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from compiler.plan.stateful import LOST
from paymig.aws import stack
from paymig.aws.session import Aws
from runtime_lambdas.runtime.journal.hold import Hold

_RESOURCE = "LogicalResourceId/"
_ENDED_WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class _Policy(NamedTuple):
    """The policy that a stack should have."""

    place: str
    stack_id: str
    body: dict[str, Any]


def protect(aws: Aws, holding: Hold, name: str) -> None:
    """Protect a root stack and its nested stacks where they are not yet, whatever was opened for an update.

    A stack that is being changed, or that never came up, is left as it is.
    """
    root = stack.describe(aws, name)
    if root is None or root.status not in _ENDED_WELL:
        return
    if not root.protected:
        with holding.step("protect the stack from deletion", stack=root.id):
            aws.client("cloudformation").update_termination_protection(
                StackName=root.name, EnableTerminationProtection=True
            )
    lacking = [policy for policy in _policies(aws, root, ()) if _current(aws, policy.stack_id) != policy.body]
    if lacking:
        with holding.step("set the stack policies", stacks=[policy.place for policy in lacking]):
            _set(aws, lacking)


@contextmanager
def opened(aws: Aws, holding: Hold, name: str, allowed: Collection[str]) -> Iterator[None]:
    """Let an update replace or delete `allowed`, places or logical ids, while the block runs.

    After a block that fails the policies are closed as well, unless the update is still under way. What a process that
    died here left open, the next deploy closes.
    """
    root = stack.describe(aws, name) if allowed else None
    if root is None or root.status not in _ENDED_WELL:
        yield
        return
    closed = {policy.stack_id: policy for policy in _policies(aws, root, ())}
    wider = [policy for policy in _policies(aws, root, allowed) if policy != closed[policy.stack_id]]
    if wider:
        with holding.step(
            "open the stack policies", stacks=[policy.place for policy in wider], allowed=sorted(allowed)
        ):
            _set(aws, wider)
    try:
        yield
    except BaseException:
        # The failure of the update is what counts; the next deploy closes them, too.
        with suppress(BotoCoreError, ClientError):
            now = stack.describe(aws, root.id)
            if now is not None and not now.busy:
                _set(aws, [closed[policy.stack_id] for policy in wider])
        raise


def _policies(aws: Aws, root: stack.Stack, allowed: Collection[str]) -> Iterator[_Policy]:
    """Give the policy of each nested stack, and of the root, whose nested stacks go only if all they hold may go."""
    kept_stacks = []
    for component, nested_id in sorted(stack.nested(aws, root.id).items()):
        kept = [
            resource.logical_id
            for resource in stack.resources(aws, nested_id)
            if resource.type in LOST
            and resource.status != "DELETE_COMPLETE"
            and not {resource.logical_id, f"{component}/{resource.logical_id}"} & set(allowed)
        ]
        kept_stacks += [component] if kept else []
        yield _Policy(component, nested_id, _body(kept))
    yield _Policy("", root.id, _body(kept_stacks))


def _body(kept: Collection[str]) -> dict[str, Any]:
    statements: list[dict[str, Any]] = [{"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}]
    if kept:
        statements.append(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["Update:Replace", "Update:Delete"],
                "Resource": [_RESOURCE + logical_id for logical_id in sorted(kept)],
            }
        )
    return {"Statement": statements}


def _current(aws: Aws, stack_id: str) -> Any:
    return json.loads(aws.client("cloudformation").get_stack_policy(StackName=stack_id).get("StackPolicyBody") or "{}")


def _set(aws: Aws, policies: Collection[_Policy]) -> None:
    for policy in policies:
        aws.client("cloudformation").set_stack_policy(
            StackName=policy.stack_id, StackPolicyBody=json.dumps(policy.body, separators=(",", ":"))
        )
