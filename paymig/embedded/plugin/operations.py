"""What happens around every resource operation of a stack: faults strike, and unchanged resources stay silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paymig.embedded.plugin import host

if TYPE_CHECKING:
    from paymig.embedded.faults import FaultTable

_STACK = "AWS::CloudFormation::Stack"


def install(faults: FaultTable, own_types: frozenset[str]) -> None:
    """Put the fault table in front of every create, update and delete of a resource.

    Args:
        faults: What strikes.
        own_types: The types of this plugin. They run on worker threads, since they wait for operations
            of services, which run on the event loop.
    """
    stacks = host.module("services.cloudformation.stacks")
    provision, update, delete = stacks._provision_resource, stacks._update_resource, stacks._delete_resource
    blocks = stacks._runs_on_worker_thread
    unchanged: set[tuple[str, str]] = set()

    def provision_resource(kind: str, logical_id: str, props: Any, stack_name: str) -> Any:
        faults.strike("create", kind, logical_id, stack_name)
        return provision(kind, logical_id, props, stack_name)

    def update_resource(
        kind: str,
        physical_id: str,
        old: Any,
        new: Any,
        stack_name: str,
        logical_id: str | None = None,
        attributes: Any = None,
    ) -> Any:
        if old != new:
            faults.strike("update", kind, logical_id or "", stack_name)
        elif kind != _STACK:
            _take_back_start(stack_name, logical_id or "")
            unchanged.add((stack_name, logical_id or ""))
        return update(kind, physical_id, old, new, stack_name, logical_id, attributes)

    def delete_resource(kind: str, physical_id: str, props: Any, stack_name: str = "", logical_id: str = "") -> None:
        faults.strike("delete", kind, logical_id or "", stack_name or "")
        delete(kind, physical_id, props, stack_name, logical_id)

    def runs_on_worker_thread(kind: str) -> bool:
        # A delay may hold up its own resource only, never the event loop that answers DescribeStacks.
        return faults.active or kind in own_types or blocks(kind)

    stacks._provision_resource = provision_resource
    stacks._update_resource = update_resource
    stacks._delete_resource = delete_resource
    stacks._runs_on_worker_thread = runs_on_worker_thread
    _complete_events(stacks, unchanged)


def _take_back_start(stack_name: str, logical_id: str) -> None:
    cloudformation = host.module("services.cloudformation")
    events = cloudformation._stack_events[cloudformation._stacks[stack_name]["StackId"]]
    if events[-1]["LogicalResourceId"] == logical_id and events[-1]["ResourceStatus"] == "UPDATE_IN_PROGRESS":
        events.pop()


def _complete_events(stacks: Any, unchanged: set[tuple[str, str]]) -> None:
    """Give events what CloudFormation gives them, and give none for a resource that an update leaves alone.

    Events get the physical id as soon as it is known, and a rollback its reason.
    """
    add = stacks._add_event

    def add_event(
        stack_id: str,
        name: str,
        logical_id: str,
        kind: str,
        status: str,
        reason: str = "",
        physical_id: str = "",
        detailed_status: str = "",
    ) -> None:
        if status == "UPDATE_COMPLETE" and (name, logical_id) in unchanged:
            unchanged.remove((name, logical_id))
            return
        if status == "ROLLBACK_IN_PROGRESS" and reason == "Rollback requested":
            failed = ", ".join(failed_resources(stack_id, "CREATE_FAILED"))
            reason = f"The following resource(s) failed to create: [{failed}]. Rollback requested by user."
        if not physical_id:
            stack = host.module("services.cloudformation")._stacks.get(name) or {}
            physical_id = stack.get("_resources", {}).get(logical_id, {}).get("PhysicalResourceId", "")
        add(stack_id, name, logical_id, kind, status, reason, physical_id, detailed_status)

    stacks._add_event = add_event


def failed_resources(stack_id: str, status: str) -> list[str]:
    """The logical ids that reached `status` in the stack's latest operation, oldest first."""
    names: list[str] = []
    for event in reversed(host.module("services.cloudformation")._stack_events.get(stack_id, [])):
        own = event["ResourceType"] == _STACK and event["PhysicalResourceId"] == stack_id
        if own and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
            break
        if not own and event["ResourceStatus"] == status:
            names.insert(0, event["LogicalResourceId"])
    return names
