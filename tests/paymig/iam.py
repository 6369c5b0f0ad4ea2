"""IAM as far as the tests need it: what a call asks for, and whether a policy allows it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from paymig.policy.rights import FREE
from tests.paymig.recording import Call

_PREFIXES = {"elbv2": "elasticloadbalancing", "stepfunctions": "states"}
_LAMBDA = {"Invoke": "InvokeFunction"}
_TRANSACTION = {
    "ConditionCheck": "ConditionCheckItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
}


class Asked(NamedTuple):
    """A right that a call needs.

    Attributes:
        because: the call, where the action is not that of the call itself.
        context: values of condition keys.
    """

    command: str
    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = {}
    because: str = ""


class World(NamedTuple):
    """Where the calls are made.

    Attributes:
        tags: of resources, by their ARNs.
    """

    region: str
    account: str
    tags: Mapping[str, Mapping[str, str]]

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def tagged(self, arn: str) -> Mapping[str, Sequence[str]]:
        return {f"aws:ResourceTag/{key}": [value] for key, value in self.tags.get(arn, {}).items()}


def asked(call: Call, world: World) -> Iterator[Asked]:
    """Say which rights AWS asks for when it gets a call, by the Service Authorization Reference."""
    prefix = _PREFIXES.get(call.service, call.service)
    name = f"{prefix}:{call.operation}"
    if name in FREE:
        return
    for action, resource, context in _rights(call, prefix, world):
        yield Asked(call.command, action, resource, context, "" if action == name else name)


def _rights(call: Call, prefix: str, world: World) -> Iterator[tuple[str, str, Mapping[str, Sequence[str]]]]:
    given, own = call.parameters, f"{prefix}:{call.operation}"
    match call.service:
        case "cloudformation":
            stack = given.get("StackName")
            if stack is None:
                yield own, "*", {}
                return
            yield own, stack if stack.startswith("arn:") else world.arn(prefix, f"stack/{stack}/an-id"), {}
            if "TemplateURL" in given:
                key = given["TemplateURL"].split("/", 3)[3]
                yield "s3:GetObject", f"arn:aws:s3:::{key}", {"s3:ResourceAccount": [world.account]}
            if "RoleARN" in given:
                yield "iam:PassRole", given["RoleARN"], {"iam:PassedToService": ["cloudformation.amazonaws.com"]}
        case "s3":
            context = {"s3:ResourceAccount": [world.account]}
            action = {"HeadObject": "s3:GetObject"}.get(call.operation, own)
            yield action, f"arn:aws:s3:::{given['Bucket']}/{given['Key']}", context
            if given["Key"].startswith("reports/"):  # the only bucket with a key of its own that commands read
                yield (
                    "kms:Decrypt",
                    world.arn("kms", "key/an-id"),
                    {"kms:ViaService": [f"s3.{world.region}.amazonaws.com"]},
                )
            if call.operation == "HeadObject":
                yield "s3:ListBucket", f"arn:aws:s3:::{given['Bucket']}", context
        case "dynamodb" if call.operation == "TransactWriteItems":
            for item in given["TransactItems"]:
                [(kind, inner)] = item.items()
                yield f"dynamodb:{_TRANSACTION[kind]}", *_item(inner, world)
        case "dynamodb":
            yield own, *(_item(given, world) if "TableName" in given else ("*", {}))
        case "route53":
            if call.operation == "GetChange":
                yield own, f"arn:aws:route53:::change/{given['Id'].rpartition('/')[2]}", {}
                return
            if call.operation == "TestDNSAnswer":
                yield own, "*", {}
                return
            records = [change["ResourceRecordSet"] for change in given.get("ChangeBatch", {}).get("Changes", ())]
            context = {
                "route53:ChangeResourceRecordSetsNormalizedRecordNames": [one["Name"].rstrip(".") for one in records],
                "route53:ChangeResourceRecordSetsRecordTypes": [one["Type"] for one in records],
            }
            zone = given["Id"] if call.operation == "GetHostedZone" else given["HostedZoneId"]
            yield own, f"arn:aws:route53:::hostedzone/{zone}", context if records else {}
        case "iam":
            yield own, f"arn:aws:iam::{world.account}:role/{given['RoleName']}", {}
        case "rds":
            yield own, world.arn(prefix, f"cluster:{given['DBClusterIdentifier']}"), {}
        case "elbv2":
            yield own, given["LoadBalancerArn"], world.tagged(given["LoadBalancerArn"])
        case "stepfunctions" | "sfn":
            arns = (given.get(name) for name in ("stateMachineArn", "executionArn", "mapRunArn"))
            yield own, next(arn for arn in arns if arn), {}
        case "secretsmanager":
            yield own, given["SecretId"], world.tagged(given["SecretId"])
            through = {"kms:ViaService": [f"secretsmanager.{world.region}.amazonaws.com"]}
            yield "kms:Decrypt", world.arn("kms", "key/an-id"), through
        case "lambda":
            name = given["FunctionName"]
            arn = name if name.startswith("arn:") else world.arn(prefix, f"function:{name}")
            yield f"lambda:{_LAMBDA.get(call.operation, call.operation)}", arn, {}
        case "cloudwatch":
            yield own, "*", {}
        case "dms" | "databasemigrationservice":
            named = ("ReplicationTaskArn", "ReplicationConfigArn", "EndpointArn", "ReplicationInstanceArn")
            for arn in [given[one] for one in named if one in given] or ["*"]:
                yield own, arn, world.tagged(arn)
        case _:
            raise NotImplementedError(f"which right does {own} ask for, and where? Say it here and in rights.py")


def _item(given: Mapping[str, Any], world: World) -> tuple[str, Mapping[str, Sequence[str]]]:
    keys = given.get("Key") or given.get("Item")
    partition = keys["migration"] if keys else given["ExpressionAttributeValues"][":migration"]
    return world.arn("dynamodb", f"table/{given['TableName']}"), {"dynamodb:LeadingKeys": [partition["S"]]}


def allows(statement: Mapping[str, Any], wanted: Asked) -> bool:
    """Whether a statement allows it."""
    return (
        wanted.action in statement["Action"]
        and any(_like(pattern, wanted.resource) for pattern in statement["Resource"])
        and all(
            _holds(operator, wanted.context.get(key), _list(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, given: Sequence[str] | None, values: Sequence[str]) -> bool:
    match operator:
        case "StringEquals":
            return given is not None and len(given) == 1 and given[0] in values
        case "ArnLike":
            return given is not None and any(_like(pattern, given[0]) for pattern in values)
        case "ForAllValues:StringEquals":
            return set(given or ()) <= set(values)
    raise NotImplementedError(operator)


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def _list(values: str | Sequence[str]) -> Sequence[str]:
    return [values] if isinstance(values, str) else values
