"""What the parts of the DMS service share: identified records, filters, statuses that pass with time."""

from __future__ import annotations

import secrets
import string
import time
from typing import Any

from paymig.embedded.plugin import host, wire

# Long enough for a poller to see each status pass, short enough for a test.
STEP_SECONDS = 0.2

_ALPHABET = string.ascii_uppercase + string.digits


def new_arn(kind: str) -> str:
    """An ARN as DMS makes them, such as arn:aws:dms:us-east-1:111122223333:rep:6USOU366XFJUWATDJGCCJ2JKZQ."""
    return host.arn("dms", f"{kind}:{''.join(secrets.choice(_ALPHABET) for _ in range(26))}")


def not_found(message: str) -> wire.AwsError:
    """The error for a resource that does not exist."""
    return wire.AwsError("ResourceNotFoundFault", message)


def wrong_state(message: str) -> wire.AwsError:
    """The error for an operation the resource's state does not allow."""
    return wire.AwsError("InvalidResourceStateFault", message)


class Status:
    """A status that moves on by itself: from `now` it is each of `path` for a moment, then the last."""

    def __init__(self, *path: str) -> None:
        self._path = path
        self._since = time.monotonic()

    def __str__(self) -> str:
        elapsed = int((time.monotonic() - self._since) / STEP_SECONDS)
        return self._path[min(elapsed, len(self._path) - 1)]


class Records:
    """The records of one kind of resource, kept apart by account and region.

    Args:
        noun: The kind, for error messages.
        key: The field that identifies a record in requests.
        filters: From a filter's name to the field it looks at.
        identifier: The field that must be unique, where that is another than `key`.
    """

    def __init__(self, noun: str, key: str, filters: dict[str, str], identifier: str = "") -> None:
        self.noun = noun
        self._key = key
        self._filters = filters
        self._identifier = identifier or key
        self._store = host.store()

    def add(self, record: dict[str, Any]) -> dict[str, Any]:
        """Keep a new record; ResourceAlreadyExistsFault when its identifier is taken."""
        taken = record[self._identifier]
        if any(other[self._identifier] == taken for other in self._store.values()):
            raise wire.AwsError("ResourceAlreadyExistsFault", f"{self.noun} {taken} already exists")
        self._store[record[self._key]] = record
        return shown(record)

    def get(self, key: str) -> dict[str, Any]:
        """The record itself, to change; ResourceNotFoundFault when there is none."""
        if key not in self._store:
            raise not_found(f"{self.noun} {key} not found.")
        record: dict[str, Any] = self._store[key]
        return record

    def remove(self, key: str) -> dict[str, Any]:
        """Forget a record; gives it as it is shown while being deleted."""
        record = self.get(key)
        del self._store[key]
        return {**shown(record), "Status": "deleting"} if "Status" in record else shown(record)

    def all(self) -> list[dict[str, Any]]:
        """Every record, to read."""
        return list(self._store.values())

    def select(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """The records that pass the request's filters; filters that match nothing are ResourceNotFoundFault."""
        records = self.all()
        for criterion in request.get("Filters", []):
            field = self._filters.get(criterion["Name"])
            if field is None:
                raise wire.AwsError("InvalidParameterValueException", f"Invalid filter: {criterion['Name']}")
            records = [record for record in records if record.get(field) in criterion["Values"]]
        if request.get("Filters") and not records:
            raise not_found(f"No {self.noun}s found matching given filter")
        return [shown(record) for record in records]


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """A record as a response shows it: statuses as words, without fields of the service's own."""
    return {
        name: str(value) if isinstance(value, Status) else value
        for name, value in record.items()
        if value is not None and not name.startswith("_")
    }
