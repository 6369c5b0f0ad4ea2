"""DMS: replication tasks, from ready over starting and running to stopped, and their table statistics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paymig.embedded.plugin import wire
from paymig.embedded.plugin.dms.records import Records, Status, new_arn, shown, wrong_state
from paymig.embedded.plugin.dms.tables import statistics

if TYPE_CHECKING:
    from paymig.embedded.plugin.dms.endpoints import Endpoints
    from paymig.embedded.plugin.dms.instances import Instances

_AT_REST = ("ready", "stopped", "failed")
_CHANGEABLE = (
    "CdcStartPosition",
    "CdcStopPosition",
    "MigrationType",
    "ReplicationTaskIdentifier",
    "ReplicationTaskSettings",
    "TableMappings",
    "TaskData",
)


class Tasks:
    """Operations on replication tasks."""

    def __init__(self, instances: Instances, endpoints: Endpoints) -> None:
        self._instances = instances
        self._endpoints = endpoints
        self.tasks = Records(
            "Replication Task",
            "ReplicationTaskArn",
            {
                "replication-task-arn": "ReplicationTaskArn",
                "replication-task-id": "ReplicationTaskIdentifier",
                "migration-type": "MigrationType",
                "endpoint-arn": "SourceEndpointArn",
                "replication-instance-arn": "ReplicationInstanceArn",
            },
            identifier="ReplicationTaskIdentifier",
        )

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateReplicationTask: creating, then ready."""
        self._instances.instances.get(request["ReplicationInstanceArn"])
        for role in ("Source", "Target"):
            endpoint = self._endpoints.endpoints.get(request[f"{role}EndpointArn"])
            if endpoint["EndpointType"] != role.upper():
                raise wire.AwsError(
                    "InvalidParameterValueException",
                    f"Endpoint {endpoint['EndpointIdentifier']} is not a {role.lower()} endpoint",
                )
        check_documents(request)
        record = {
            "ReplicationTaskSettings": "{}",
            **{name: value for name, value in request.items() if name not in ("Tags", "ResourceIdentifier")},
            "ReplicationTaskIdentifier": request["ReplicationTaskIdentifier"].lower(),
            "ReplicationTaskArn": new_arn("task"),
            "ReplicationTaskCreationDate": datetime.now(UTC),
            "Status": Status("creating", "ready"),
            "_Loaded": set(),
        }
        return {"ReplicationTask": self.tasks.add(record)}

    def modify(self, request: dict[str, Any]) -> dict[str, Any]:
        """ModifyReplicationTask; only a task at rest."""
        record = self._at_rest(request, "modified")
        check_documents(request)
        before = str(record["Status"])
        record.update({name: request[name] for name in _CHANGEABLE if name in request})
        record["Status"] = Status("modifying", before)
        return {"ReplicationTask": shown(record)}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteReplicationTask; only a task at rest."""
        self._at_rest(request, "deleted")
        return {"ReplicationTask": self.tasks.remove(request["ReplicationTaskArn"])}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeReplicationTasks."""
        return {"ReplicationTasks": self.tasks.select(request)}

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """StartReplicationTask: starting, then running.

        A first start must be start-replication; a later one resume-processing or reload-target, which a
        task of changes only does not have. Both connections must have been tested with success.
        """
        record = self._at_rest(request, "started")
        check_start(request["StartReplicationTaskType"], record["MigrationType"], "ReplicationTaskStartDate" in record)
        for role in ("Source", "Target"):
            endpoint = record[f"{role}EndpointArn"]
            if not self._endpoints.tested(record["ReplicationInstanceArn"], endpoint):
                raise wrong_state(
                    "Test connection for replication instance and endpoint should be successful for starting "
                    f"the replication task: {record['ReplicationInstanceArn']} and {endpoint}"
                )
        if request["StartReplicationTaskType"] == "reload-target":
            record["_Loaded"] = set()
        record.pop("StopReason", None)
        record.update(
            {name: request[name] for name in ("CdcStartPosition", "CdcStopPosition") if name in request},
            ReplicationTaskStartDate=datetime.now(UTC),
            Status=Status("starting", "running"),
        )
        return {"ReplicationTask": shown(record)}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        """StopReplicationTask: stopping, then stopped; only a running task."""
        record = self.tasks.get(request["ReplicationTaskArn"])
        if str(record["Status"]) != "running":
            raise wrong_state(
                f"Replication Task {record['ReplicationTaskIdentifier']} is not running: {record['Status']}"
            )
        record["Status"] = Status("stopping", "stopped")
        record["StopReason"] = "Stop Reason NORMAL"
        return {"ReplicationTask": shown(record)}

    def table_statistics(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeTableStatistics: the selected tables of the source and what the target holds of them."""
        record = self.tasks.get(request["ReplicationTaskArn"])
        found = []
        if "ReplicationTaskStartDate" in record:
            source = self._endpoints.endpoints.get(record["SourceEndpointArn"])
            target = self._endpoints.endpoints.get(record["TargetEndpointArn"])
            found = statistics(record["TableMappings"], source, target, record["_Loaded"])
        return {"ReplicationTaskArn": record["ReplicationTaskArn"], "TableStatistics": found}

    def _at_rest(self, request: dict[str, Any], verb: str) -> dict[str, Any]:
        record = self.tasks.get(request["ReplicationTaskArn"])
        if str(record["Status"]) not in _AT_REST:
            raise wrong_state(
                f"Replication Task {record['ReplicationTaskIdentifier']} cannot be {verb} "
                f"while it is {record['Status']}"
            )
        return record


def check_documents(request: dict[str, Any]) -> None:
    """Refuse table mappings and settings that are not what DMS reads."""
    for name in ("TableMappings", "ReplicationTaskSettings", "ReplicationSettings"):
        if name not in request:
            continue
        try:
            document = json.loads(request[name])
        except json.JSONDecodeError as problem:
            raise wire.AwsError("InvalidParameterValueException", f"Invalid {name} document: {problem}") from problem
        if name == "TableMappings" and not document.get("rules"):
            raise wire.AwsError(
                "InvalidParameterValueException", "Invalid TableMappings document: a selection rule is required"
            )


def check_start(start_type: str, migration_type: str, ran_before: bool) -> None:
    """Refuse the start types that a task of this kind and history does not have."""
    spoken = start_type.upper().replace("-", "_")
    if start_type == "start-replication":
        allowed = not ran_before or migration_type == "cdc"
        reason = "valid only for tasks running for the first time"
    else:
        allowed = ran_before and not (start_type == "reload-target" and migration_type == "cdc")
        reason = (
            f"is not valid for a task with migration type {migration_type}"
            if ran_before
            else "is not valid when starting replication task for the first time"
        )
    if not allowed:
        raise wire.AwsError("InvalidParameterCombinationException", f"Start Type : {spoken}, {reason}")
