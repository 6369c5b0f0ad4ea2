"""DMS: serverless replications, which a replication configuration describes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paymig.embedded.plugin.dms.records import Records, Status, new_arn, shown, wrong_state
from paymig.embedded.plugin.dms.tables import statistics
from paymig.embedded.plugin.dms.tasks import check_documents, check_start

if TYPE_CHECKING:
    from paymig.embedded.plugin.dms.endpoints import Endpoints

_AT_REST = ("created", "stopped", "failed")
_SHARED = (
    "ReplicationConfigIdentifier",
    "ReplicationConfigArn",
    "SourceEndpointArn",
    "TargetEndpointArn",
    "ReplicationType",
)


class Replications:
    """Operations on replication configurations and the replications that run them."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self.configs = Records(
            "Replication Config",
            "ReplicationConfigArn",
            {"replication-config-arn": "ReplicationConfigArn", "replication-config-id": "ReplicationConfigIdentifier"},
            identifier="ReplicationConfigIdentifier",
        )

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateReplicationConfig."""
        for role in ("Source", "Target"):
            self._endpoints.endpoints.get(request[f"{role}EndpointArn"])
        check_documents(request)
        now = datetime.now(UTC)
        record = {
            **{name: value for name, value in request.items() if name not in ("Tags", "ResourceIdentifier")},
            "ReplicationConfigArn": new_arn("replication-config"),
            "ReplicationConfigCreateTime": now,
            "ReplicationConfigUpdateTime": now,
            "_Status": Status("created"),
            "_Started": None,
            "_StopReason": None,
            "_Position": None,
            "_Loaded": set(),
        }
        return {"ReplicationConfig": self.configs.add(record)}

    def modify(self, request: dict[str, Any]) -> dict[str, Any]:
        """ModifyReplicationConfig; only while its replication is at rest."""
        record = self._at_rest(request, "modified")
        check_documents(request)
        record.update(request, ReplicationConfigUpdateTime=datetime.now(UTC))
        return {"ReplicationConfig": shown(record)}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteReplicationConfig; only while its replication is at rest."""
        self._at_rest(request, "deleted")
        return {"ReplicationConfig": self.configs.remove(request["ReplicationConfigArn"])}

    def describe_configs(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeReplicationConfigs."""
        return {"ReplicationConfigs": self.configs.select(request)}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeReplications."""
        chosen = {record["ReplicationConfigArn"] for record in self.configs.select(request)}
        return {
            "Replications": [
                _replication(record) for record in self.configs.all() if record["ReplicationConfigArn"] in chosen
            ]
        }

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """StartReplication: it prepares, connects and then runs."""
        record = self._at_rest(request, "started")
        check_start(request["StartReplicationType"], record["ReplicationType"], record["_Started"] is not None)
        record.update(
            _Started=datetime.now(UTC),
            _StopReason=None,
            _Position=request.get("CdcStartPosition", record["_Position"]),
            _Loaded=set() if request["StartReplicationType"] == "reload-target" else record["_Loaded"],
            _Status=Status("initializing", "preparing_metadata_resources", "testing_connection", "starting", "running"),
        )
        return {"Replication": _replication(record)}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        """StopReplication; only a running one."""
        record = self.configs.get(request["ReplicationConfigArn"])
        if str(record["_Status"]) != "running":
            raise wrong_state(
                f"Replication {record['ReplicationConfigIdentifier']} is not running: {record['_Status']}"
            )
        record.update(_Status=Status("stopping", "stopped"), _StopReason="Stop Reason NORMAL")
        return {"Replication": _replication(record)}

    def table_statistics(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeReplicationTableStatistics: as of a task."""
        record = self.configs.get(request["ReplicationConfigArn"])
        found = []
        if record["_Started"] is not None:
            source = self._endpoints.endpoints.get(record["SourceEndpointArn"])
            target = self._endpoints.endpoints.get(record["TargetEndpointArn"])
            found = statistics(record["TableMappings"], source, target, record["_Loaded"])
        return {"ReplicationConfigArn": record["ReplicationConfigArn"], "ReplicationTableStatistics": found}

    def _at_rest(self, request: dict[str, Any], verb: str) -> dict[str, Any]:
        record = self.configs.get(request["ReplicationConfigArn"])
        if str(record["_Status"]) not in _AT_REST:
            raise wrong_state(
                f"Replication {record['ReplicationConfigIdentifier']} cannot be {verb} while it is {record['_Status']}"
            )
        return record


def _replication(record: dict[str, Any]) -> dict[str, Any]:
    state = {
        "Status": record["_Status"],
        "ReplicationCreateTime": record["ReplicationConfigCreateTime"],
        "ReplicationLastStartTime": record["_Started"],
        "StopReason": record["_StopReason"],
        "CdcStartPosition": record["_Position"],
    }
    return shown({**{name: record[name] for name in _SHARED}, **state})
