"""Stack policies: what an update may do to a resource. ministack keeps them; this asks them."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

from paymig.embedded.plugin import host

_ROLLING_BACK = "UPDATE_ROLLBACK"


def install() -> None:
    """Ask the policy before a resource is modified, replaced or deleted by an update."""
    stacks = host.module("services.cloudformation.stacks")
    replaces = host.module("services.cloudformation.provisioners")._replacing_change
    update, resolve_outputs = stacks._update_resource, stacks._resolve_stack_outputs

    def update_resource(
        kind: str, physical_id: str, old: Any, new: Any, stack_name: str, logical_id: str | None = None, *rest: Any
    ) -> Any:
        if old != new:
            _ask(stack_name, logical_id or "", kind, "Replace" if replaces(kind, old, new) else "Modify")
        return update(kind, physical_id, old, new, stack_name, logical_id, *rest)

    def resolve_stack_outputs(
        definitions: Any, conditions: Any, surviving: Any, parameters: Any, mappings: Any, stack_name: str, *rest: Any
    ) -> Any:
        # The last step that an update can fail in before it deletes what the new template has no more.
        resources = host.module("services.cloudformation")._stacks[stack_name]["_resources"]
        for logical_id in sorted(resources.keys() - surviving.keys()):
            _ask(stack_name, logical_id, resources[logical_id]["ResourceType"], "Delete")
        return resolve_outputs(definitions, conditions, surviving, parameters, mappings, stack_name, *rest)

    stacks._update_resource = update_resource
    stacks._resolve_stack_outputs = resolve_stack_outputs


def _ask(stack_name: str, logical_id: str, kind: str, act: str) -> None:
    stack = host.module("services.cloudformation")._stacks[stack_name]
    if stack["StackStatus"].startswith(_ROLLING_BACK):
        return
    reason = refusal(stack.get("_stack_policy") or "", logical_id, kind, f"Update:{act}")
    if reason:
        raise RuntimeError(reason)


def refusal(policy: str, logical_id: str, kind: str, action: str) -> str | None:
    """Say why a policy forbids something, in CloudFormation's words; None when it does not.

    Args:
        policy: its text; an empty one allows all. One that allows nothing for a resource denies it all.
        logical_id: the resource's.
        kind: the resource's type.
        action: such as "Update:Replace".
    """
    if not policy:
        return None
    allowed = False
    for number, statement in enumerate(_listed(json.loads(policy)["Statement"]), 1):
        if not _concerns(statement, logical_id, kind, action):
            continue
        if statement["Effect"] == "Deny":
            return (
                f"Action denied by stack policy: Statement [#{number}] does not allow [{action}] "
                f"for resource [LogicalResourceId/{logical_id}]"
            )
        allowed = True
    if allowed:
        return None
    return f"Action not allowed by stack policy: [{action}] for resource [LogicalResourceId/{logical_id}]"


def _concerns(statement: dict[str, Any], logical_id: str, kind: str, action: str) -> bool:
    resource = f"LogicalResourceId/{logical_id}"
    return (
        _named(statement, "Action", action)
        and _named(statement, "Resource", resource)
        and all(
            any(fnmatchcase(kind, pattern) for pattern in _listed(wanted["ResourceType"]))
            for wanted in statement.get("Condition", {}).values()
        )
    )


def _named(statement: dict[str, Any], key: str, value: str) -> bool:
    if key in statement:
        return any(fnmatchcase(value, pattern) for pattern in _listed(statement[key]))
    return not any(fnmatchcase(value, pattern) for pattern in _listed(statement[f"Not{key}"]))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
