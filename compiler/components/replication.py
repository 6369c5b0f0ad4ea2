"""The engine that keeps the target equal to the source. Nothing here starts it."""

import json
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from troposphere import GetAtt, Ref, Select, Split, Sub
from troposphere.dms import (
    Certificate,
    ComputeConfig,
    Endpoint,
    PostgreSqlSettings,
    ReplicationConfig,
    ReplicationInstance,
    ReplicationSubnetGroup,
    ReplicationTask,
)
from troposphere.iam import Policy, Role

from compiler import names, policy
from compiler.assets import Assets
from compiler.component import Component, Export
from compiler.components.database import DatabaseExports
from compiler.components.network import NetworkExports
from compiler.components.security import SecurityExports
from compiler.dms_settings import table_mappings, task_settings
from compiler.function import read_foreign_secret, read_secret
from compiler.parameters import SOURCE_ADMIN_SECRET_ARN
from compiler.refusal import Refusal
from schemas.migration import Migration
from schemas.migration import ReplicationInstance as InstanceSpec
from schemas.validate import defaults

# As CloudFormation's registry has it: no AWS::DMS::ReplicationTask there.
WITHOUT_DMS = frozenset(
    {"ap-south-2", "ap-southeast-3", "ap-southeast-4", "eu-central-2", "eu-south-2", "me-central-1"}
)
"""Regions in which CloudFormation can't build DMS."""

_TASK_ARN_ID = 6  # arn:aws:dms:region:account:task:ID


class ReplicationExports(NamedTuple):
    """The task, and under which dimensions CloudWatch knows it.

    Attributes:
        task: the task's or, serverless, the replication configuration's ARN; none for the logical engine.
        follow: that of the one that follows the source once the writer was on the target.
        reverse: that of the way back.
        dimensions: CloudWatch dimensions of its metrics, values known now or exported.
    """

    task: Export | None
    follow: Export | None
    reverse: Export | None
    dimensions: tuple[tuple[str, Export | str], ...]


class _Direction(NamedTuple):
    """What moves rows one way: how it and its task are called, where it reads and writes, and since when."""

    title: str
    name: Callable[[Migration], str]
    kind: Literal["full-load-and-cdc", "cdc"]
    origin: Literal["source", "target"]
    source: Endpoint
    target: Endpoint


_Directions = tuple[_Direction, _Direction, _Direction]
"""The one that loads the target, the one that follows the source after that, and the way back."""


def replication(
    migration: Migration,
    assets: Assets,
    network: NetworkExports,
    security: SecurityExports,
    database: DatabaseExports,
) -> tuple[Component, ReplicationExports]:
    """Build the replication engine.

    Raises:
        Refusal: the region has no DMS.
    """
    if migration.replication.engine == "dms" and migration.region in WITHOUT_DMS:
        raise Refusal(
            "PMG316",
            "replication.engine",
            f"CloudFormation can't build DMS in {migration.region}",
            "write `engine: logical`, or choose another region",
        )
    component = Component("Replication", "Keeps the target equal to the source.", names.tags(migration))
    role = _access_role(component, security, database)
    if migration.replication.engine == "logical":
        # The databases replicate by themselves; who sets that up reads both secrets in this role.
        component.offer("RoleArn", GetAtt(role, "Arn"))
        return component, ReplicationExports(None, None, None, ())
    ends = _endpoints(component, migration, assets, role, security, database)
    subnet_group = component.add(
        ReplicationSubnetGroup(
            "SubnetGroup",
            ReplicationSubnetGroupDescription="Private subnets of the replication engine.",
            SubnetIds=component.use(network.private_subnets),
        ),
        "replication",
    )
    if migration.replication.serverless is not None:
        return component, _serverless(component, migration, security, subnet_group, ends)
    return component, _provisioned(component, migration, security, subnet_group, ends)


def drive(
    component: Component, migration: Migration, replication: ReplicationExports
) -> tuple[dict[str, Any], list[policy.Statement]]:
    """Return the variables that name DMS's tasks to a function, and its rights to start and stop them."""
    named = {
        "DMS_LOAD_ARN": replication.task,
        "DMS_FOLLOW_ARN": replication.follow,
        "DMS_BACK_ARN": replication.reverse,
    }
    variables = {name: component.use(export) for name, export in named.items() if export is not None}
    if not variables:
        return {}, []
    tasks = list(variables.values())
    if migration.replication.serverless is not None:
        acts = ["dms:DescribeReplicationTableStatistics", "dms:StartReplication", "dms:StopReplication"]
        return variables, [policy.allow("dms:DescribeReplications", "*"), policy.allow(acts, tasks)]
    acts = ["dms:DescribeTableStatistics", "dms:StartReplicationTask", "dms:StopReplicationTask"]
    own = {"StringEquals": {f"aws:ResourceTag/{names.MIGRATION_TAG}": migration.full_name}}
    here = "arn:${AWS::Partition}:dms:${AWS::Region}:${AWS::AccountId}"
    ends = [Sub(f"{here}:{kind}:*") for kind in ("endpoint", "rep")]
    return variables, [
        # These two know no resources to name.
        policy.allow(["dms:DescribeConnections", "dms:DescribeReplicationTasks"], "*"),
        policy.allow(acts, tasks),
        policy.allow("dms:TestConnection", ends, own),
    ]


