"""One probe for each resource type the templates use: how it is made, and how its own service shows it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ACCOUNT = "111122223333"
ZONE = "Z0123456789ABCDEFGHIJ"
GATEWAY = "tgw-0123456789abcdef0"
TRUST = {"Version": "2012-10-17", "Statement": []}
MAPPINGS = json.dumps(
    {
        "rules": [
            {
                "rule-type": "selection",
                "rule-id": "1",
                "rule-name": "1",
                "rule-action": "include",
                "object-locator": {"schema-name": "public", "table-name": "%"},
            }
        ]
    }
)
Client = Callable[[str], Any]


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def att(name: str, attribute: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


def resource(kind: str, after: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    made = {"Type": f"AWS::{kind}", "Properties": properties}
    return {**made, "DependsOn": list(after)} if after else made


@dataclass(frozen=True)
class Probe:
    """`It` is the resource under test; `seen` gives what its service shows of it, or nothing."""

    it: dict[str, Any]
    seen: Callable[[Client, str], Any]
    others: dict[str, Any] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.it["Type"].removeprefix("AWS::")

    @property
    def resources(self) -> dict[str, Any]:
        return {**self.others, "It": self.it}


NETWORK = {
    "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
    "A": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-2a"),
    "B": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-2b"),
}
GROUPS = {
    **NETWORK,
    "G": resource("EC2::SecurityGroup", GroupDescription="one", VpcId=ref("Vpc")),
    "H": resource("EC2::SecurityGroup", GroupDescription="two", VpcId=ref("Vpc")),
}
TABLE = {**NETWORK, "T": resource("EC2::RouteTable", VpcId=ref("Vpc"))}
ROLE = {"Role": resource("IAM::Role", AssumeRolePolicyDocument=TRUST)}
FUNCTION = {
    **ROLE,
    "F": resource(
        "Lambda::Function",
        Runtime="python3.11",
        Handler="index.handler",
        Role=att("Role", "Arn"),
        Code={"ZipFile": "def handler(event, context):\n    return {'statusCode': 200, 'body': 'pong'}\n"},
    ),
    "Version": resource("Lambda::Version", FunctionName=ref("F")),
    "Live": resource("Lambda::Alias", FunctionName=ref("F"), FunctionVersion=att("Version", "Version"), Name="live"),
}
BALANCER = {
    **NETWORK,
    "Balancer": resource("ElasticLoadBalancingV2::LoadBalancer", Subnets=[ref("A"), ref("B")]),
    "Target": resource(
        "ElasticLoadBalancingV2::TargetGroup", Port=80, Protocol="HTTP", VpcId=ref("Vpc"), TargetType="ip"
    ),
    "Listener": resource(
        "ElasticLoadBalancingV2::Listener",
        LoadBalancerArn=ref("Balancer"),
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": ref("Target")}],
    ),
}
ACL = {
    "Acl": resource(
        "WAFv2::WebACL",
        Scope="REGIONAL",
        DefaultAction={"Allow": {}},
        VisibilityConfig={"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"},
        Rules=[],
    )
}
SECRET = {
    "Secret": resource(
        "SecretsManager::Secret",
        GenerateSecretString={"SecretStringTemplate": '{"username": "app"}', "GenerateStringKey": "password"},
    )
}
ROTATION = {
    **SECRET,
    **FUNCTION,
    "May": resource(
        "Lambda::Permission",
        FunctionName=ref("F"),
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    ),
}
CLUSTER = {
    **NETWORK,
    "Subnets": resource("RDS::DBSubnetGroup", DBSubnetGroupDescription="d", SubnetIds=[ref("A"), ref("B")]),
    "Cluster": {
        **resource(
            "RDS::DBCluster",
            Engine="aurora-postgresql",
            MasterUsername="app",
            ManageMasterUserPassword=True,
            DBSubnetGroupName=ref("Subnets"),
        ),
        "DeletionPolicy": "Delete",
    },
}
PROXY = {
    **CLUSTER,
    **SECRET,
    **ROLE,
    "Proxy": resource(
        "RDS::DBProxy",
        DBProxyName="probe",
        EngineFamily="POSTGRESQL",
        RoleArn=att("Role", "Arn"),
        VpcSubnetIds=[ref("A"), ref("B")],
        RequireTLS=True,
        Auth=[{"AuthScheme": "SECRETS", "SecretArn": ref("Secret"), "IAMAuth": "REQUIRED"}],
    ),
}
SCALING = {
    "Scalable": resource(
        "ApplicationAutoScaling::ScalableTarget",
        ServiceNamespace="lambda",
        ResourceId="function:api:live",
        ScalableDimension="lambda:function:ProvisionedConcurrency",
        MinCapacity=1,
        MaxCapacity="4",
    )
}
DMS_GROUP = {
    **NETWORK,
    "DmsRole": resource("IAM::Role", RoleName="dms-vpc-role", AssumeRolePolicyDocument=TRUST),
    "DmsSubnets": resource(
        "DMS::ReplicationSubnetGroup",
        after=("DmsRole",),
        ReplicationSubnetGroupDescription="d",
        SubnetIds=[ref("A"), ref("B")],
    ),
}
DMS_INSTANCE = {
    **DMS_GROUP,
    "Machine": resource(
        "DMS::ReplicationInstance",
        ReplicationInstanceClass="dms.r6i.large",
        ReplicationSubnetGroupIdentifier=ref("DmsSubnets"),
        MultiAZ="true",
    ),
}
CA_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
DMS_ENDPOINTS = {
    "Ca": resource("DMS::Certificate", CertificateIdentifier="probe-ca", CertificatePem=CA_PEM),
    "Old": resource(
        "DMS::Endpoint",
        EndpointType="source",
        EngineName="postgres",
        DatabaseName="payments",
        SslMode="verify-full",
        CertificateArn=ref("Ca"),
        PostgreSqlSettings={"SecretsManagerSecretId": "probe", "HeartbeatEnable": "true", "SlotName": "probe"},
    ),
    "New": resource(
        "DMS::Endpoint",
        EndpointType="target",
        EngineName="aurora-postgresql",
        ServerName="127.0.0.1",
        Port="5432",
        Username="app",
        Password="app",
        DatabaseName="payments",
    ),
}
ALARM = {
    "Alarm": resource(
        "CloudWatch::Alarm",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods="1",
        Threshold=5,
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
    )
}
TOPIC = {"Topic": resource("SNS::Topic")}
BUCKET = {"Bucket": resource("S3::Bucket")}
KEY = {
    "Key": resource(
        "KMS::Key",
        KeyPolicy=TRUST,
        EnableKeyRotation=True,
        RotationPeriodInDays=365,
        PendingWindowInDays=30,
    )
}


def metric_math(aws: Client, name: str) -> Any:
    alarms = aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarms and [query["Id"] for query in alarms[0]["Metrics"]] == ["rate", "errors", "calls"]
