"""AWS Database Migration Service, which ministack does not have: its API and its resource types."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from paymig.embedded.plugin import wire
from paymig.embedded.plugin.dms.endpoints import Endpoints
from paymig.embedded.plugin.dms.instances import Certificates, Instances, Subscriptions
from paymig.embedded.plugin.dms.replications import Replications
from paymig.embedded.plugin.dms.resources import TYPES
from paymig.embedded.plugin.dms.tasks import Tasks
from paymig.embedded.plugin.services import add_service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def install() -> None:
    """Add the service."""
    instances, certificates, subscriptions = Instances(), Certificates(), Subscriptions()
    endpoints = Endpoints(instances, certificates)
    tasks = Tasks(instances, endpoints)
    replications = Replications(endpoints)

    def delete_instance(request: dict[str, Any]) -> dict[str, Any]:
        _refuse_while_used(tasks, "ReplicationInstanceArn", request["ReplicationInstanceArn"])
        return instances.delete_instance(request)

    def delete_endpoint(request: dict[str, Any]) -> dict[str, Any]:
        for role in ("SourceEndpointArn", "TargetEndpointArn"):
            _refuse_while_used(tasks, role, request["EndpointArn"])
        return endpoints.delete(request)

    add_service(
        "dms",
        {
            "CreateReplicationSubnetGroup": instances.create_group,
            "ModifyReplicationSubnetGroup": instances.modify_group,
            "DeleteReplicationSubnetGroup": instances.delete_group,
            "DescribeReplicationSubnetGroups": instances.describe_groups,
            "CreateReplicationInstance": instances.create_instance,
            "ModifyReplicationInstance": instances.modify_instance,
            "DeleteReplicationInstance": delete_instance,
            "DescribeReplicationInstances": instances.describe_instances,
            "ImportCertificate": certificates.import_one,
            "DeleteCertificate": certificates.delete,
            "DescribeCertificates": certificates.describe,
            "CreateEventSubscription": subscriptions.create,
            "ModifyEventSubscription": subscriptions.modify,
            "DeleteEventSubscription": subscriptions.delete,
            "DescribeEventSubscriptions": subscriptions.describe,
            "CreateEndpoint": endpoints.create,
            "ModifyEndpoint": endpoints.modify,
            "DeleteEndpoint": delete_endpoint,
            "DescribeEndpoints": endpoints.describe,
            "TestConnection": _in_thread(endpoints.test),
            "DescribeConnections": endpoints.describe_connections,
            "DeleteConnection": endpoints.delete_connection,
            "CreateReplicationTask": tasks.create,
            "ModifyReplicationTask": tasks.modify,
            "DeleteReplicationTask": tasks.delete,
            "DescribeReplicationTasks": tasks.describe,
            "StartReplicationTask": tasks.start,
            "StopReplicationTask": tasks.stop,
            "DescribeTableStatistics": _in_thread(tasks.table_statistics),
            "CreateReplicationConfig": replications.create,
            "ModifyReplicationConfig": replications.modify,
            "DeleteReplicationConfig": replications.delete,
            "DescribeReplicationConfigs": replications.describe_configs,
            "DescribeReplications": replications.describe,
            "DescribeReplicationTableStatistics": _in_thread(replications.table_statistics),
            "StartReplication": replications.start,
            "StopReplication": replications.stop,
        },
    )


def _in_thread(
    operation: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]:
    """An operation that talks to a database, kept off the event loop."""

    def run(request: dict[str, Any]) -> Awaitable[dict[str, Any]]:
        return asyncio.to_thread(operation, request)

    return run


def _refuse_while_used(tasks: Tasks, field: str, arn: str) -> None:
    for task in tasks.tasks.all():
        if task[field] == arn:
            raise wire.AwsError(
                "InvalidResourceStateFault",
                f"{arn} is used by the replication task {task['ReplicationTaskIdentifier']}",
            )


__all__ = ["TYPES", "install"]
