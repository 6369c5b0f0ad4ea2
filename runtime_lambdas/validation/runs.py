"""Comparisons in parts, in S3: what was planned, what is left, what each part found, and the reports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Runs:
    """The bucket that a migration's comparisons are kept in.

    Attributes:
        client: an S3 client of boto3.
        bucket: its name.
    """

    client: Any
    bucket: str

    def under_way(self, scope: str) -> Run | None:
        """Return the run over a scope that was begun last and not gathered; None where there is none."""
        found = self.read(f"under-way/{scope}.json")
        return Run(self, found["run"]) if found is not None and found["run"] is not None else None

    def point(self, scope: str, run: Run | None) -> None:
        """Remember which run over a scope was begun, or that none is under way."""
        self.write(f"under-way/{scope}.json", {"run": run and run.name})

    def report(self, execution: str, report: Mapping[str, Any]) -> str:
        """Write the report of an execution; return its key."""
        key = f"reports/{execution}.json"
        self.write(key, report)
        return key

    def read(self, key: str) -> Any:
        """Return the JSON of an object; None where there is no object."""
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=key)
        except self.client.exceptions.NoSuchKey:
            return None
        return json.loads(answer["Body"].read())

    def write(self, key: str, value: Any) -> None:
        """Write an object as JSON."""
        self._put(key, json.dumps(value))

    def write_lines(self, key: str, values: Iterable[Any]) -> None:
        """Write an object as JSON lines, as a distributed map reads it."""
        self._put(key, "".join(json.dumps(value) + "\n" for value in values))

    def keys(self, prefix: str) -> Iterator[str]:
        """List the objects whose keys begin so."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            yield from (found["Key"] for found in page.get("Contents", ()))

    def _put(self, key: str, text: str) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=text.encode(), ContentType="application/json")


@dataclass(frozen=True)
class Run:
    """One plan and what became of it; several executions may work on it, one after the other."""

    runs: Runs
    name: str

    def plan(self) -> Mapping[str, Any] | None:
        """Return what was planned."""
        found: Mapping[str, Any] | None = self.runs.read(f"{self._folder}/plan.json")
        return found

    def save_plan(self, plan: Mapping[str, Any]) -> None:
        """Keep what was planned."""
        self.runs.write(f"{self._folder}/plan.json", plan)

    def leave(self, execution: str, parts: Iterable[Mapping[str, Any]]) -> str:
        """Write the parts that an execution has to do, for the map to read; return the key."""
        key = f"{self._folder}/left/{execution}.jsonl"
        self.runs.write_lines(key, parts)
        return key

    def done(self) -> frozenset[int]:
        """Return the numbers of the parts that have a result."""
        prefix = f"{self._folder}/results/"
        return frozenset(int(key[len(prefix) :].partition(".")[0]) for key in self.runs.keys(prefix))

    def result(self, part: int) -> Mapping[str, Any] | None:
        """Return what a part found."""
        found: Mapping[str, Any] | None = self.runs.read(f"{self._folder}/results/{part}.json")
        return found

    def save_result(self, part: int, result: Mapping[str, Any]) -> None:
        """Keep what a part found."""
        self.runs.write(f"{self._folder}/results/{part}.json", result)

    def progress(self, part: int) -> Progress:
        """Return the place of a part that takes several invocations."""
        return Progress(self.runs, f"{self._folder}/progress/{part}.json")

    @property
    def _folder(self) -> str:
        return f"runs/{self.name}"


@dataclass(frozen=True)
class Progress:
    """How far one part is. Implements `comparison.Kept`."""

    runs: Runs
    key: str

    def load(self) -> Mapping[str, Any] | None:
        """Return what was saved last."""
        found: Mapping[str, Any] | None = self.runs.read(self.key)
        return found

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace what was saved."""
        self.runs.write(self.key, state)

    def clear(self) -> None:
        """Leave it: the part's result is looked for first."""
