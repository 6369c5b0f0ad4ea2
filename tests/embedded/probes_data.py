"""Probes of databases, secrets, replication, storage and keys."""

from tests.embedded.contract import (
    BUCKET,
    CLUSTER,
    DMS_ENDPOINTS,
    DMS_GROUP,
    DMS_INSTANCE,
    KEY,
    MAPPINGS,
    NETWORK,
    PROXY,
    ROTATION,
    SECRET,
    TOPIC,
    TRUST,
    Probe,
    att,
    ref,
    resource,
)


def _group(aws, name):
    return aws("rds").describe_db_cluster_parameter_groups(DBClusterParameterGroupName=name)["DBClusterParameterGroups"]


def _master_secret(aws, name):
    cluster = aws("rds").describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    return aws("secretsmanager").describe_secret(SecretId=cluster["MasterUserSecret"]["SecretArn"])


def _targets(aws, _it):
    return aws("rds").describe_db_proxy_targets(DBProxyName="probe")["Targets"]


def _dms(operation, filter_name):
    def seen(aws, it):
        answer = getattr(aws("dms"), operation)(Filters=[{"Name": filter_name, "Values": [it]}])
        return next(value for key, value in answer.items() if key != "ResponseMetadata")

    return seen


PROBES = [
    Probe(
        CLUSTER["Cluster"],
        _master_secret,
        {name: CLUSTER[name] for name in CLUSTER if name != "Cluster"},
        ("Endpoint.Address", "Endpoint.Port", "ReadEndpoint.Address", "MasterUserSecret.SecretArn", "DBClusterArn"),
    ),
    Probe(
        resource(
            "RDS::DBInstance",
            Engine="aurora-postgresql",
            DBInstanceClass="db.serverless",
            DBClusterIdentifier=ref("Cluster"),
        ),
        lambda aws, it: aws("rds").describe_db_instances(DBInstanceIdentifier=it)["DBInstances"],
        CLUSTER,
        ("Endpoint.Address", "Endpoint.Port"),
    ),
    Probe(
        CLUSTER["Subnets"],
        lambda aws, it: aws("rds").describe_db_subnet_groups(DBSubnetGroupName=it)["DBSubnetGroups"],
        NETWORK,
    ),
    Probe(
        resource(
            "RDS::DBClusterParameterGroup",
            Family="aurora-postgresql16",
            Description="d",
            Parameters={"rds.force_ssl": "1"},
        ),
        _group,
    ),
    Probe(
        resource("RDS::DBParameterGroup", Family="aurora-postgresql16", Description="d"),
        lambda aws, it: aws("rds").describe_db_parameter_groups(DBParameterGroupName=it)["DBParameterGroups"],
    ),
    Probe(
        PROXY["Proxy"],
        lambda aws, it: aws("rds").describe_db_proxies(DBProxyName=it)["DBProxies"],
        {name: PROXY[name] for name in PROXY if name != "Proxy"},
        ("DBProxyArn", "Endpoint", "VpcId"),
    ),
    Probe(
        resource(
            "RDS::DBProxyTargetGroup",
            DBProxyName=ref("Proxy"),
            TargetGroupName="default",
            DBClusterIdentifiers=[ref("Cluster")],
            ConnectionPoolConfigurationInfo={"MaxConnectionsPercent": "80"},
        ),
        _targets,
        {
            **PROXY,
            "Writer": resource(
                "RDS::DBInstance",
                Engine="aurora-postgresql",
                DBInstanceClass="db.serverless",
                DBClusterIdentifier=ref("Cluster"),
            ),
        },
        ("TargetGroupArn",),
    ),
    Probe(
        resource(
            "RDS::DBProxyEndpoint",
            DBProxyName=ref("Proxy"),
            DBProxyEndpointName="reader",
            VpcSubnetIds=[ref("A"), ref("B")],
            TargetRole="READ_ONLY",
        ),
        lambda aws, it: aws("rds").describe_db_proxy_endpoints(DBProxyEndpointName=it)["DBProxyEndpoints"],
        PROXY,
        ("DBProxyEndpointArn", "Endpoint"),
    ),
    Probe(
        SECRET["Secret"],
        lambda aws, it: aws("secretsmanager").describe_secret(SecretId=it)["ARN"] == it,
        attributes=("Id",),
    ),
    Probe(
        resource(
            "SecretsManager::ResourcePolicy", SecretId=ref("Secret"), ResourcePolicy=TRUST, BlockPublicPolicy=True
        ),
        lambda aws, it: aws("secretsmanager").get_resource_policy(SecretId=it).get("ResourcePolicy"),
        SECRET,
    ),
    Probe(
        resource(
            "SecretsManager::RotationSchedule",
            after=("May",),
            SecretId=ref("Secret"),
            RotationLambdaARN=att("F", "Arn"),
            RotateImmediatelyOnUpdate=False,
            RotationRules={"ScheduleExpression": "rate(30 days)"},
        ),
        lambda aws, it: aws("secretsmanager").describe_secret(SecretId=it)["RotationRules"],
        ROTATION,
        ("Id",),
    ),
    Probe(
        resource(
            "SecretsManager::SecretTargetAttachment",
            SecretId=ref("Secret"),
            TargetId=ref("Cluster"),
            TargetType="AWS::RDS::DBCluster",
        ),
        lambda aws, it: "host" in aws("secretsmanager").get_secret_value(SecretId=it)["SecretString"],
        {**SECRET, **CLUSTER},
    ),
    Probe(
        DMS_GROUP["DmsSubnets"],
        _dms("describe_replication_subnet_groups", "replication-subnet-group-id"),
        {name: DMS_GROUP[name] for name in DMS_GROUP if name != "DmsSubnets"},
    ),
    Probe(
        DMS_INSTANCE["Machine"],
        _dms("describe_replication_instances", "replication-instance-arn"),
        DMS_GROUP,
        ("ReplicationInstancePrivateIpAddresses",),
    ),
    Probe(DMS_ENDPOINTS["Ca"], _dms("describe_certificates", "certificate-arn")),
    Probe(DMS_ENDPOINTS["Old"], _dms("describe_endpoints", "endpoint-arn"), {"Ca": DMS_ENDPOINTS["Ca"]}),
    Probe(
        resource(
            "DMS::ReplicationTask",
            ReplicationInstanceArn=ref("Machine"),
            SourceEndpointArn=ref("Old"),
            TargetEndpointArn=ref("New"),
            MigrationType="full-load-and-cdc",
            TableMappings=MAPPINGS,
            ReplicationTaskSettings="{}",
        ),
        _dms("describe_replication_tasks", "replication-task-arn"),
        {**DMS_INSTANCE, **DMS_ENDPOINTS},
    ),
    Probe(
        resource(
            "DMS::ReplicationConfig",
            ReplicationConfigIdentifier="probe",
            SourceEndpointArn=ref("Old"),
            TargetEndpointArn=ref("New"),
            ReplicationType="full-load-and-cdc",
            ComputeConfig={"MinCapacityUnits": 1, "MaxCapacityUnits": "16"},
            TableMappings={"rules": [{"rule-type": "selection"}]},
        ),
        _dms("describe_replication_configs", "replication-config-arn"),
        DMS_ENDPOINTS,
        ("ReplicationConfigArn",),
    ),
    Probe(
        resource(
            "DMS::EventSubscription",
            SnsTopicArn=ref("Topic"),
            SourceType="replication-task",
            EventCategories=["failure"],
        ),
        lambda aws, it: aws("dms").describe_event_subscriptions(SubscriptionName=it)["EventSubscriptionsList"],
        TOPIC,
    ),
    Probe(
        resource(
            "S3::Bucket",
            LifecycleConfiguration={"Rules": [{"Id": "old", "Status": "Enabled", "ExpirationInDays": 400}]},
        ),
        lambda aws, it: aws("s3").get_bucket_lifecycle_configuration(Bucket=it)["Rules"],
    ),
    Probe(
        resource("S3::Bucket", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}),
        lambda aws, it: aws("s3").get_bucket_ownership_controls(Bucket=it)["OwnershipControls"],
    ),
    Probe(
        resource(
            "S3::Bucket",
            BucketEncryption={
                "ServerSideEncryptionConfiguration": [
                    {"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
                ]
            },
        ),
        lambda aws, it: (
            aws("s3").get_bucket_encryption(Bucket=it)["ServerSideEncryptionConfiguration"]["Rules"][0][
                "ApplyServerSideEncryptionByDefault"
            ]["SSEAlgorithm"]
            == "aws:kms"
        ),
    ),
    Probe(
        resource(
            "S3::Bucket",
            VersioningConfiguration={"Status": "Enabled"},
            ObjectLockEnabled=True,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 400}},
            },
        ),
        lambda aws, it: aws("s3").get_object_lock_configuration(Bucket=it)["ObjectLockConfiguration"]["Rule"],
    ),
    Probe(
        resource(
            "S3::Bucket",
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            LoggingConfiguration={"DestinationBucketName": ref("Bucket"), "LogFilePrefix": "x/"},
        ),
        lambda aws, it: (
            aws("s3").get_public_access_block(Bucket=it)["PublicAccessBlockConfiguration"]["BlockPublicAcls"]
            and aws("s3").get_bucket_logging(Bucket=it)["LoggingEnabled"]
        ),
        BUCKET,
    ),
    Probe(
        resource("S3::BucketPolicy", Bucket=ref("Bucket"), PolicyDocument=TRUST),
        lambda aws, it: aws("s3").get_bucket_policy(Bucket=it.removesuffix("-policy"))["Policy"],
        BUCKET,
    ),
    Probe(
        KEY["Key"],
        lambda aws, it: (
            aws("kms").describe_key(KeyId=it)["KeyMetadata"]["KeyState"] == "Enabled"
            and aws("kms").get_key_rotation_status(KeyId=it)["KeyRotationEnabled"]
        ),
    ),
    Probe(
        resource("KMS::Alias", AliasName="alias/probe", TargetKeyId=ref("Key")),
        lambda aws, it: aws("kms").describe_key(KeyId=it)["KeyMetadata"],
        KEY,
    ),
    Probe(
        resource(
            "DynamoDB::Table",
            AttributeDefinitions=[{"AttributeName": "migration", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "migration", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            SSESpecification={"SSEEnabled": True, "SSEType": "KMS"},
            DeletionProtectionEnabled=False,
        ),
        lambda aws, it: (
            aws("dynamodb").describe_continuous_backups(TableName=it)["ContinuousBackupsDescription"][
                "PointInTimeRecoveryDescription"
            ]["PointInTimeRecoveryStatus"]
            == "ENABLED"
            and aws("dynamodb").describe_table(TableName=it)["Table"]["SSEDescription"]
        ),
    ),
    Probe(
        resource(
            "CloudTrail::Trail",
            S3BucketName=ref("Bucket"),
            IsLogging="true",
            EnableLogFileValidation=True,
            EventSelectors=[
                {"ReadWriteType": "All", "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::x/"]}]}
            ],
        ),
        lambda aws, it: aws("cloudtrail").get_trail_status(Name=it)["IsLogging"],
        BUCKET,
        ("Arn",),
    ),
]
