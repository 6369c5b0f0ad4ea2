"""The journal's table in DynamoDB: consistent reads, conditional writes, and nothing decided."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from paymig.aws.session import Aws, code_of
from paymig.aws.waiting import paces
from paymig.journal.entry import PREFIX, Entry, Item, from_item, key_of, to_item

LEASE, CONTROL = "lease", "control"
_PATIENCE = 20


class Conflict(Exception):
    """A condition did not hold, so nothing was written.

    Attributes:
        lease: True when the lease is another's by now, False when the entry or item is there already.
    """

    def __init__(self, lease: bool) -> None:
        super().__init__("the lease changed hands" if lease else "the item is there already")
        self.lease = lease


@dataclass(frozen=True)
class Table:
    """The items of one migration."""

    aws: Aws
    name: str
    migration: str

    def read(self, item: str) -> Item | None:
        """Read one item as it is now."""
        answer = self._client.get_item(TableName=self.name, Key=self._key(item), ConsistentRead=True)
        found: Item | None = answer.get("Item")
        return found

    def entries(self) -> Iterator[Entry]:
        """Read all entries, oldest first, page by page."""
        for page in self._client.get_paginator("query").paginate(**self._all_entries()):
            yield from map(from_item, page["Items"])

    def last_sequence(self) -> int:
        """Return the latest entry's sequence number; 0 before the first."""
        newest = self._client.query(**self._all_entries(), ScanIndexForward=False, Limit=1)["Items"]
        return from_item(newest[0]).sequence if newest else 0

    def append(self, entry: Entry, under: tuple[int, str] | None) -> None:
        """Put an entry where none is yet.

        Args:
            entry: what to put.
            under: token and id of the lease that must still be there, or None for an entry that needs no lease.

        Raises:
            Conflict: nothing was written.
        """
        put = {
            "TableName": self.name,
            "Item": self._key(key_of(entry.sequence)) | to_item(entry),
            "ConditionExpression": "attribute_not_exists(#item)",
            "ExpressionAttributeNames": {"#item": "item"},
        }
        actions: list[dict[str, Any]] = [{"Put": put}]
        if under is not None:
            check = {"TableName": self.name, "Key": self._key(LEASE)} | _unchanged(*under)
            actions.append({"ConditionCheck": check})
        # The SDK adds a token that makes a repetition of this very call harmless.
        _write(lambda: self._client.transact_write_items(TransactItems=actions))

    def put_lease(self, lease: Mapping[str, Mapping[str, str]], instead_of: tuple[int, str] | None) -> None:
        """Replace the lease.

        Args:
            lease: the new one, without the table's key.
            instead_of: token and id of the one to replace, or None when there is none.

        Raises:
            Conflict: another stands there.
        """
        condition: dict[str, Any] = (
            {"ConditionExpression": "attribute_not_exists(#item)", "ExpressionAttributeNames": {"#item": "item"}}
            if instead_of is None
            else _unchanged(*instead_of)
        )
        _write(lambda: self._client.put_item(TableName=self.name, Item=self._key(LEASE) | dict(lease), **condition))

    @property
    def _client(self) -> Any:
        return self.aws.client("dynamodb")

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


def _unchanged(token: int, acquisition: str) -> dict[str, Any]:
    return {
        "ConditionExpression": "#token = :token AND #id = :id",
        "ExpressionAttributeNames": {"#token": "token", "#id": "id"},
        "ExpressionAttributeValues": {":token": {"N": str(token)}, ":id": {"S": acquisition}},
    }


def _write(call: Callable[[], object]) -> None:
    """Write; repeat a write that met another one at the same item, since DynamoDB cancels one of the two."""
    error: ClientError | None = None
    for _ in paces(_PATIENCE):
        try:
            call()
            return
        except ClientError as failure:
            error = failure
            codes = _reasons(error)
            if "ConditionalCheckFailed" in codes:
                raise Conflict(lease=codes[0] != "ConditionalCheckFailed") from error
            if code_of(error) == "ConditionalCheckFailedException":
                raise Conflict(lease=True) from error
            if code_of(error) != "TransactionConflictException" and "TransactionConflict" not in codes:
                raise
    assert error is not None  # noqa: S101 - the loop ends only by running out of patience after an error
    raise error


def _reasons(error: ClientError) -> list[str]:
    """Say why a transaction was cancelled, one code for each of its actions; empty for any other error."""
    if code_of(error) != "TransactionCanceledException":
        return []
    return [reason.get("Code", "") for reason in error.response.get("CancellationReasons", [])]
