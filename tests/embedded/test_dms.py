"""The DMS API from creation to deletion, parsed by botocore, between two real databases."""

import json
import time

import pytest
from botocore.exceptions import ClientError
from psycopg2.extensions import parse_dsn

from paymig.embedded.plugin.dms.tables import selected
from paymig.embedded.postgres import VOLATILE, Postgres
from tests.embedded.contract import DMS_INSTANCE, MAPPINGS

SELECT_ALL = MAPPINGS


@pytest.fixture(scope="module")
def server():
    with Postgres.start(16, VOLATILE) as running:
        for name in ("old", "new"):
            running.create_database(name)
            connection = running.connect(name)
            with connection, connection.cursor() as cursor:
                cursor.execute("create table payments (id int primary key); create table secrets (id int)")
                if name == "old":
                    cursor.execute("insert into payments select generate_series(1, 7)")
            connection.close()
        yield running


@pytest.fixture
def dms(aws):
    return aws.client("dms")


@pytest.fixture
def instance(deploy) -> str:
    stack = deploy(DMS_INSTANCE)
    assert stack.status == "CREATE_COMPLETE", stack.failures()
    return stack.ref("Machine")


@pytest.fixture
def endpoints(dms, server):
    login = parse_dsn(server.dsn())
    made = []
    for role, database in (("source", "old"), ("target", "new")):
        answer = dms.create_endpoint(
            EndpointIdentifier=f"{role}-db",
            EndpointType=role,
            EngineName="postgres",
            ServerName=server.host,
            Port=server.port,
            DatabaseName=database,
            Username="postgres",
            Password=login["password"],
        )
        made.append(answer["Endpoint"]["EndpointArn"])
    yield made
    for arn in made:
        dms.delete_endpoint(EndpointArn=arn)


@pytest.fixture
def task(dms, instance, endpoints):
    made = dms.create_replication_task(
        ReplicationTaskIdentifier="Payments",
        SourceEndpointArn=endpoints[0],
        TargetEndpointArn=endpoints[1],
        ReplicationInstanceArn=instance,
        MigrationType="full-load-and-cdc",
        TableMappings=SELECT_ALL,
    )["ReplicationTask"]
    assert made["Status"] == "creating"
    arn = made["ReplicationTaskArn"]
    _wait(dms, arn, "ready")
    yield arn
    dms.delete_replication_task(ReplicationTaskArn=arn)


def _status(dms, arn: str) -> str:
    filters = [{"Name": "replication-task-arn", "Values": [arn]}]
    return dms.describe_replication_tasks(Filters=filters)["ReplicationTasks"][0]["Status"]


def _wait(dms, arn: str, status: str) -> list[str]:
    seen = [_status(dms, arn)]
    deadline = time.monotonic() + 10
    while seen[-1] != status:
        assert time.monotonic() < deadline, seen
        time.sleep(0.02)
        if (now := _status(dms, arn)) != seen[-1]:
            seen.append(now)
    return seen


def _connect(dms, instance: str, endpoints: list[str]) -> list[str]:
    for arn in endpoints:
        dms.test_connection(ReplicationInstanceArn=instance, EndpointArn=arn)
    filters = [{"Name": "replication-instance-arn", "Values": [instance]}]
    return [one["Status"] for one in dms.describe_connections(Filters=filters)["Connections"]]


def _start(dms, arn: str, how: str) -> None:
    dms.start_replication_task(ReplicationTaskArn=arn, StartReplicationTaskType=how)


def test_life_of_a_task(dms, instance, endpoints, task) -> None:
    with pytest.raises(dms.exceptions.InvalidResourceStateFault, match="Test connection"):
        _start(dms, task, "start-replication")
    assert _connect(dms, instance, endpoints) == ["successful", "successful"]
    with pytest.raises(ClientError, match="first time"):
        _start(dms, task, "resume-processing")
    _start(dms, task, "start-replication")
    assert _wait(dms, task, "running") == ["starting", "running"]
    for refused in (dms.delete_replication_task, dms.modify_replication_task):
        with pytest.raises(dms.exceptions.InvalidResourceStateFault):
            refused(ReplicationTaskArn=task)
    with pytest.raises(dms.exceptions.InvalidResourceStateFault):
        dms.delete_replication_instance(ReplicationInstanceArn=instance)
    dms.stop_replication_task(ReplicationTaskArn=task)
    assert _wait(dms, task, "stopped") == ["stopping", "stopped"]
    with pytest.raises(ClientError, match="valid only for tasks running for the first time"):
        _start(dms, task, "start-replication")
    _start(dms, task, "resume-processing")
    _wait(dms, task, "running")
    dms.stop_replication_task(ReplicationTaskArn=task)
    _wait(dms, task, "stopped")


