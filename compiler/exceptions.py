"""Deliberate exceptions from the rules of scanners, each with its reason, written into the resource's metadata."""

import sys
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from troposphere import AWSObject

from schemas.generated import write_or_check

FILE = Path(__file__).parents[1] / "docs" / "exceptions.md"


class Exemption(NamedTuple):
    """Rules that a resource does not follow, and why not.

    Attributes:
        rules: as their scanner names them; `<Migration>` stands for the migration's full name.
        reason: one or two sentences.
        only: the resources, as Component.LogicalId, where * stands for the rest of a name; none are all of the type.
        having: only where this property is set.
        when: only where this is so of the properties as the template has them; the reason says what.
    """

    rules: tuple[str, ...]
    reason: str
    only: tuple[str, ...] = ()
    having: str = ""
    when: Callable[[Mapping[str, Any]], bool] | None = None


_AWS, _NIST, _PCI = "AwsSolutions", "NIST.800.53.R5", "PCI.DSS.321"


def _both(rule: str) -> tuple[str, str]:
    return f"{_NIST}-{rule}", f"{_PCI}-{rule}"


def _wildcards(*resources: str) -> tuple[str, ...]:
    return tuple(f"{_AWS}-IAM5[Resource::{resource}]" for resource in resources)


_IN_VPC = ("Api*.FunctionRole", "Control.SwitchoverRole", "Database.SecretRotationRole", "Validation.ValidationRole")
_SOURCE_READERS = (
    "Api*.FunctionRole",
    "Control.SwitchoverRole",
    "Replication.SecretsRole",
    "Validation.ValidationRole",
)
_KEYS = "arn:<AWS::Partition>:kms:<AWS::Region>:<AWS::AccountId>:key/*"
_COMPARISONS = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:<Migration>-compare:*"
_COMPARISONS_BUCKET = "arn:<AWS::Partition>:s3:::<MonitoringComparisonsBucket>"
_STACK = "arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:stack/<Migration>/*"
_OS_METRICS = "arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:RDSOSMetrics:*"


def _unprotected(load_balancer: Mapping[str, Any]) -> bool:
    return {"Key": "deletion_protection.enabled", "Value": "false"} in load_balancer["LoadBalancerAttributes"]


def _without_managed_rules(firewall: Mapping[str, Any]) -> bool:
    return not any("ManagedRuleGroupStatement" in rule["Statement"] for rule in firewall["Rules"])


_ONE_ACCESS_LIST = Exemption(
    (f"{_AWS}-VPC3",),
    "One access list, around the databases alone: a fence that holds when a security group is opened by mistake.",
)

