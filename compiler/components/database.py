"""Aurora PostgreSQL Serverless v2 with its connection pool, its roles' secrets, and the code to reach it."""

from datetime import timedelta
from typing import Any, NamedTuple

from troposphere import GetAtt, Ref, Sub
from troposphere.awslambda import Content, LayerVersion
from troposphere.iam import Policy, Role
from troposphere.rds import (
    AuthFormat,
    ConnectionPoolConfigurationInfoFormat,
    DBCluster,
    DBClusterParameterGroup,
    DBInstance,
    DBProxy,
    DBProxyTargetGroup,
    DBSubnetGroup,
    MasterUserSecret,
    ServerlessV2ScalingConfiguration,
)

from compiler import names, policy
from compiler.assets import Assets
from compiler.component import Component, Export, title
from compiler.components.network import NetworkExports
from compiler.components.security import SecurityExports
from compiler.credentials import credentials
from compiler.databases import PORT
from compiler.function import Foundations, Place
from compiler.parameters import ARTIFACT_BUCKET
from schemas.migration import Migration

_MASTER = "paymig_owner"
_MONITORING_SECONDS = 60


class _Capacity(ServerlessV2ScalingConfiguration):
    """troposphere still ends at 128 capacity units, Aurora at 256; the spec's model holds the bounds."""

    props = {"MaxCapacity": (float, False), "MinCapacity": (float, False)}  # noqa: RUF012 - troposphere's own form


class DatabaseExports(NamedTuple):
    """The way into the target, for each who needs one; the pool listens on the cluster's port."""

    cluster: Export
    endpoint: Export
    port: Export
    proxy_endpoint: Export
    master_secret: Export
    api_secret: Export
    control_secret: Export
    replication_secret: Export
    validation_secret: Export
    runtime_layer: Export
    certificates_layer: Export


def database(
    migration: Migration, assets: Assets, network: NetworkExports, security: SecurityExports
) -> tuple[Component, DatabaseExports]:
    """Build the target database."""
    component = Component("Database", "Aurora PostgreSQL, its connection pool and its secrets.", names.tags(migration))
    cluster = _cluster(component, migration, network, security)
    instances = _instances(component, migration, cluster, security)
    layers = [_layer(component, migration, assets, name) for name in ("runtime", "certificates")]
    secrets = credentials(
        component,
        Foundations(migration, assets, security.data_key, network.logs_key),
        cluster=cluster,
        ready=[title(instance) for instance in instances],
        place=Place(network.private_subnets, security.control_group),
        layers=[Ref(layer) for layer in layers],
        secrets_key=component.use(security.secrets_key),
    )
    proxy = _proxy(component, migration, network, security, cluster, instances, Ref(secrets["Api"]))
    return component, DatabaseExports(
        cluster=component.offer("ClusterIdentifier", Ref(cluster)),
        endpoint=component.offer("Endpoint", GetAtt(cluster, "Endpoint.Address")),
        port=component.offer("Port", GetAtt(cluster, "Endpoint.Port")),
        proxy_endpoint=component.offer("ProxyEndpoint", GetAtt(proxy, "Endpoint")),
        master_secret=component.offer("MasterSecretArn", GetAtt(cluster, "MasterUserSecret.SecretArn")),
        **{
            f"{name.lower()}_secret": component.offer(f"{name}SecretArn", Ref(secret))
            for name, secret in secrets.items()
        },
        runtime_layer=component.offer("RuntimeLayerArn", Ref(layers[0])),
        certificates_layer=component.offer("CertificatesLayerArn", Ref(layers[1])),
    )


def _cluster(
    component: Component, migration: Migration, network: NetworkExports, security: SecurityExports
) -> DBCluster:
    spec = migration.database
    subnet_group = component.add(
        DBSubnetGroup(
            "SubnetGroup",
            DBSubnetGroupDescription="Isolated subnets of the payments database.",
            SubnetIds=component.use(network.isolated_subnets),
        ),
        "database",
    )
    parameters = component.add(
        DBClusterParameterGroup(
            "Parameters",
            Description="Logical replication, TLS only, audit.",
            Family=f"aurora-postgresql{spec.engine_version.partition('.')[0]}",
            Parameters={
                # Without the first there is no way back: reverse replication decodes the target's log.
                "rds.logical_replication": "1",
                "rds.force_ssl": "1",
                "shared_preload_libraries": "pg_stat_statements,pgaudit",
                "pgaudit.log": "ddl,role",
                "log_connections": "1",
                "log_disconnections": "1",
            },
        ),
        "database",
        Family="database.engine_version",
    )
    return component.add(
        DBCluster(
            "Cluster",
            Engine="aurora-postgresql",
            EngineVersion=spec.engine_version,
            DatabaseName=migration.database_name,
            Port=PORT,
            DBSubnetGroupName=Ref(subnet_group),
            DBClusterParameterGroupName=Ref(parameters),
            VpcSecurityGroupIds=[component.use(security.database_group)],
            ServerlessV2ScalingConfiguration=_Capacity(MinCapacity=spec.capacity.min, MaxCapacity=spec.capacity.max),
            MasterUsername=_MASTER,
            ManageMasterUserPassword=True,
            MasterUserSecret=MasterUserSecret(KmsKeyId=component.use(security.secrets_key)),
            EnableIAMDatabaseAuthentication=True,
            StorageEncrypted=True,
            KmsKeyId=component.use(security.data_key),
            BackupRetentionPeriod=spec.backup_retention // timedelta(days=1),
            CopyTagsToSnapshot=True,
            EnableCloudwatchLogsExports=["postgresql"],
            DeletionProtection=True,
            DeletionPolicy="Snapshot",
            UpdateReplacePolicy="Snapshot",
        ),
        "database",
        EngineVersion="database.engine_version",
        DatabaseName=names.DATABASE_NAME,
        ServerlessV2ScalingConfiguration="database.capacity",
        BackupRetentionPeriod="database.backup_retention",
    )


