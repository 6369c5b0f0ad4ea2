"""The engine that keeps the target equal to the source. Nothing here starts it."""

import json
from typing import Any, NamedTuple

from troposphere import GetAtt, Ref, Select, Split
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
        reverse: that of the way back.
        dimensions: CloudWatch dimensions of its metrics, values known now or exported.
    """

    task: Export | None
    reverse: Export | None
    dimensions: tuple[tuple[str, Export | str], ...]


class _Ends(NamedTuple):
    """Where a direction reads and where it writes."""

    source: Endpoint
    target: Endpoint


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
        return component, ReplicationExports(None, None, ())
    ends, back = _endpoints(component, migration, assets, role, security, database)
    subnet_group = component.add(
        ReplicationSubnetGroup(
            "SubnetGroup",
            ReplicationSubnetGroupDescription="Private subnets of the replication engine.",
            SubnetIds=component.use(network.private_subnets),
        ),
        "replication",
    )
    if migration.replication.serverless is not None:
        return component, _serverless(component, migration, security, subnet_group, ends, back)
    return component, _provisioned(component, migration, security, subnet_group, ends, back)


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
) -> tuple[_Ends, _Ends]:
    """Add the endpoints of both directions: source and target, then those of the way back."""
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
    source = component.add(
        Endpoint(
            "SourceEndpoint",
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
                **_secret(role, component.use(SOURCE_ADMIN_SECRET_ARN)),
            ),
            **source_tls,
        ),
        "source.database replication",
        DatabaseName="source.database.name",
        SslMode="source.database.tls.mode",
        CertificateArn="source.database.tls.ca",
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
                SlotName=names.reverse_slot(migration),
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
    return _Ends(source, target), _Ends(back_from, back_to)


def _secret(role: Role, secret: Any) -> dict[str, Any]:
    return {"SecretsManagerAccessRoleArn": GetAtt(role, "Arn"), "SecretsManagerSecretId": secret}


def _provisioned(
    component: Component,
    migration: Migration,
    security: SecurityExports,
    subnet_group: ReplicationSubnetGroup,
    ends: _Ends,
    back: _Ends,
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
        "replication.instance",
        ReplicationInstanceIdentifier=names.FULL_NAME,
        ReplicationInstanceClass="replication.instance.class",
        AllocatedStorage="replication.instance.storage",
        MultiAZ="replication.instance.multi_az",
    )
    task, reverse = (
        component.add(
            ReplicationTask(
                title,
                ReplicationTaskIdentifier=name,
                MigrationType=kind,
                ReplicationInstanceArn=Ref(instance),
                SourceEndpointArn=Ref(between.source),
                TargetEndpointArn=Ref(between.target),
                TableMappings=json.dumps(table_mappings(migration), sort_keys=True),
                ReplicationTaskSettings=json.dumps(task_settings(migration), sort_keys=True),
            ),
            "replication",
            ReplicationTaskIdentifier=names.FULL_NAME,
            TableMappings="replication.tables",
            ReplicationTaskSettings="replication.large_objects",
        )
        for title, name, kind, between in (
            ("Task", identifier, "full-load-and-cdc", ends),
            ("ReverseTask", names.reverse_replication(migration), "cdc", back),
        )
    )
    task_id = component.offer("TaskId", Select(_TASK_ARN_ID, Split(":", Ref(task))))
    return ReplicationExports(
        component.offer("TaskArn", Ref(task)),
        component.offer("ReverseTaskArn", Ref(reverse)),
        (("ReplicationInstanceIdentifier", identifier), ("ReplicationTaskIdentifier", task_id)),
    )


def _serverless(
    component: Component,
    migration: Migration,
    security: SecurityExports,
    subnet_group: ReplicationSubnetGroup,
    ends: _Ends,
    back: _Ends,
) -> ReplicationExports:
    spec = migration.replication.serverless
    if spec is None:
        raise ValueError("a serverless replication needs its capacity")
    config, reverse = (
        component.add(
            ReplicationConfig(
                title,
                ReplicationConfigIdentifier=name,
                ReplicationType=kind,
                SourceEndpointArn=Ref(between.source),
                TargetEndpointArn=Ref(between.target),
                TableMappings=table_mappings(migration),
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
        for title, name, kind, between in (
            ("Config", names.replication(migration), "full-load-and-cdc", ends),
            ("ReverseConfig", names.reverse_replication(migration), "cdc", back),
        )
    )
    arn = component.offer("TaskArn", Ref(config))
    config_id = component.offer("ConfigId", Select(_TASK_ARN_ID, Split(":", Ref(config))))
    return ReplicationExports(
        arn, component.offer("ReverseTaskArn", Ref(reverse)), (("ReplicationConfigIdentifier", config_id),)
    )