EXEMPTIONS: Mapping[str, tuple[Exemption, ...]] = {
    "AWS::DynamoDB::Table": (
        Exemption(
            ("CKV_AWS_119",),
            "The journal holds who did what and which database is the writer: no card data, no credential. The "
            "account's own key of DynamoDB encrypts it.",
        ),
        Exemption(
            (f"{_NIST}-DynamoDBInBackupPlan",),
            "Point-in-time recovery restores the journal to any second of 35 days.",
        ),
    ),
    "AWS::EC2::NetworkAcl": (_ONE_ACCESS_LIST,),
    "AWS::EC2::NetworkAclEntry": (_ONE_ACCESS_LIST,),
    "AWS::EC2::Route": (
        Exemption(
            _both("VPCNoUnrestrictedRouteToIGW"),
            "The public subnets hold the load balancer and the NAT gateways, and nothing else.",
            ("Network.PublicRoute",),
        ),
    ),
    "AWS::EC2::SecurityGroupIngress": (
        Exemption(
            (f"{_AWS}-EC23",),
            "Clients of the payments API come from anywhere; this is HTTPS to the load balancer, behind the firewall.",
            ("Security.LoadBalancerGroupFromNetwork",),
        ),
    ),
    "AWS::EC2::VPC": (
        Exemption(
            _both("VPCDefaultSecurityGroupClosed"),
            "CloudFormation cannot take rules from the default group. Nothing stands in it, and it admits only its own "
            "members.",
        ),
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
        Exemption(
            (f"{_NIST}-ELBDeletionProtectionEnabled",),
            "Where the spec says `load_balancer.deletion_protection: false`, for a drill that is destroyed at its end.",
            when=_unprotected,
        ),
    ),
    "AWS::IAM::Role": (
        Exemption(
            _both("IAMNoInlinePolicy"),
            "The policy belongs to this one role: it is made, changed and deleted with it and can be attached to "
            "nothing else.",
            having="Policies",
        ),
        Exemption(
            ("CKV_AWS_111", "RESOURCE_STAR", *_wildcards("*")),
            "Lambda asks for the rights to network interfaces before an interface exists. X-Ray, PutMetricData (which "
            "is held to one namespace) and GetRandomPassword know no resources.",
            _IN_VPC,
        ),
        Exemption(_wildcards("*"), "X-Ray knows no resources.", ("Validation.RollbackRole",)),
        Exemption(
            ("CKV_AWS_111", *_wildcards("*")),
            "Step Functions has its log delivered, and X-Ray its traces, by calls that know no resources.",
            ("Control.MoveRole", "Validation.CompareRole"),
        ),
        Exemption(
            ("PERMISSIONS_MANAGEMENT_ACTIONS",),
            "Step Functions lets the service that delivers its log into the log group, as this role and whenever the "
            "machine is made or changed. AWS asks for that right on all of a region's log groups.",
            ("Control.MoveRole", "Validation.CompareRole"),
        ),
        Exemption(
            _wildcards(_COMPARISONS),
            "A map starts executions of the machine that it belongs to, under names that it gives them.",
            ("Validation.CompareRole",),
        ),
        Exemption(
            _wildcards(f"{_COMPARISONS_BUCKET}/runs/*", f"{_COMPARISONS_BUCKET}/maps/*"),
            "One folder of one bucket; what is in it is named by the comparison.",
            ("Validation.CompareRole",),
        ),
        Exemption(
            _wildcards(f"{_COMPARISONS_BUCKET}/*"),
            "The bucket holds comparisons and nothing else; what is in it is named by the comparison.",
            ("Validation.ValidationRole",),
        ),
        Exemption(
            _wildcards(
                *(f"arn:<AWS::Partition>:dms:<AWS::Region>:<AWS::AccountId>:{kind}:*" for kind in ("endpoint", "rep"))
            ),
            "Connections are tested between endpoints and an instance that DMS names by ids of its own; the tag says "
            "whose they are.",
            ("Control.SwitchoverRole",),
        ),
        Exemption(
            _wildcards(_KEYS),
            "The source's secret is not ours, so its key is not known. The key may decrypt this one secret, through "
            "Secrets Manager, and nothing else.",
            _SOURCE_READERS,
        ),
        Exemption(
            _wildcards("arn:<AWS::Partition>:route53:::change/*"),
            "The id of a change is known only once it is made; this right reads its state.",
            ("Validation.RollbackRole",),
        ),
        Exemption(
            _wildcards(_STACK),
            "The root stack's id, which no nested stack can refer to; its name is the migration's.",
            ("Validation.RollbackRole",),
        ),
        Exemption(
            _wildcards(_OS_METRICS),
            "RDS names the log group, and its streams, itself.",
            ("Database.MonitoringRole",),
        ),
        Exemption(
            ("Base64 High Entropy String",),
            "The id of the hosted zone is no secret.",
            ("Validation.RollbackRole",),
        ),
        Exemption(
            ("Base64 High Entropy String",),
            "The name of AWS's policy is no secret.",
            ("Bootstrap.DmsCloudwatchLogsRole",),
        ),
        *(
            Exemption(
                (f"{_AWS}-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/{policy}]",),
                "DMS looks for this very policy on a role of this very name.",
                (f"Bootstrap.{role}",),
            )
            for role, policy in (
                ("DmsCloudwatchLogsRole", "AmazonDMSCloudWatchLogsRole"),
                ("DmsVpcRole", "AmazonDMSVPCManagementRole"),
            )
        ),
    ),
    "AWS::Lambda::Function": (
        Exemption(
            (f"{_AWS}-L1",),
            "The runtime is the spec's choice, and the layer's PostgreSQL driver is built for it.",
        ),
        Exemption(
            ("CKV_AWS_116", f"{_NIST}-LambdaDLQ"),
            "It is called synchronously: who calls it sees the failure.",
            ("Api*.Function", "Control.Switchover"),
        ),
        Exemption(
            ("CKV_AWS_116", f"{_NIST}-LambdaDLQ"),
            "Secrets Manager calls it, tries again, and records a rotation that failed.",
            ("Database.SecretRotation",),
        ),
        Exemption(
            ("CKV_AWS_116", f"{_NIST}-LambdaDLQ"),
            "It has a failure destination, which tells more than a dead-letter queue of the function.",
            ("Validation.Rollback", "Validation.Validation"),
        ),
        Exemption(
            ("CKV_AWS_117", *_both("LambdaInsideVPC")),
            "It reaches no database, and the way back must work when the VPC does not.",
            ("Validation.Rollback",),
        ),
    ),
    "AWS::RDS::DBInstance": (
        Exemption(
            (f"{_NIST}-RDSInBackupPlan",),
            "Aurora backs up the cluster, continuously, for as long as the spec says; instances hold no data. A copy "
            "in another account selects the cluster by its tags.",
        ),
    ),
    "AWS::RDS::DBProxy": (
        Exemption(("Secret Keyword",), "The name of an authentication method, not a password.", ("Database.Proxy",)),
    ),
    "AWS::S3::Bucket": (
        Exemption(
            ("CKV_AWS_18", f"{_AWS}-S1", *_both("S3BucketLoggingEnabled")),
            "The audit trail of the migration records who reads this bucket.",
        ),
        Exemption(
            _both("S3BucketReplicationEnabled"),
            "It is versioned and outlives its stack. A copy is worth something only in another account, which is not "
            "this migration's.",
        ),
        Exemption(
            _both("S3DefaultEncryptionKMS"),
            "A load balancer delivers its logs under no encryption but S3's own.",
            ("LoadBalancer.AccessLogs",),
        ),
    ),
    "AWS::SQS::Queue": (Exemption((f"{_AWS}-SQS3",), "It is the dead-letter queue.", ("Validation.DeadLetters",)),),
    "AWS::WAFv2::WebACL": (
        Exemption(
            ("CKV_AWS_192",),
            "Where the spec says `security.waf.managed_rules: none`: rules of the operator's own stand in front.",
            when=_without_managed_rules,
        ),
    ),
}
"""The exceptions by resource type."""


