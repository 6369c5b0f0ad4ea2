"""Faults: resources of the embedded AWS that are slow or fail, so that those paths are really walked."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from typing import Any, Self

_OPERATIONS = ("create", "update", "delete")


@dataclass(frozen=True)
class Fault:
    """What to do to the resources that match; an empty criterion matches every resource.

    Attributes:
        logical_id: The resource's name in its template.
        resource_type: Such as "AWS::EC2::NatGateway".
        stack_name: The stack that holds the resource, or the beginning of its name (nested stacks have
            generated endings).
        operation: "create", "update" or "delete"; empty for all three.
        delay: Seconds the operation takes longer; it ends at once when other faults are put in force.
        error: When given, the operation fails with this reason, after the delay.
        times: How many operations are affected; 0 means all.
    """

    logical_id: str = ""
    resource_type: str = ""
    stack_name: str = ""
    operation: str = ""
    delay: float = 0.0
    error: str = ""
    times: int = 0

    def __post_init__(self) -> None:
        if self.operation and self.operation not in _OPERATIONS:
            raise ValueError(f"operation {self.operation!r} is none of {', '.join(_OPERATIONS)}")
        if self.delay < 0 or self.times < 0:
            raise ValueError("delay and times of a fault cannot be negative")
        if not self.delay and not self.error:
            raise ValueError("a fault needs a delay in seconds, an error message, or both")

    def matches(self, operation: str, resource_type: str, logical_id: str, stack_name: str) -> bool:
        """Whether this operation on this resource is affected."""
        return (
            self.operation in ("", operation)
            and self.resource_type in ("", resource_type)
            and self.logical_id in ("", logical_id)
            and stack_name.startswith(self.stack_name)
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, one field each."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        """Read the JSON form; a TypeError or ValueError names what does not belong."""
        return cls(**raw)


class FaultTable:
    """The faults in force in a server."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._used: list[int] = []
        self._over = threading.Event()

    def replace(self, faults: list[Fault]) -> None:
        """Put these in force and forget the former ones, whose delays end."""
        self._over.set()
        self._over = threading.Event()
        self._faults = faults
        self._used = [0] * len(faults)

    @property
    def active(self) -> bool:
        """Whether any fault is in force."""
        return bool(self._faults)

    def strike(self, operation: str, resource_type: str, logical_id: str, stack_name: str) -> None:
        """Apply every matching fault: wait for the delays, then raise the first error as RuntimeError."""
        over = self._over
        struck = []
        for index, fault in enumerate(self._faults):
            exhausted = fault.times and self._used[index] >= fault.times
            if not exhausted and fault.matches(operation, resource_type, logical_id, stack_name):
                self._used[index] += 1
                struck.append(fault)
        over.wait(sum(fault.delay for fault in struck))
        for fault in struck:
            if fault.error:
                raise RuntimeError(fault.error)
