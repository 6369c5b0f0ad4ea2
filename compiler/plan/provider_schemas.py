"""`python -m compiler.plan.provider_schemas` reads two tables off the schemas that cfn-lint bundles.

One has the create-only properties, the other the rights that making, reading and deleting a resource takes. `--check`
says whether a written table is stale.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from compiler.plan import permissions, replacements
from schemas.generated import write_or_check

_SERVICES = frozenset(
    (
        "ApplicationAutoScaling",
        "Backup",
        "CertificateManager",
        "CloudFormation",
        "CloudTrail",
        "CloudWatch",
        "CodeDeploy",
        "Config",
        "DMS",
        "DirectConnect",
        "DynamoDB",
        "EC2",
        "ECS",
        "ElasticLoadBalancingV2",
        "Events",
        "GuardDuty",
        "IAM",
        "KMS",
        "Kinesis",
        "KinesisFirehose",
        "Lambda",
        "Logs",
        "RDS",
        "Route53",
        "Route53Resolver",
        "S3",
        "SNS",
        "SQS",
        "SSM",
        "Scheduler",
        "SecretsManager",
        "Signer",
        "StepFunctions",
        "WAFv2",
    )
)
_PREFIX = "/properties/"
_VERB = re.compile(r"[A-Za-z0-9]+")
# What the schemas name and IAM does not know.
_NO_ACTIONS = frozenset(
    {
        "cloudtrail:GetEventConfiguration",
        "cloudtrail:PutEventConfiguration",
        "dynamodb:AssociateTableReplica",
        "elasticloadbalancing:CreateWebACLAssociation",
        "elasticloadbalancing:DeleteWebACLAssociation",
        "elasticloadbalancing:GetLoadBalancerWebACL",
        "iam:DescribeOrganization",
        "lambda:AssociateRuntimeAlias",
        "s3:DeleteBucketAnalyticsConfiguration",
        "s3:DeleteBucketCors",
        "s3:DeleteBucketEncryption",
        "s3:DeleteBucketLifecycle",
        "s3:DeleteBucketMetricsConfiguration",
        "s3:DeleteBucketReplication",
        "s3:GetObjectMetadata",
        "s3:PutBucketReplication",
        "s3:PutObjectLockConfiguration",
    }
)
# Types of before the schemas, and what a nested stack takes when its parent's change set reaches into it.
_UNPUBLISHED: Mapping[str, tuple[str, ...]] = {
    "AWS::CloudFormation::Stack": (
        "cloudformation:CreateChangeSet",
        "cloudformation:DeleteChangeSet",
        "cloudformation:DescribeChangeSet",
        "cloudformation:ExecuteChangeSet",
    ),
    "AWS::DMS::ReplicationInstance": (
        "dms:AddTagsToResource",
        "dms:CreateReplicationInstance",
        "dms:DeleteReplicationInstance",
        "dms:DescribeReplicationInstances",
        "dms:ListTagsForResource",
        "dms:ModifyReplicationInstance",
        "dms:RemoveTagsFromResource",
    ),
    "AWS::Route53::RecordSetGroup": (
        "route53:ChangeResourceRecordSets",
        "route53:GetChange",
        "route53:GetHostedZone",
        "route53:ListResourceRecordSets",
    ),
}
# A property's update behaviour is the same in every region; this one has every service.
_REGION = "us-east-1"


def text(row: Callable[[str, Mapping[str, Any]], object]) -> str:
    """Return a table as JSON, one resource type a line.

    Args:
        row: makes a line of a type's name and its schema.

    Raises:
        ImportError: cfn-lint is not installed.
    """
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as MANAGER

    types = [name for name in MANAGER.get_resource_types(_REGION) if name.split("::")[1] in _SERVICES]
    rows = {name: row(name, MANAGER.get_resource_schema(_REGION, name).schema) for name in sorted(types)}
    lines = (f" {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def replacement(_: str, schema: Mapping[str, Any]) -> dict[str, list[str]]:
    """Make a line of `replacements.json`."""
    sections = {"always": "createOnlyProperties", "maybe": "conditionalCreateOnlyProperties"}
    row = {
        name: sorted(path.removeprefix(_PREFIX) for path in schema.get(keyword, ()))
        for name, keyword in sections.items()
    }
    return {name: paths for name, paths in row.items() if paths}


def permission(type_: str, schema: Mapping[str, Any]) -> dict[str, list[str]]:
    """Make a line of `permissions.json`."""
    handlers = schema.get("handlers", {})
    more = _UNPUBLISHED.get(type_, ())
    read = _actions(handlers, "read") | {action for action in more if _reads(action)}
    write = _actions(handlers, "create", "update", "delete") | {action for action in more if not _reads(action)}
    return {"read": sorted(read), "write": sorted(write - read)}


def _reads(action: str) -> bool:
    return action.partition(":")[2].startswith(("Describe", "Get", "List"))


def _actions(handlers: Mapping[str, Any], *names: str) -> set[str]:
    found = (action for name in names for action in handlers.get(name, {}).get("permissions", ()))
    split = (action.strip().partition(":") for action in found)
    actions = {f"{service.lower()}:{verb}" for service, _, verb in split if _VERB.fullmatch(verb)}
    return actions - _NO_ACTIONS


if __name__ == "__main__":
    here = Path(__file__)
    tables = {
        here.with_name(replacements.FILE): text(replacement),
        here.with_name(permissions.FILE): text(permission),
    }
    sys.exit(write_or_check("compiler.plan.provider_schemas", tables))
