"""What is remembered between comparisons: how far a full one is, and from where changes are counted."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .changes import Cut
from .report import Report

_RUN, _LAST = "run", "last"


class Busy(RuntimeError):
    """Another run is at it."""


@dataclass(frozen=True)
class Pace:
    """How fast a comparison was.

    Attributes:
        mode: "full" or "changes".
        started: When it began, by the source's clock.
        rows: Rows of the source that it read.
        seconds: How long it took, with the time between the invocations of one that took several.
    """

    mode: str
    started: datetime
    rows: int
    seconds: float


@dataclass(frozen=True)
class Place:
    """The items of one migration's comparison, in the journal's table and in a partition of their own.

    Implements `Kept`.

    Attributes:
        client: a DynamoDB client of boto3.
        table: the journal's.
        migration: the migration's full name.
    """

    client: Any
    table: str
    migration: str

    @contextmanager
    def held(self, seconds: float) -> Iterator[None]:
        """Keep other runs away until the block ends, or so many seconds at most.

        Raises:
            Busy: Another run does.
        """
        now = time.time()
        try:
            self._update(
                "SET held_until = :until",
                {":until": {"N": str(now + seconds)}, ":now": {"N": str(now)}},
                "attribute_not_exists(held_until) OR held_until < :now",
            )
        except self.client.exceptions.ConditionalCheckFailedException as error:
            raise Busy(f"another comparison of {self.migration} is running") from error
        try:
            yield
        finally:
            self._update("REMOVE held_until")

    def load(self) -> Mapping[str, Any] | None:
        """Return how far the full comparison is that was begun and not finished."""
        item = self._read(_RUN)
        if "state" not in item:
            return None
        state: dict[str, Any] = json.loads(gzip.decompress(item["state"]["B"]))
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep how far the full comparison is."""
        packed = gzip.compress(json.dumps(state).encode(), mtime=0)
        self._update("SET #state = :state", {":state": {"B": packed}}, names={"#state": "state"})

    def clear(self) -> None:
        """Forget it: it is finished, or has to begin anew."""
        self._update("REMOVE #state", names={"#state": "state"})

    def note(self, report: Report) -> None:
        """Remember a comparison that found both sides equal: changes are counted from where it began."""
        # One that was resumed took longer than its last part.
        seconds = max(report.seconds, time.time() - datetime.fromisoformat(report.started).timestamp())
        found = {
            "cut": report.cut,
            "mode": report.mode,
            "started": report.started,
            "seconds": round(seconds, 3),
            "rows": sum(table.rows_source for table in report.tables),
        }
        item = {**self._key(_LAST), "report": {"S": json.dumps(found)}}
        self.client.put_item(TableName=self.table, Item=item)

    def cut(self) -> Cut | None:
        """Return from where changes are counted; None before a full comparison has found both sides equal."""
        found = self._last()
        return Cut.from_json(found["cut"]) if found else None

    def pace(self) -> Pace | None:
        """Return how fast the last comparison was that found both sides equal; None where none did, or none says."""
        found = self._last()
        if not found or "rows" not in found:
            return None
        return Pace(found["mode"], datetime.fromisoformat(found["started"]), found["rows"], found["seconds"])

    def _last(self) -> Mapping[str, Any] | None:
        item = self._read(_LAST)
        found: dict[str, Any] | None = json.loads(item["report"]["S"]) if item else None
        return found

    def _key(self, item: str) -> dict[str, Any]:
        return {"migration": {"S": f"{self.migration}/comparison"}, "item": {"S": item}}

    def _read(self, item: str) -> Mapping[str, Any]:
        answer = self.client.get_item(TableName=self.table, Key=self._key(item), ConsistentRead=True)
        found: Mapping[str, Any] = answer.get("Item", {})
        return found

    def _update(
        self,
        change: str,
        values: Mapping[str, Any] | None = None,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        more: dict[str, Any] = {}
        if values:
            more["ExpressionAttributeValues"] = values
        if condition:
            more["ConditionExpression"] = condition
        if names:
            more["ExpressionAttributeNames"] = names
        self.client.update_item(TableName=self.table, Key=self._key(_RUN), UpdateExpression=change, **more)
