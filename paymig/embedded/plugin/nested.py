"""AWS::CloudFormation::Stack, carried out by the same engine as a root stack.

ministack deploys nested stacks with a loop of its own that loses the attributes of unchanged resources, never
rolls back, and publishes no exports. The engine that deploys root stacks does all of that.
"""

from __future__ import annotations

import copy
import uuid
from typing import Any

from paymig.embedded.plugin import host
from paymig.embedded.plugin.operations import failed_resources
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import run_on_loop

_RESTORABLE = (
    "_resources",
    "_template",
    "_template_body",
    "_resolved_params",
    "_conditions",
    "Parameters",
    "Tags",
    "Outputs",
)


def nested_name(parent: str, logical_id: str) -> str:
    """Generate the name of a nested stack, as CloudFormation does."""
    return f"{parent}-{logical_id}-{uuid.uuid4().hex[:12].upper()}"


class NestedStack(ResourceType):
    """A stack in a stack: its `Ref` is the child's id, its attributes are the child's outputs."""

    type_name = "AWS::CloudFormation::Stack"
    updatable = frozenset({"TemplateURL", "Parameters", "Tags", "NotificationARNs", "TimeoutInMinutes"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Deploy the child; a child that fails has rolled back and is deleted before this raises."""
        name = nested_name(place.stack_name, place.logical_id)
        stack_id = host.arn("cloudformation", f"stack/{name}/{uuid.uuid4()}")
        child = {
            "StackName": name,
            "StackId": stack_id,
            "StackStatusReason": "",
            "CreationTime": host.module("core.responses").now_iso(),
            "Outputs": [],
            "DisableRollback": False,
            "_region": host.region(),
            "_resources": {},
            "_parent_stack_name": place.stack_name,
            **_ancestry(place.stack_name),
        }
        template, parameters = _prepare(child, props)
        cloudformation = host.module("services.cloudformation")
        cloudformation._stacks[name] = child
        cloudformation._stack_events[stack_id] = []
        # From here on the parent's events lead to the child, so that its progress can be followed.
        host.module("services.cloudformation.stacks")._add_event(
            child["ParentId"],
            place.stack_name,
            place.logical_id,
            self.type_name,
            "CREATE_IN_PROGRESS",
            "Resource creation Initiated",
            stack_id,
        )
        _begin(child, "CREATE_IN_PROGRESS")
        run_on_loop(_deploy(child, template, parameters))
        if child["StackStatus"] == "CREATE_COMPLETE":
            return stack_id, _outputs(child)
        reason = _failure(child, "create")
        run_on_loop(host.module("services.cloudformation.stacks")._delete_stack_async(name, stack_id))
        raise RuntimeError(reason)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Update the child in place; a child that fails has rolled itself back when this raises."""
        child = _find(physical_id)
        previous = {key: copy.deepcopy(child[key]) for key in _RESTORABLE if key in child}
        template, parameters = _prepare(child, new)
        _begin(child, "UPDATE_IN_PROGRESS")
        run_on_loop(_deploy(child, template, parameters, previous))
        if child["StackStatus"] == "UPDATE_COMPLETE":
            return physical_id, _outputs(child)
        raise RuntimeError(_failure(child, "update"))

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the child and all it holds."""
        child = _find(physical_id)
        if child["StackStatus"] == "DELETE_COMPLETE":
            return
        stacks = host.module("services.cloudformation.stacks")
        run_on_loop(stacks._delete_stack_async(child["StackName"], child["StackId"]))
        if child["StackStatus"] != "DELETE_COMPLETE":
            raise RuntimeError(
                f"Embedded stack {physical_id} was not successfully deleted: {child['StackStatusReason']}"
            )


def install() -> None:
    """Let DescribeStacks show a child's ParentId and RootId."""
    handlers = host.module("services.cloudformation")._ACTION_HANDLERS
    describe = handlers["DescribeStacks"]

    def describe_stacks(params: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = describe(params)
        text = body.decode()
        for stack in host.module("services.cloudformation")._stacks.values():
            if "ParentId" in stack:
                shown = f"<StackId>{stack['StackId']}</StackId>"
                family = f"<ParentId>{stack['ParentId']}</ParentId><RootId>{stack['RootId']}</RootId>"
                text = text.replace(shown, shown + family)
        return status, headers, text.encode()

    handlers["DescribeStacks"] = describe_stacks


def _find(stack_id: str) -> dict[str, Any]:
    for stack in host.module("services.cloudformation")._stacks.values():
        if stack["StackId"] == stack_id:
            return stack  # type: ignore[no-any-return]  # ministack has no types
    raise RuntimeError(f"Stack [{stack_id}] does not exist")


def _ancestry(parent_name: str) -> dict[str, str]:
    parent = host.module("services.cloudformation")._stacks[parent_name]
    return {"ParentId": parent["StackId"], "RootId": parent.get("RootId", parent["StackId"])}


def _prepare(child: dict[str, Any], props: Properties) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read and check the template, and record on the child what this operation runs with."""
    engine = host.module("services.cloudformation.engine")
    body, refusal = host.module("services.cloudformation.helpers")._resolve_template(
        {"TemplateURL": [props["TemplateURL"]]}
    )
    if refusal is not None or not body:
        raise RuntimeError(f"TemplateURL {props['TemplateURL']} cannot be read: the bucket or object does not exist")
    template = engine._parse_template(body)
    given = [{"Key": key, "Value": _text(value)} for key, value in (props.get("Parameters") or {}).items()]
    parameters = engine._resolve_parameters(template, given)
    conditions = engine._evaluate_conditions(template, parameters)
    engine.validate_template_support(template, conditions, params=parameters)
    tags = host.module("services.cloudformation.provisioners")._tag_map(props.get("Tags"))
    child.update(
        Description=template.get("Description", ""),
        LastUpdatedTime=host.module("core.responses").now_iso(),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value["Value"], "NoEcho": value["NoEcho"]}
            for key, value in parameters.items()
        ],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items() if not key.startswith("aws:")],
        _template=template,
        _template_body=body,
        _resolved_params=parameters,
        _conditions=conditions,
    )
    return template, parameters


def _text(value: Any) -> str:
    if isinstance(value, (list, dict)):
        raise RuntimeError("Value of property Parameters must be an object with String (or simple type) properties")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _begin(child: dict[str, Any], status: str) -> None:
    child["StackStatus"] = status
    host.module("services.cloudformation.stacks")._add_event(
        child["StackId"],
        child["StackName"],
        child["StackName"],
        NestedStack.type_name,
        status,
        "",
        child["StackId"],
    )


async def _deploy(
    child: dict[str, Any],
    template: dict[str, Any],
    parameters: dict[str, Any],
    previous: dict[str, Any] | None = None,
) -> None:
    await host.module("services.cloudformation.stacks")._deploy_stack_async(
        child["StackName"],
        child["StackId"],
        template,
        parameters,
        disable_rollback=False,
        tags=child["Tags"],
        is_update=previous is not None,
        previous_stack=previous,
    )


def _outputs(child: dict[str, Any]) -> dict[str, Any]:
    return {f"Outputs.{output['OutputKey']}": output["OutputValue"] for output in child["Outputs"]}


def _failure(child: dict[str, Any], verb: str) -> str:
    failed = failed_resources(child["StackId"], f"{verb.upper()}_FAILED") or failed_resources(
        child["StackId"], "CREATE_FAILED"
    )
    cause = (
        f"The following resource(s) failed to {verb}: [{', '.join(failed)}]. " if failed else child["StackStatusReason"]
    )
    return f"Embedded stack {child['StackId']} was not successfully {verb}d: {cause}"