def _access_role(component: Component, security: SecurityExports, database: DatabaseExports) -> Role:
    rights = policy.document(
        *read_foreign_secret(component.use(SOURCE_ADMIN_SECRET_ARN)),
        *read_secret(component.use(database.replication_secret), component.use(security.secrets_key)),
    )
    return component.add(
        Role(
            "SecretsRole",
            AssumeRolePolicyDocument=policy.trust(policy.regional("dms")),
            Policies=[Policy(PolicyName="ReadSecrets", PolicyDocument=rights)],
        ),
        "replication",
    )


def _endpoints(
    component: Component,
    migration: Migration,
    assets: Assets,
    role: Role,
    security: SecurityExports,
    database: DatabaseExports,
) -> _Directions:
    """Add the endpoints of each direction."""
    key = component.use(security.data_key)
    tls = migration.source.database.tls
    source_tls: dict[str, Any] = {"SslMode": tls.mode}
    if assets.source_authority is not None:
        authority = component.add(
            Certificate("SourceAuthority", CertificatePem=assets.source_authority), "source.database.tls.ca replication"
        )
        source_tls["CertificateArn"] = Ref(authority)
    target_authority = component.add(
        Certificate("TargetAuthority", CertificatePem=assets.target_authority), "region replication"
    )
    source, again_from = (
        component.add(
            Endpoint(
                title,
                EndpointType="source",
                EngineName="postgres",
                DatabaseName=migration.source.database.name,
                KmsKeyId=key,
                PostgreSqlSettings=PostgreSqlSettings(
                    CaptureDdls=False,
                    FailTasksOnLobTruncation=True,
                    # An idle source would otherwise hold back its log until its disk is full.
                    HeartbeatEnable=True,
                    HeartbeatFrequency=1,
                    MapBooleanAsBoolean=True,
                    PluginName="test_decoding",
                    **slot,
                    **_secret(role, component.use(SOURCE_ADMIN_SECRET_ARN)),
                ),
                **source_tls,
            ),
            "source.database replication",
            DatabaseName="source.database.name",
            SslMode="source.database.tls.mode",
            CertificateArn="source.database.tls.ca",
            **{"PostgreSqlSettings.SlotName": names.FULL_NAME},
        )
        # Made at the switchback, between the target's last write and the source's first.
        for title, slot in (("SourceEndpoint", {}), ("FollowEndpoint", {"SlotName": names.dms_slot(migration)}))
    )
    target = component.add(
        Endpoint(
            "TargetEndpoint",
            EndpointType="target",
            EngineName="aurora-postgresql",
            DatabaseName=migration.database_name,
            KmsKeyId=key,
            SslMode="verify-full",
            CertificateArn=Ref(target_authority),
            PostgreSqlSettings=PostgreSqlSettings(
                # Triggers and foreign keys already did their work on the source.
                AfterConnectScript="SET session_replication_role = replica",
                MapBooleanAsBoolean=True,
                **_secret(role, component.use(database.replication_secret)),
            ),
        ),
        "database replication",
        DatabaseName=names.DATABASE_NAME,
    )
    back_from = component.add(
        Endpoint(
            "ReverseSourceEndpoint",
            EndpointType="source",
            EngineName="aurora-postgresql",
            DatabaseName=migration.database_name,
            KmsKeyId=key,
            SslMode="verify-full",
            CertificateArn=Ref(target_authority),
            PostgreSqlSettings=PostgreSqlSettings(
                CaptureDdls=False,
                FailTasksOnLobTruncation=True,
                MapBooleanAsBoolean=True,
                PluginName="test_decoding",
                # Made at the switchover, between the source's last write and the target's first.
                SlotName=names.dms_slot(migration),
                **_secret(role, component.use(database.replication_secret)),
            ),
        ),
        "database replication",
        DatabaseName=names.DATABASE_NAME,
        **{"PostgreSqlSettings.SlotName": names.FULL_NAME},
    )
    back_to = component.add(
        Endpoint(
            "ReverseTargetEndpoint",
            EndpointType="target",
            EngineName="postgres",
            DatabaseName=migration.source.database.name,
            KmsKeyId=key,
            PostgreSqlSettings=PostgreSqlSettings(
                # Triggers and foreign keys already did their work on the target.
                AfterConnectScript="SET session_replication_role = replica",
                MapBooleanAsBoolean=True,
                **_secret(role, component.use(SOURCE_ADMIN_SECRET_ARN)),
            ),
            **source_tls,
        ),
        "source.database replication",
        DatabaseName="source.database.name",
        SslMode="source.database.tls.mode",
        CertificateArn="source.database.tls.ca",
    )
    return (
        _Direction("", names.replication, "full-load-and-cdc", "source", source, target),
        _Direction("Follow", names.follow_replication, "cdc", "source", again_from, target),
        _Direction("Reverse", names.reverse_replication, "cdc", "target", back_from, back_to),
    )