def _instances(
    component: Component, migration: Migration, cluster: DBCluster, security: SecurityExports
) -> list[DBInstance]:
    monitoring = component.add(
        Role(
            "MonitoringRole",
            AssumeRolePolicyDocument=policy.trust("monitoring.rds.amazonaws.com", policy.SAME_ACCOUNT),
            Policies=[Policy(PolicyName="WriteMetrics", PolicyDocument=_monitoring_rights())],
        ),
        "database",
    )
    return [
        component.add(
            DBInstance(
                f"Instance{number}",
                DBClusterIdentifier=Ref(cluster),
                DBInstanceClass="db.serverless",
                Engine="aurora-postgresql",
                # The first reader follows the writer's capacity, so that a failover lands on a warm one.
                PromotionTier=0 if number <= 2 else min(number - 1, 15),
                PubliclyAccessible=False,
                AutoMinorVersionUpgrade=True,
                CACertificateIdentifier="rds-ca-rsa2048-g1",
                EnablePerformanceInsights=True,
                PerformanceInsightsKMSKeyId=component.use(security.data_key),
                MonitoringInterval=_MONITORING_SECONDS,
                MonitoringRoleArn=GetAtt(monitoring, "Arn"),
            ),
            "database.instances",
        )
        for number in range(1, migration.database.instances + 1)
    ]


def _monitoring_rights() -> dict[str, Any]:
    group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:RDSOSMetrics"
    return policy.document(
        policy.allow(["logs:CreateLogGroup", "logs:PutRetentionPolicy"], Sub(group)),
        policy.allow(
            ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents"],
            Sub(f"{group}:*"),
        ),
    )


def _layer(component: Component, migration: Migration, assets: Assets, name: str) -> LayerVersion:
    return component.add(
        LayerVersion(
            f"{name.capitalize()}Layer",
            Content=Content(S3Bucket=component.use(ARTIFACT_BUCKET), S3Key=assets.key(name)),
            Description={"runtime": "PostgreSQL driver and shared code.", "certificates": "Authorities."}[name],
            CompatibleRuntimes=[migration.api.runtime],
            CompatibleArchitectures=[migration.api.architecture],
        ),
        "api.runtime" if name == "runtime" else "source.database.tls",
        CompatibleRuntimes="api.runtime",
        CompatibleArchitectures="api.architecture",
        Content="api.runtime api.architecture" if name == "runtime" else "source.database.tls region",
    )


def _proxy(
    component: Component,
    migration: Migration,
    network: NetworkExports,
    security: SecurityExports,
    cluster: DBCluster,
    instances: list[DBInstance],
    secret: Ref,
) -> DBProxy:
    key = component.use(security.secrets_key)
    rights = policy.document(
        policy.allow(["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], secret),
        policy.allow("kms:Decrypt", key, policy.through("secretsmanager")),
    )
    role = component.add(
        Role(
            "ProxyRole",
            AssumeRolePolicyDocument=policy.trust("rds.amazonaws.com"),
            Policies=[Policy(PolicyName="ReadSecret", PolicyDocument=rights)],
        ),
        "database",
    )
    proxy = component.add(
        DBProxy(
            "Proxy",
            DBProxyName=names.database_proxy(migration),
            EngineFamily="POSTGRESQL",
            RequireTLS=True,
            RoleArn=GetAtt(role, "Arn"),
            Auth=[
                AuthFormat(
                    AuthScheme="SECRETS",
                    ClientPasswordAuthType="POSTGRES_SCRAM_SHA_256",
                    IAMAuth="DISABLED",
                    SecretArn=secret,
                )
            ],
            VpcSubnetIds=component.use(network.isolated_subnets),
            VpcSecurityGroupIds=[component.use(security.proxy_group)],
        ),
        "database",
        DBProxyName=f"network.cidr network.availability_zones {names.FULL_NAME}",
    )
    component.add(
        DBProxyTargetGroup(
            "ProxyTargets",
            DBProxyName=Ref(proxy),
            TargetGroupName="default",
            DBClusterIdentifiers=[Ref(cluster)],
            ConnectionPoolConfigurationInfo=ConnectionPoolConfigurationInfoFormat(
                ConnectionBorrowTimeout=10, MaxConnectionsPercent=90, MaxIdleConnectionsPercent=50
            ),
            DependsOn=[instance.title for instance in instances],
        ),
        "database",
    )
    return proxy
