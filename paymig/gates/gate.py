"""What is read for the gates, and what a gate says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Sample:
    """A value of a metric.

    Attributes:
        at: the beginning of its minute.
    """

    value: float
    at: datetime


@dataclass(frozen=True)
class Readings:
    """What CloudWatch knew.

    Attributes:
        lag: how far the target was behind, in seconds, when that was last measured.
        equal: when the last comparison was made that found both databases equal.
        differing: how much the last comparison found different.
        alarms: the state of each alarm of the stacks; one that does not exist any more is not in it.
        expected: the names of the alarms that should be there; None when there are no stacks.
        requests: how many requests the new API got since the traffic got where it is, within the last hour.
        failures: how many of those failed.
        last_request: when one of those was last counted.
    """

    lag: Sample | None
    equal: datetime | None
    differing: Sample | None
    alarms: Mapping[str, str]
    expected: frozenset[str] | None
    requests: int
    failures: int
    last_request: datetime | None


@dataclass(frozen=True)
class Position:
    """Where the traffic stands.

    Attributes:
        share: what AWS gets, in percent.
        since: when it got there; None when the journal does not know.
        bake: how long it has to stay there.
        baking: whether that time is running now, so that what is too little to judge yet may be waited for.
    """

    share: float
    since: datetime | None
    bake: timedelta
    baking: bool = False


@dataclass(frozen=True)
class Gate:
    """What one gate says.

    Attributes:
        value: as a person reads it.
        limit: what the value must be, as a person reads it.
        age: how old the value is; None where that means nothing or the value is missing.
        waiting: not passed only because there is too little to judge yet, during a bake.
    """

    name: str
    value: str
    limit: str
    passed: bool
    age: timedelta | None = None
    waiting: bool = False

    @property
    def failed(self) -> bool:
        """Whether the traffic must not be where it is, or go where it should."""
        return not self.passed and not self.waiting

    def to_json(self) -> dict[str, Any]:
        """Give the gate as JSON's types; the age in seconds."""
        return {
            "gate": self.name,
            "value": self.value,
            "limit": self.limit,
            "passed": self.passed,
            "waiting": self.waiting,
            "age": None if self.age is None else round(self.age.total_seconds(), 1),
        }