def metadata(component: str, resource: AWSObject, migration: str = "") -> dict[str, Any]:
    """What a resource's metadata tells the scanners.

    Args:
        component: the component's name.
        resource: the resource, complete.
        migration: the full name of the migration it belongs to, if it belongs to one.

    Returns:
        `checkov` and `cdk_nag` in their own forms, `paymig_scan` for scanners that have none; empty without exceptions.
    """
    given = [
        (rule.replace("<Migration>", migration), exemption.reason)
        for exemption in EXEMPTIONS.get(resource.resource_type or "", ())
        if (not exemption.only or any(fnmatchcase(f"{component}.{resource.title}", one) for one in exemption.only))
        and (not exemption.having or exemption.having in resource.properties)
        and (exemption.when is None or exemption.when(resource.to_dict()["Properties"]))
        for rule in exemption.rules
    ]
    if not given:
        return {}
    parts: dict[str, Any] = {
        "checkov": {"skip": [{"id": rule, "comment": why} for rule, why in given if _scanner(rule) == "checkov"]},
        "cdk_nag": {
            "rules_to_suppress": [{"id": rule, "reason": why} for rule, why in given if _scanner(rule) == "cdk_nag"]
        },
        "paymig_scan": {"skip": [{"id": rule, "reason": why} for rule, why in given if _scanner(rule) == "other"]},
    }
    return {name: part for name, part in parts.items() if any(part.values())}


def _scanner(rule: str) -> str:
    if rule.startswith("CKV"):
        return "checkov"
    return "cdk_nag" if rule.startswith((_AWS, _NIST, _PCI)) else "other"


_PRINTED = (
    "The policies that `paymig policy` prints have no metadata. These rules of parliament they do not follow:",
    "",
    "- `RESOURCE_STAR`: what stands on `*` has no resource-level rights, lists whatever there is, or has ids that",
    "  nobody knows before; each statement says which, and a test holds every policy to it.",
    "- `PERMISSIONS_MANAGEMENT_ACTIONS`: who makes roles, keys and buckets manages their permissions.",
    "- `UNKNOWN_ACTION`, where the SDK has the operation: parliament's list of actions is older. The same for Lambda's",
    "  `PassCapacityProvider`, a right that belongs to no operation.",
    "- `RESOURCE_MISMATCH`, in the templates' roles too, where an action takes one of several kinds of resources and",
    "  is given another than parliament looks for: `states:DescribeExecution` without express executions, and",
    "  `states:ListExecutions` on a machine or on a map's run alone.",
)
"""What `tests/scan` accepts beside the exceptions."""


def page() -> str:
    """Write docs/exceptions.md."""
    lines = [
        "# Exceptions",
        "",
        "Rules of scanners that the templates deliberately do not follow. Each stands in the metadata of its resource,",
        "where the scanners find it. This page is generated: `python -m compiler.exceptions`.",
    ]
    lines += ["", *_PRINTED]
    for kind, exemptions in EXEMPTIONS.items():
        lines += ["", f"## {kind}", "", "| rules | resources | reason |", "|---|---|---|"]
        lines += [f"| {_codes(one.rules)} | {_resources(one)} | {one.reason} |" for one in exemptions]
    return "\n".join(lines) + "\n"


def _resources(exemption: Exemption) -> str:
    every = f"all with `{exemption.having}`" if exemption.having else "all"
    return _codes(exemption.only) or every


def _codes(words: Iterable[str]) -> str:
    return "<br>".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    sys.exit(write_or_check("compiler.exceptions", {FILE: page()}))
