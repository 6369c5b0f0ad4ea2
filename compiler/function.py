"""A Lambda function with what belongs to it: its log group, its role, its code."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from troposphere import GetAtt, Ref, Sub
from troposphere.awslambda import Code, Environment, Function, LoggingConfig, TracingConfig, VPCConfig
from troposphere.iam import Policy, Role
from troposphere.logs import LogGroup

from compiler import names, policy
from compiler.assets import Assets
from compiler.component import Component, Export
from compiler.parameters import ARTIFACT_BUCKET, JOURNAL_TABLE
from compiler.refusal import Refusal
from schemas.migration import Migration

_ENVIRONMENT_LIMIT = 4096
_REFERENCE_SIZE = 128  # what an ARN, a host name or another value known only at deploy takes at most, as a rule

_NETWORK_INTERFACES = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]


class Foundations(NamedTuple):
    """What every function stands on.

    Attributes:
        data_key: encrypts environment variables.
        logs_key: encrypts log groups.
    """

    migration: Migration
    assets: Assets
    data_key: Export
    logs_key: Export


class Place(NamedTuple):
    """Where in the VPC a function runs: its subnets, its security group."""

    subnets: Export
    group: Export


def function(
    component: Component,
    title: str,
    foundations: Foundations,
    *,
    cause: str,
    description: str,
    asset: str,
    handler: str,
    environment: Mapping[str, Any],
    rights: Sequence[policy.Statement],
    layers: Sequence[Any] = (),
    place: Place | None = None,
    memory: int = 256,
    timeout: int = 60,
    reserved: int | None = None,
    causes: Mapping[str, str] | None = None,
    rights_from: str = "",
) -> Function:
    """Add a function.

    Args:
        component: the component it belongs to.
        title: the logical id; its log group and role are `<title>Logs` and `<title>Role`.
        foundations: what it shares with the others.
        cause: the spec path it comes from.
        description: one sentence.
        asset: the name of its bundle.
        handler: as module.path.function.
        environment: its variables, besides those of every function.
        rights: what its role may do, besides logging, tracing and reading the journal.
        layers: layer ARNs.
        place: where in the VPC it runs; none is outside.
        memory: in MiB.
        timeout: in seconds.
        reserved: the most concurrent executions.
        causes: for properties that come from elsewhere in the spec, that path.
        rights_from: the paths that its rights come from, besides its own and the migration's name.

    Raises:
        Refusal: its variables pass Lambda's 4 KB.
    """
    migration = foundations.migration
    variables = {
        "PAYMIG_JOURNAL_TABLE": component.use(JOURNAL_TABLE),
        "PAYMIG_MIGRATION": migration.full_name,
        **environment,
    }
    _check_size(variables, cause, description)
    logs = component.add(
        LogGroup(
            f"{title}Logs", KmsKeyId=component.use(foundations.logs_key), RetentionInDays=policy.LOG_RETENTION_DAYS
        ),
        cause,
    )
    role = component.add(
        Role(
            f"{title}Role",
            AssumeRolePolicyDocument=policy.trust("lambda.amazonaws.com"),
            Policies=[
                Policy(
                    PolicyName="Function",
                    PolicyDocument=policy.document(
                        *_own_rights(component, foundations, logs, in_vpc=place is not None), *rights
                    ),
                )
            ],
        ),
        cause,
        Policies=f"{cause} {names.FULL_NAME} {rights_from}".strip(),
    )
    properties: dict[str, Any] = {
        "Architectures": [migration.api.architecture],
        "Code": Code(S3Bucket=component.use(ARTIFACT_BUCKET), S3Key=foundations.assets.key(asset)),
        "Description": description,
        "Environment": Environment(Variables=dict(sorted(variables.items()))),
        "Handler": handler,
        "KmsKeyArn": component.use(foundations.data_key),
        "Layers": list(layers),
        "LoggingConfig": LoggingConfig(LogGroup=Ref(logs)),
        "MemorySize": memory,
        "Role": GetAtt(role, "Arn"),
        "Runtime": migration.api.runtime,
        "Timeout": timeout,
        "TracingConfig": TracingConfig(Mode="Active"),
    }
    if place is not None:
        properties["VpcConfig"] = VPCConfig(
            SecurityGroupIds=[component.use(place.group)], SubnetIds=component.use(place.subnets)
        )
    if reserved is not None:
        properties["ReservedConcurrentExecutions"] = reserved
    return component.add(
        Function(title, **properties),
        cause,
        **{
            "Runtime": "api.runtime",
            "Architectures": "api.architecture",
            "Environment.Variables.PAYMIG_MIGRATION": names.FULL_NAME,
            **(causes or {}),
        },
    )


def read_secret(secret: Any, key: Any) -> list[policy.Statement]:
    """The right to read one secret that is encrypted with `key`."""
    return [
        policy.allow(["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], secret),
        policy.allow("kms:Decrypt", key, policy.through("secretsmanager")),
    ]


def read_foreign_secret(secret: Any) -> list[policy.Statement]:
    """The right to read a secret whose key is not ours: the key may decrypt for this secret and nothing else."""
    keys = Sub("arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*")
    service = policy.through("secretsmanager")["StringEquals"]
    return [
        policy.allow(["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], secret),
        policy.allow("kms:Decrypt", keys, {"StringEquals": {**service, "kms:EncryptionContext:SecretARN": secret}}),
    ]


def journal_rights(migration: Migration, *, moves_the_writer: bool = False) -> list[policy.Statement]:
    """The right to append to the journal and to hold the lease, in this migration's rows of the table alone."""
    actions = ["dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:Query"]
    return [_on_journal(migration, actions + (["dynamodb:UpdateItem"] if moves_the_writer else []))]


def recall(migration: Migration, partition: str) -> policy.Statement:
    """The right to read what `remember` kept."""
    return _on_journal(migration, ["dynamodb:GetItem"], f"/{partition}")


def remember(migration: Migration, partition: str) -> policy.Statement:
    """The right to items of one's own in the journal's table: in the partition `<migration>/<partition>`, no other."""
    return _on_journal(migration, ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], f"/{partition}")


def _on_journal(migration: Migration, actions: list[str], partition: str = "") -> policy.Statement:
    table = Sub("arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${JournalTable}")
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [f"{migration.full_name}{partition}"]}}
    return policy.allow(actions, table, own)


def _own_rights(
    component: Component, foundations: Foundations, logs: LogGroup, *, in_vpc: bool
) -> list[policy.Statement]:
    rights = [
        policy.allow(["logs:CreateLogStream", "logs:PutLogEvents"], GetAtt(logs, "Arn")),
        policy.allow("kms:Decrypt", component.use(foundations.data_key), policy.through("lambda")),
        _on_journal(foundations.migration, ["dynamodb:GetItem"]),
        # X-Ray knows no resources to name.
        policy.allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
    ]
    if in_vpc:
        # Lambda checks these before an interface, and so an ARN to name, exists.
        rights.append(policy.allow(_NETWORK_INTERFACES, "*"))
    return rights


def _check_size(variables: Mapping[str, Any], cause: str, description: str) -> None:
    size = sum(
        len(name.encode()) + (len(value.encode()) if isinstance(value, str) else _REFERENCE_SIZE)
        for name, value in variables.items()
    )
    if size > _ENVIRONMENT_LIMIT:
        largest = max(variables, key=lambda name: len(json.dumps(variables[name], default=str)))
        raise Refusal(
            "PMG311",
            cause,
            f"the environment of the function “{description}” has about {size} bytes, Lambda takes "
            f"{_ENVIRONMENT_LIMIT}; the largest variable is {largest}",
            "write shorter host names and names",
        )