def test_table_statistics_are_counted(dms, instance, endpoints, task, server) -> None:
    _connect(dms, instance, endpoints)
    _start(dms, task, "start-replication")
    _wait(dms, task, "running")
    before = _statistics(dms, task)
    assert before["payments"] == (0, "Full load")
    connection = server.connect("new")
    with connection, connection.cursor() as cursor:
        cursor.execute("insert into payments select generate_series(1, 7)")
    connection.close()
    assert _statistics(dms, task)["payments"] == (7, "Table completed")
    dms.stop_replication_task(ReplicationTaskArn=task)
    _wait(dms, task, "stopped")


def _statistics(dms, task: str) -> dict[str, tuple[int, str]]:
    found = dms.describe_table_statistics(ReplicationTaskArn=task)["TableStatistics"]
    return {one["TableName"]: (one["FullLoadRows"], one["TableState"]) for one in found}


def test_a_connection_that_fails_says_why(dms, instance) -> None:
    arn = dms.create_endpoint(
        EndpointIdentifier="away",
        EndpointType="source",
        EngineName="postgres",
        ServerName="db.example.com",
        Port=5432,
        DatabaseName="x",
        Username="u",
        Password="p",
    )["Endpoint"]["EndpointArn"]
    dms.test_connection(ReplicationInstanceArn=instance, EndpointArn=arn)
    filters = [{"Name": "endpoint-arn", "Values": [arn]}]
    connection = dms.describe_connections(Filters=filters)["Connections"][0]
    assert connection["Status"] == "failed"
    assert "db.example.com is not on this machine" in connection["LastFailureMessage"]
    dms.delete_endpoint(EndpointArn=arn)


def test_what_does_not_exist_is_a_fault(dms) -> None:
    missing = "arn:aws:dms:us-east-2:111122223333:task:NONE"
    with pytest.raises(dms.exceptions.ResourceNotFoundFault):
        dms.stop_replication_task(ReplicationTaskArn=missing)
    with pytest.raises(dms.exceptions.ResourceNotFoundFault, match="No Replication Tasks found"):
        _status(dms, missing)


def test_mappings_must_be_rules(dms, instance, endpoints) -> None:
    for mappings in ("not json", "{}"):
        with pytest.raises(ClientError, match="Invalid TableMappings document"):
            dms.create_replication_task(
                ReplicationTaskIdentifier="bad",
                SourceEndpointArn=endpoints[0],
                TargetEndpointArn=endpoints[1],
                ReplicationInstanceArn=instance,
                MigrationType="cdc",
                TableMappings=mappings,
            )


def test_a_serverless_replication_runs_and_stops(dms, endpoints) -> None:
    config = dms.create_replication_config(
        ReplicationConfigIdentifier="serverless",
        SourceEndpointArn=endpoints[0],
        TargetEndpointArn=endpoints[1],
        ReplicationType="cdc",
        ComputeConfig={"MaxCapacityUnits": 2},
        TableMappings=SELECT_ALL,
    )["ReplicationConfig"]["ReplicationConfigArn"]
    filters = [{"Name": "replication-config-arn", "Values": [config]}]

    def status() -> str:
        return dms.describe_replications(Filters=filters)["Replications"][0]["Status"]

    assert status() == "created"
    dms.start_replication(ReplicationConfigArn=config, StartReplicationType="start-replication")
    deadline = time.monotonic() + 10
    while status() != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(dms.exceptions.InvalidResourceStateFault):
        dms.delete_replication_config(ReplicationConfigArn=config)
    dms.stop_replication(ReplicationConfigArn=config)
    while status() != "stopped":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    dms.delete_replication_config(ReplicationConfigArn=config)


@pytest.mark.parametrize(
    ("rules", "table", "expected"),
    [
        ([("include", "%")], "payments", True),
        ([("include", "pay%")], "refunds", False),
        ([("include", "%"), ("exclude", "audit_%")], "audit_log", False),
        ([("exclude", "%")], "payments", False),
    ],
)
def test_selection_rules(rules, table: str, expected: bool) -> None:
    mappings = {
        "rules": [
            {
                "rule-type": "selection",
                "rule-action": action,
                "object-locator": {"schema-name": "public", "table-name": pattern},
            }
            for action, pattern in rules
        ]
    }
    assert selected(json.dumps(mappings), "public", table) is expected
