"""The journal's table in DynamoDB: consistent reads, conditional writes, and nothing decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from runtime_lambdas.runtime.journal.control import FIRST, Side, Writer
from runtime_lambdas.runtime.journal.entry import PREFIX, Entry, Item, from_item, key_of, to_item
from runtime_lambdas.runtime.waiting import paces

LEASE, CONTROL = "lease", "control"
_PATIENCE = 20

What = Literal["lease", "control", "entry"]


class Conflict(Exception):
    """A condition did not hold, so nothing was written.

    Attributes:
        what: the item that is not as expected; where several are not, the first of lease, control, entry.
    """

    def __init__(self, what: What) -> None:
        super().__init__(f"the {what} is not as expected")
        self.what: What = what


@dataclass(frozen=True)
class Table:
    """The items of one migration.

    Attributes:
        client: a DynamoDB client of boto3.
        name: of the table.
        migration: the migration's full name, the partition of all its items.
    """

    client: Any
    name: str
    migration: str

    def read(self, item: str) -> Item | None:
        """Read one item as it is now."""
        answer = self.client.get_item(TableName=self.name, Key=self._key(item), ConsistentRead=True)
        found: Item | None = answer.get("Item")
        return found

    def entries(self) -> Iterator[Entry]:
        """Read all entries, oldest first, page by page."""
        for page in self.client.get_paginator("query").paginate(**self._all_entries()):
            yield from map(from_item, page["Items"])

    def last_sequence(self) -> int:
        """Return the latest entry's sequence number; 0 before the first."""
        newest = self.client.query(**self._all_entries(), ScanIndexForward=False, Limit=1)["Items"]
        return from_item(newest[0]).sequence if newest else 0

    def append(
        self, entries: Sequence[Entry], under: tuple[int, str] | None, commit: tuple[int, Side] | None = None
    ) -> None:
        """Put entries where none are yet: all of them or none.

        Args:
            entries: what to put; their sequence numbers follow each other.
            under: token and id of the lease that must still be there, or None for entries that need no lease.
            commit: in the same transaction, name this side the writer if the epoch is still this one.

        Raises:
            Conflict: nothing was written.
        """
        actions: list[tuple[What, dict[str, Any]]] = []
        if under is not None:
            check = {"TableName": self.name, "Key": self._key(LEASE)} | _unchanged(*under)
            actions.append(("lease", {"ConditionCheck": check}))
        if commit is not None:
            actions.append(("control", {"Update": self._commit(*commit)}))
        actions.extend(("entry", {"Put": self._put(entry)}) for entry in entries)
        # The SDK adds a token that makes a repetition of this very call harmless.
        _write(
            lambda: self.client.transact_write_items(TransactItems=[action for _, action in actions]),
            [what for what, _ in actions],
        )

    def put_lease(self, lease: Mapping[str, Mapping[str, str]], instead_of: tuple[int, str] | None) -> None:
        """Replace the lease.

        Args:
            lease: the new one, without the table's key.
            instead_of: token and id of the one to replace, or None when there is none.

        Raises:
            Conflict: another stands there.
        """
        condition = _ABSENT if instead_of is None else _unchanged(*instead_of)
        item = self._key(LEASE) | dict(lease)
        _write(lambda: self.client.put_item(TableName=self.name, Item=item, **condition), ["lease"])

    def _put(self, entry: Entry) -> dict[str, Any]:
        return {"TableName": self.name, "Item": self._key(key_of(entry.sequence)) | to_item(entry), **_ABSENT}

    def _commit(self, epoch: int, side: Side) -> dict[str, Any]:
        """Change the writer and nothing else of the control item, which does not exist before the first switchover."""
        former: Side = "source" if side == "target" else "target"
        names, before = {"#writer": "writer", "#epoch": "epoch"}, "(#epoch = :epoch AND #writer = :former)"
        if Writer(former, epoch) == FIRST:
            names, before = names | {"#item": "item"}, f"{before} OR attribute_not_exists(#item)"
        return {
            "TableName": self.name,
            "Key": self._key(CONTROL),
            "UpdateExpression": "SET #writer = :writer, #epoch = :next",
            "ConditionExpression": before,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {
                ":former": {"S": former},
                ":writer": {"S": side},
                ":epoch": {"N": str(epoch)},
                ":next": {"N": str(epoch + 1)},
            },
        }

    def _key(self, item: str) -> dict[str, dict[str, str]]:
        return {"migration": {"S": self.migration}, "item": {"S": item}}

    def _all_entries(self) -> dict[str, Any]:
        return {
            "TableName": self.name,
            "ConsistentRead": True,
            "KeyConditionExpression": "#migration = :migration AND begins_with(#item, :prefix)",
            "ExpressionAttributeNames": {"#migration": "migration", "#item": "item"},
            "ExpressionAttributeValues": {":migration": {"S": self.migration}, ":prefix": {"S": PREFIX}},
        }


_ABSENT = {"ConditionExpression": "attribute_not_exists(#item)", "ExpressionAttributeNames": {"#item": "item"}}


def _unchanged(token: int, acquisition: str) -> dict[str, Any]:
    return {
        "ConditionExpression": "#token = :token AND #id = :id",
        "ExpressionAttributeNames": {"#token": "token", "#id": "id"},
        "ExpressionAttributeValues": {":token": {"N": str(token)}, ":id": {"S": acquisition}},
    }


def _write(call: Callable[[], object], parts: Sequence[What]) -> None:
    """Write; repeat a write that met another one at the same item, since DynamoDB cancels one of the two.

    Args:
        call: what writes.
        parts: what each of its actions is about.
    """
    error: ClientError | None = None
    for _ in paces(_PATIENCE):
        try:
            call()
            return
        except ClientError as failure:
            error = failure
            code, reasons = _codes(error)
            for part, reason in zip(parts, reasons, strict=False):
                if reason == "ConditionalCheckFailed":
                    raise Conflict(part) from error
            if code == "ConditionalCheckFailedException":
                raise Conflict(parts[0]) from error
            if code != "TransactionConflictException" and "TransactionConflict" not in reasons:
                raise
    assert error is not None  # noqa: S101 - the loop ends only by running out of patience after an error
    raise error


def _codes(error: ClientError) -> tuple[str, list[str]]:
    """Return an error's code, and of a cancelled transaction one code for each of its actions."""
    code = error.response.get("Error", {}).get("Code", "")
    if code != "TransactionCanceledException":
        return code, []
    return code, [reason.get("Code", "") for reason in error.response.get("CancellationReasons", [])]
