"""IncludeNestedStacks: a change set of the root also has one for each child that changes."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from paymig.embedded.plugin import host
from paymig.embedded.plugin.nested import NestedStack, nested_name

_UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
_ROOT = "_root_change_set"


def install() -> None:
    """Add the children's change sets when one is created, show them, and drop them with their root."""
    handlers = host.module("services.cloudformation")._ACTION_HANDLERS
    create, describe = handlers["CreateChangeSet"], handlers["DescribeChangeSet"]
    sets = host.module("services.cloudformation")._change_sets
    find = host.module("services.cloudformation.changesets")._find_change_set

    def create_change_set(params: dict[str, Any]) -> Any:
        answer = create(params)
        if answer[0] == 200 and _first(params, "IncludeNestedStacks").lower() == "true":
            change_set_id = answer[2].decode().partition("<Id>")[2].partition("</Id>")[0]
            _expand(sets, sets[change_set_id], change_set_id)
        return answer

    def describe_change_set(params: dict[str, Any]) -> Any:
        status, headers, body = describe(params)
        _, change_set = find(_first(params, "ChangeSetName"), _first(params, "StackName"))
        text = body.decode()
        for change in (change_set or {}).get("Changes", []):
            found = change["ResourceChange"]
            if "ChangeSetId" in found:
                shown = f"<LogicalResourceId>{found['LogicalResourceId']}</LogicalResourceId>"
                text = text.replace(shown, f"{shown}<ChangeSetId>{found['ChangeSetId']}</ChangeSetId>")
        return status, headers, text.encode()

    def dropping_children(handler: Any) -> Any:
        def handle(params: dict[str, Any]) -> Any:
            root, _ = find(_first(params, "ChangeSetName"), _first(params, "StackName"))
            answer = handler(params)
            if answer[0] == 200:
                for child in [key for key, one in sets.items() if root and one.get(_ROOT) == root]:
                    del sets[child]
            return answer

        return handle

    handlers["CreateChangeSet"] = create_change_set
    handlers["DescribeChangeSet"] = describe_change_set
    for action in ("ExecuteChangeSet", "DeleteChangeSet"):
        handlers[action] = dropping_children(handlers[action])


def _first(params: dict[str, Any], name: str) -> str:
    value = params.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def _expand(sets: Any, change_set: dict[str, Any], root: str) -> None:
    """Give each nested stack that is added or modified a change set of its own, level by level."""
    for change in change_set["Changes"]:
        found = change["ResourceChange"]
        if found["ResourceType"] != NestedStack.type_name or found["Action"] == "Remove":
            continue
        child = _child_change_set(change_set, found, root)
        if child is None:
            continue
        sets[child["ChangeSetId"]] = child
        found["ChangeSetId"] = child["ChangeSetId"]
        _expand(sets, child, root)


def _child_change_set(parent: dict[str, Any], change: dict[str, Any], root: str) -> dict[str, Any] | None:
    engine = host.module("services.cloudformation.engine")
    stacks = host.module("services.cloudformation")._stacks
    old: dict[str, Any] = next(
        (one for one in stacks.values() if one["StackId"] == change.get("PhysicalResourceId")), {}
    )
    name = old.get("StackName") or nested_name(parent["StackName"], change["LogicalResourceId"])
    stack_id = old.get("StackId") or host.arn("cloudformation", f"stack/{name}/{uuid.uuid4()}")
    props = parent["_template"]["Resources"][change["LogicalResourceId"]]["Properties"]
    url = _resolved(parent, props["TemplateURL"])
    body, refusal = host.module("services.cloudformation.helpers")._resolve_template({"TemplateURL": [url]})
    if refusal is not None or not body:
        return None
    template = engine._parse_template(body)
    before = {key: value["Value"] for key, value in old.get("_resolved_params", {}).items()}
    given = []
    for key, value in (props.get("Parameters") or {}).items():
        known = _resolved(parent, value)
        given.append({"Key": key, "Value": before.get(key, _UNKNOWN) if known is None else str(known)})
    try:
        parameters = engine._resolve_parameters(template, given)
    except ValueError:
        # A constraint that the value known only later may well meet.
        return None
    return {
        **parent,
        "ChangeSetId": host.arn("cloudformation", f"changeSet/{parent['ChangeSetName']}-{name}/{uuid.uuid4()}"),
        "ChangeSetName": f"{parent['ChangeSetName']}-{change['LogicalResourceId']}",
        "StackId": stack_id,
        "StackName": name,
        "ExecutionStatus": "UNAVAILABLE",
        "ChangeSetType": "UPDATE" if old else "CREATE",
        "Changes": _differences(old, template, parameters, name, stack_id),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value["Value"]} for key, value in parameters.items()],
        "_template": template,
        "_resolved_params": parameters,
        _ROOT: root,
    }


def _resolved(parent: dict[str, Any], value: Any) -> Any:
    """A property's value as far as it is known before anything changes, else None."""
    stack = host.module("services.cloudformation")._stacks.get(parent["StackName"], {})
    template, parameters = parent["_template"], parent["_resolved_params"]
    engine = host.module("services.cloudformation.engine")
    try:
        found = engine._resolve_refs(
            copy.deepcopy(value),
            stack.get("_resources", {}),
            parameters,
            engine._evaluate_conditions(template, parameters),
            template.get("Mappings", {}),
            parent["StackName"],
            parent["StackId"],
        )
    except (KeyError, TypeError, ValueError):
        return None
    return None if isinstance(found, (dict, list)) else found


def _differences(
    old: dict[str, Any], template: dict[str, Any], parameters: dict[str, Any], name: str, stack_id: str
) -> list[dict[str, Any]]:
    resolve = host.module("services.cloudformation.changesets")._resolve_props_for_diff
    former = old.get("_resolved_params", {})
    changed = {key for key, value in parameters.items() if former.get(key, {}).get("Value") != value["Value"]}
    found: list[dict[str, Any]] = host.module("services.cloudformation.stacks")._diff_resources(
        resolve(old.get("_template", {}), former, name, stack_id),
        resolve(template, parameters, name, stack_id),
        old.get("_resources"),
        template,
        changed,
    )
    return found
