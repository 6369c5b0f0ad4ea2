"""Following a stack and its nested stacks until they come to rest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from paymig.aws.session import Aws
from paymig.aws.stack import NESTED, describe, is_absent, nested
from runtime_lambdas.runtime.waiting import paces

# What CloudFormation says of resources that it stopped only because another one failed.
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


@dataclass(frozen=True)
class Event:
    """One step of one resource.

    Attributes:
        component: the nested stack's logical id; empty for the root stack.
    """

    id: str
    component: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    time: datetime

    @property
    def failed(self) -> bool:
        """Whether the resource could not do what was asked."""
        return self.status.endswith("_FAILED")


class Follower:
    """Reads the events of one operation on a root stack.

    Make it before the operation starts: what happened until then is not reported. To follow an operation that is
    already under way, say so: then its events from its beginning on are reported, and none from before.
    """

    def __init__(self, aws: Aws, root: str, under_way: bool = False) -> None:
        self._aws = aws
        self._root = root
        self._stacks: dict[str, str] = {}
        self._seen: set[str] = set()
        stack = describe(aws, root)
        if stack is None:
            return
        self._stacks = {stack.id: ""} | {id_: name for name, id_ in nested(aws, root).items()}
        began = _beginning(aws, stack.id) if under_way else None
        self._seen = {id_ for stack_id in self._stacks for id_ in _before(aws, stack_id, began)}

    def events(self, root_id: str) -> Iterator[Event]:
        """Yield events as they come, oldest first, until the root stack is at rest.

        Args:
            root_id: the root's stack id, which stays valid while the stack is deleted.
        """
        self._stacks.setdefault(root_id, "")
        while True:
            pace = paces()
            for _ in pace:
                stack = describe(self._aws, root_id)  # before reading, so that no last event is missed
                at_rest = stack is None or not stack.busy
                new = self._new()
                yield from new
                if at_rest:
                    return
                if new:
                    break  # something moves: look again soon

    def _new(self) -> list[Event]:
        found: list[Event] = []
        waiting = list(self._stacks.items())
        while waiting:
            id_, component = waiting.pop()
            for event in self._read(id_, component):
                self._seen.add(event.id)
                found.append(event)
                child = event.physical_id
                if event.type == NESTED and child and child != id_ and child not in self._stacks:
                    self._stacks[child] = event.logical_id
                    waiting.append((child, event.logical_id))
        return sorted(found, key=lambda event: event.time)

    def _read(self, stack_id: str, component: str) -> list[Event]:
        new: list[Event] = []
        for page in _pages(self._aws, stack_id):
            unseen = [e for e in page if e["EventId"] not in self._seen]
            new.extend(_event(e, component) for e in unseen)
            if len(unseen) < len(page):
                break  # newest first: what follows was seen before
        return new[::-1]


def _pages(aws: Aws, stack_id: str) -> Iterator[list[dict[str, Any]]]:
    """Read a stack's events, newest first; a stack that is gone has none."""
    try:
        for page in aws.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id):
            yield page["StackEvents"]
    except ClientError as error:
        if not is_absent(error):
            raise


def _before(aws: Aws, stack_id: str, began: datetime | None) -> set[str]:
    """Return the newest events from before an operation, those of one page: reading stops where it meets them.

    A stack's history grows with every update, so it is not read to its end.
    """
    for page in _pages(aws, stack_id):
        if known := {event["EventId"] for event in page if began is None or event["Timestamp"] < began}:
            return known
    return set()


def _beginning(aws: Aws, root_id: str) -> datetime | None:
    """Find when the root stack's latest operation began."""
    events = (event for page in _pages(aws, root_id) for event in page)
    starts = (
        event["Timestamp"]
        for event in events
        if event.get("PhysicalResourceId") == root_id and event["ResourceStatus"] in _BEGINNINGS
    )
    return next(starts, None)


def root_cause(events: Iterable[Event]) -> Event | None:
    """Find the failure that the others follow from: the first one that is neither a nested stack nor a consequence."""
    failures = [e for e in events if e.failed and not e.reason.startswith(_CONSEQUENCES)]
    own = [e for e in failures if e.type != NESTED]
    return min(own or failures, key=lambda event: event.time, default=None)


def _event(found: dict[str, Any], component: str) -> Event:
    return Event(
        id=found["EventId"],
        component=component,
        logical_id=found["LogicalResourceId"],
        physical_id=found.get("PhysicalResourceId", ""),
        type=found["ResourceType"],
        status=found["ResourceStatus"],
        reason=found.get("ResourceStatusReason", ""),
        time=found["Timestamp"],
    )
