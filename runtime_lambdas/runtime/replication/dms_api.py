"""The two forms in which AWS DMS moves rows, a task on an instance and a serverless replication, as one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runtime_lambdas.runtime.replication.engine import NotReady
from runtime_lambdas.runtime.waiting import paces

_AT_REST = ("ready", "created", "stopped", "failed")
_NORMAL = ("", "Stop Reason NORMAL")


@dataclass(frozen=True)
class State:
    """What DMS says of a task or a replication.

    Attributes:
        status: in DMS's words, as "running".
        began: whether it was ever started.
        failure: why it stopped, where that was not asked for; else empty.
        made: when it was made, as ISO 8601: another one has another date.
        position: where in the origin's log it was last told to begin; empty where it was not.
    """

    status: str
    began: bool
    failure: str
    made: str
    position: str = ""

    @property
    def at_rest(self) -> bool:
        """Whether it may be started."""
        return self.status in _AT_REST


class Moves(Protocol):
    """Something of DMS's that moves rows."""

    arn: str

    def read(self) -> State:
        """Look it up.

        Raises:
            ClientError: There is none, or it can't be read.
        """
        ...

    def connect(self) -> None:
        """Make sure that DMS reaches both databases.

        Raises:
            NotReady: It does not.
        """
        ...

    def start(self, how: str, position: str | None = None) -> None:
        """Start it: "start-replication" from a position, "reload-target", or "resume-processing"."""
        ...

    def stop(self) -> None:
        """Ask it to stop."""
        ...

    def statistics(self) -> list[Mapping[str, Any]]:
        """Return what DMS says of each table."""
        ...


class Task:
    """A task on a replication instance.

    Args:
        client: of "dms".
        arn: the task's.
        patience: seconds that DMS may take to test a connection.
    """

    def __init__(self, client: Any, arn: str, patience: float = 300.0) -> None:
        self.arn = arn
        self._client, self._patience = client, patience

    def read(self) -> State:
        """As `Moves.read`."""
        found = self._describe()
        reason = found.get("StopReason", "")
        failure = found.get("LastFailureMessage") or (reason if reason not in _NORMAL else "")
        began = "ReplicationTaskStartDate" in found
        made = found["ReplicationTaskCreationDate"].isoformat()
        return State(found["Status"], began, failure, made, found.get("CdcStartPosition", ""))

    def connect(self) -> None:
        """As `Moves.connect`: a task is not started before both tests have succeeded."""
        task = self._describe()
        instance = task["ReplicationInstanceArn"]
        for role in ("Source", "Target"):
            endpoint = task[f"{role}EndpointArn"]
            if self._tested(instance, endpoint).get("Status") == "successful":
                continue
            self._client.test_connection(ReplicationInstanceArn=instance, EndpointArn=endpoint)
            looks = paces(self._patience)
            while (found := self._tested(instance, endpoint)).get("Status") == "testing":
                if next(looks, None) is None:
                    raise NotReady(f"DMS has tested the connection to the {role.lower()} for {self._patience:g} s")
            if found.get("Status") != "successful":
                said = found.get("LastFailureMessage", "it does not say why")
                raise NotReady(f"DMS does not reach its {role.lower()} endpoint: {said}")

    def start(self, how: str, position: str | None = None) -> None:
        """As `Moves.start`."""
        self._client.start_replication_task(
            ReplicationTaskArn=self.arn, StartReplicationTaskType=how, **_from(position)
        )

    def stop(self) -> None:
        """As `Moves.stop`."""
        self._client.stop_replication_task(ReplicationTaskArn=self.arn)

    def statistics(self) -> list[Mapping[str, Any]]:
        """As `Moves.statistics`."""
        pages = self._client.get_paginator("describe_table_statistics").paginate(ReplicationTaskArn=self.arn)
        return [table for page in pages for table in page["TableStatistics"]]

    def _describe(self) -> dict[str, Any]:
        filters = [{"Name": "replication-task-arn", "Values": [self.arn]}]
        answer = self._client.describe_replication_tasks(Filters=filters, WithoutSettings=True)
        found: dict[str, Any] = answer["ReplicationTasks"][0]
        return found

    def _tested(self, instance: str, endpoint: str) -> dict[str, Any]:
        filters = [{"Name": "endpoint-arn", "Values": [endpoint]}]
        try:
            known = self._client.describe_connections(Filters=filters)["Connections"]
        except self._client.exceptions.ResourceNotFoundFault:
            return {}
        return next((one for one in known if one["ReplicationInstanceArn"] == instance), {})


class Serverless:
    """A serverless replication, which a replication configuration describes.

    Args:
        client: of "dms".
        arn: the configuration's.
    """

    def __init__(self, client: Any, arn: str) -> None:
        self.arn = arn
        self._client = client

    def read(self) -> State:
        """As `Moves.read`."""
        filters = [{"Name": "replication-config-arn", "Values": [self.arn]}]
        found = self._client.describe_replications(Filters=filters)["Replications"][0]
        reason = found.get("StopReason", "")
        failure = "; ".join(found.get("FailureMessages", ())) or (reason if reason not in _NORMAL else "")
        began = found["Status"] not in ("created", "ready")
        made = found["ReplicationCreateTime"].isoformat()
        return State(found["Status"], began, failure, made, found.get("CdcStartPosition", ""))

    def connect(self) -> None:
        """Nothing: it tests its connections whenever it starts."""

    def start(self, how: str, position: str | None = None) -> None:
        """As `Moves.start`."""
        self._client.start_replication(ReplicationConfigArn=self.arn, StartReplicationType=how, **_from(position))

    def stop(self) -> None:
        """As `Moves.stop`."""
        self._client.stop_replication(ReplicationConfigArn=self.arn)

    def statistics(self) -> list[Mapping[str, Any]]:
        """As `Moves.statistics`."""
        found: list[Mapping[str, Any]] = []
        marker: dict[str, str] = {}
        while True:  # the SDK knows no pages of this call
            page = self._client.describe_replication_table_statistics(ReplicationConfigArn=self.arn, **marker)
            found += page["ReplicationTableStatistics"]
            if not page.get("Marker"):
                return found
            marker = {"Marker": page["Marker"]}


def moves(client: Any, arn: str) -> Moves:
    """Return what an ARN names."""
    return Serverless(client, arn) if ":replication-config:" in arn else Task(client, arn)


def wait_for(what: Moves, wanted: Collection[str], patience: float) -> State:
    """Wait until DMS has brought a task or a replication where it was asked to, for so many seconds at most.

    Raises:
        NotReady: It ended elsewhere, or takes too long.
    """
    looks = paces(patience)
    while (state := what.read()).status not in wanted:
        if state.status == "failed":
            raise NotReady(f"DMS gave {what.arn} up: {state.failure or 'it does not say why'}")
        if next(looks, None) is None:
            raise NotReady(f"{what.arn} is {state.status} for {patience:g} s, and not {' or '.join(wanted)}")
    return state


def _from(position: str | None) -> dict[str, str]:
    return {"CdcStartPosition": position} if position else {}