def _secret(role: Role, secret: Any) -> dict[str, Any]:
    return {"SecretsManagerAccessRoleArn": GetAtt(role, "Arn"), "SecretsManagerSecretId": secret}


def _provisioned(
    component: Component,
    migration: Migration,
    security: SecurityExports,
    subnet_group: ReplicationSubnetGroup,
    directions: _Directions,
) -> ReplicationExports:
    spec = migration.replication.instance or defaults(InstanceSpec)
    identifier = names.replication(migration)
    instance = component.add(
        ReplicationInstance(
            "Instance",
            ReplicationInstanceIdentifier=identifier,
            ReplicationInstanceClass=spec.instance_class,
            AllocatedStorage=spec.storage // 2**30,
            MultiAZ=spec.multi_az,
            PubliclyAccessible=False,
            AutoMinorVersionUpgrade=True,
            KmsKeyId=component.use(security.data_key),
            ReplicationSubnetGroupIdentifier=Ref(subnet_group),
            VpcSecurityGroupIds=[component.use(security.replication_group)],
        ),
        "replication.instance replication",
        ReplicationInstanceIdentifier=names.FULL_NAME,
        ReplicationInstanceClass="replication.instance.class",
        AllocatedStorage="replication.instance.storage",
        MultiAZ="replication.instance.multi_az",
    )
    task, follow, reverse = (
        component.add(
            ReplicationTask(
                f"{one.title}Task",
                ReplicationTaskIdentifier=one.name(migration),
                MigrationType=one.kind,
                ReplicationInstanceArn=Ref(instance),
                SourceEndpointArn=Ref(one.source),
                TargetEndpointArn=Ref(one.target),
                TableMappings=json.dumps(table_mappings(migration, one.origin), sort_keys=True),
                ReplicationTaskSettings=json.dumps(task_settings(migration), sort_keys=True),
            ),
            "replication",
            ReplicationTaskIdentifier=names.FULL_NAME,
            TableMappings="replication.tables",
            ReplicationTaskSettings="replication.large_objects",
        )
        for one in directions
    )
    task_id = component.offer("TaskId", Select(_TASK_ARN_ID, Split(":", Ref(task))))
    return ReplicationExports(
        component.offer("TaskArn", Ref(task)),
        component.offer("FollowTaskArn", Ref(follow)),
        component.offer("ReverseTaskArn", Ref(reverse)),
        (("ReplicationInstanceIdentifier", identifier), ("ReplicationTaskIdentifier", task_id)),
    )


def _serverless(
    component: Component,
    migration: Migration,
    security: SecurityExports,
    subnet_group: ReplicationSubnetGroup,
    directions: _Directions,
) -> ReplicationExports:
    spec = migration.replication.serverless
    if spec is None:
        raise ValueError("a serverless replication needs its capacity")
    config, follow, reverse = (
        component.add(
            ReplicationConfig(
                f"{one.title}Config",
                ReplicationConfigIdentifier=one.name(migration),
                ReplicationType=one.kind,
                SourceEndpointArn=Ref(one.source),
                TargetEndpointArn=Ref(one.target),
                TableMappings=table_mappings(migration, one.origin),
                ReplicationSettings=task_settings(migration),
                ComputeConfig=ComputeConfig(
                    MinCapacityUnits=spec.min,
                    MaxCapacityUnits=spec.max,
                    MultiAZ=True,
                    KmsKeyId=component.use(security.data_key),
                    ReplicationSubnetGroupId=Ref(subnet_group),
                    VpcSecurityGroupIds=[component.use(security.replication_group)],
                ),
            ),
            "replication.serverless",
            ReplicationConfigIdentifier=names.FULL_NAME,
            TableMappings="replication.tables",
            ReplicationSettings="replication.large_objects",
            ComputeConfig="replication.serverless",
        )
        for one in directions
    )
    arn = component.offer("TaskArn", Ref(config))
    config_id = component.offer("ConfigId", Select(_TASK_ARN_ID, Split(":", Ref(config))))
    return ReplicationExports(
        arn,
        component.offer("FollowTaskArn", Ref(follow)),
        component.offer("ReverseTaskArn", Ref(reverse)),
        (("ReplicationConfigIdentifier", config_id),),
    )
