"""Where each service lets CloudFormation's rights end: at names, at a tag, or nowhere."""

from collections.abc import Iterator, Mapping
from typing import Any

from compiler.bootstrap import ACCOUNT_ROLES
from compiler.compile import Compiled
from compiler.names import MIGRATION_TAG
from compiler.plan.sources import templates_of
from paymig.aws.bootstrap import STACK as BOOTSTRAP
from paymig.policy.places import SECRET, Ground, Place, places

_COMPOSITE = "AWS::CloudWatch::CompositeAlarm"
_DASHBOARD = "AWS::CloudWatch::Dashboard"
_FIREWALL = "AWS::WAFv2::WebACL"
_MACHINE = "AWS::StepFunctions::StateMachine"
_TRAIL = "AWS::CloudTrail::Trail"
_RDS_BESIDE = ("auto-backup:*", "og:default:*", "pg:default.*", "db-proxy:*", "target-group:*")

WITHOUT_RESOURCES = frozenset(
    {
        "cloudtrail:DescribeTrails",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "events:ListRules",
        "iam:ListRoles",
        "logs:CreateLogDelivery",
        "logs:DeleteIndexPolicy",
        "logs:DeleteLogDelivery",
        "logs:DeleteResourcePolicy",
        "logs:DescribeIndexPolicies",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutIndexPolicy",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "rds:CreateDBProxy",
        "rds:DescribeDBClusterAutomatedBackups",
        "rds:DescribeDBClusterSnapshots",
        "rds:DescribeDBEngineVersions",
        "rds:DescribeDBInstanceAutomatedBackups",
        "rds:DescribeDBParameterGroups",
        "rds:DescribeDBSnapshots",
        "rds:DescribeEngineDefaultClusterParameters",
        "rds:DescribeEvents",
        "rds:DescribeGlobalClusters",
        "secretsmanager:GetRandomPassword",
        "sns:GetSubscriptionAttributes",
        "sns:SetSubscriptionAttributes",
        "sns:Unsubscribe",
    }
)
"""Actions that have no resource-level rights by the Service Authorization Reference, or that list whatever there is."""

BY_TAG = frozenset(
    {
        "acm:DeleteCertificate",
        "acm:UpdateCertificateOptions",
        "dms:DeleteEndpoint",
        "dms:DeleteEventSubscription",
        "dms:DeleteReplicationConfig",
        "dms:DeleteReplicationInstance",
        "dms:DeleteReplicationSubnetGroup",
        "dms:DeleteReplicationTask",
        "dms:ModifyReplicationConfig",
        "dms:ModifyReplicationInstance",
        "dms:ModifyReplicationTask",
        "ec2:DeleteCustomerGateway",
        "ec2:DeleteFlowLogs",
        "ec2:DeleteInternetGateway",
        "ec2:DeleteNatGateway",
        "ec2:DeleteNetworkAcl",
        "ec2:DeleteRouteTable",
        "ec2:DeleteSecurityGroup",
        "ec2:DeleteSubnet",
        "ec2:DeleteTransitGatewayVpcAttachment",
        "ec2:DeleteVpc",
        "ec2:DeleteVpcEndpoints",
        "ec2:DeleteVpnConnection",
        "ec2:DeleteVpnGateway",
        "ec2:ReleaseAddress",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
        "kms:DisableKey",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:UpdateKeyDescription",
        "rds:DeleteDBProxy",
        "rds:ModifyDBProxy",
    }
)
"""What destroys or changes a resource that has an id of AWS's own and a tag.

Of a key only what no creation asks for: it takes minutes until KMS reads a new tag. Of a network only what deletes what
bears the tag itself: a route or a rule of a group may be one of the migration's in a table or a group that is not.
"""

_OF_EC2 = (
    "customer-gateway",
    "elastic-ip",
    "internet-gateway",
    "natgateway",
    "network-acl",
    "route-table",
    "security-group",
    "subnet",
    "transit-gateway-attachment",
    "vpc",
    "vpc-endpoint",
    "vpc-flow-log",
    "vpn-connection",
    "vpn-gateway",
)


def roles(base: Ground) -> tuple[str, ...]:
    """Give the roles of a migration, and those of DMS, which are all that the bootstrap stack holds."""
    names = (base.generated, *sorted(ACCOUNT_ROLES))
    return tuple(base.everywhere("iam", f"role/{name}", base.account) for name in names)


def named(compiled: Compiled, base: Ground) -> dict[str, Place]:
    """Give the services whose resources the spec names, by IAM's name of the service."""
    known, name = places(compiled), base.generated
    why = "CloudFormation makes these names from the stacks' and ends them with letters of its own."
    buckets = (f"arn:{base.partition}:s3:::{name.lower()}", f"arn:{base.partition}:s3:::{BOOTSTRAP}-*")
    either = f"{why} Of some types it makes them from the logical ids."
    groups = (name, f"aws-waf-logs-{base.name}")
    return {
        "cloudformation": Place(known["Nested"].resources, known["Nested"].why),
        "cloudtrail": Place(
            tuple(base.arn("cloudtrail", f"trail/{one}") for one in (name, *_begun(compiled, _TRAIL))), either
        ),
        "cloudwatch": Place(
            (
                *(base.arn("cloudwatch", f"alarm:{one}") for one in (name, *_begun(compiled, _COMPOSITE))),
                *(
                    base.everywhere("cloudwatch", f"dashboard/{one}", base.account)
                    for one in (name, *_begun(compiled, _DASHBOARD))
                ),
            ),
            either,
        ),
        "dynamodb": Place((base.arn("dynamodb", f"table/{BOOTSTRAP}-*"), base.arn("dynamodb", f"table/{name}")), why),
        "events": Place((base.arn("events", f"rule/{name}"),), why),
        "iam": Place(roles(base), why),
        "lambda": Place(
            (base.arn("lambda", f"function:{name}"), base.arn("lambda", "layer:*")),
            f"{why} A layer's name it makes without the stack's.",
        ),
        "logs": Place(
            tuple(base.arn("logs", f"log-group:{group}{end}") for group in groups for end in ("", ":*")), why
        ),
        "rds": Place(
            tuple(
                base.arn("rds", f"{kind}:{name.lower()}")
                for kind in ("cluster", "cluster-pg", "cluster-snapshot", "db", "snapshot", "subgrp")
            )
            + tuple(base.arn("rds", one) for one in _RDS_BESIDE)
            + (base.everywhere("rds", "global-cluster:*", base.account),),
            f"{why} RDS's own default groups are asked for with them. A proxy, its targets and a kept backup have ids "
            "in place of names, and a cluster leaves whatever global cluster it is in.",
        ),
        "route53": Place(
            known["Zone"].resources + known["Changes"].resources, f"{known['Zone'].why} {known['Changes'].why}"
        ),
        "s3": Place(buckets + tuple(f"{bucket}/*" for bucket in buckets), why),
        "scheduler": Place((base.arn("scheduler", f"schedule/default/{name}"),), why),
        "secretsmanager": Place(
            tuple(base.arn("secretsmanager", f"secret:{key}-*") for key in [*_ids(compiled, SECRET), "rds!cluster"]),
            "A secret's name is its logical id and letters of CloudFormation's own; RDS keeps the cluster's.",
        ),
        "sns": Place((base.arn("sns", name),), why),
        "sqs": Place((base.arn("sqs", name),), why),
        "states": Place(
            tuple(base.arn("states", f"stateMachine:{one}") for one in _machines(compiled)),
            "The templates name the machines; one without a name gets its logical id and letters of CloudFormation's.",
        ),
        "wafv2": Place(
            (
                *(base.arn("wafv2", f"regional/webacl/{one}/*") for one in (name, *_begun(compiled, _FIREWALL))),
                *(base.arn("wafv2", f"regional/{kind}/*") for kind in ("managedruleset", "rulegroup")),
                base.arn("elasticloadbalancing", "loadbalancer/app/*"),
            ),
            f"{either} The rules in it are AWS's, and the load balancer's name is shortened until nothing is certain.",
        ),
    }


def tagged(base: Ground) -> Place:
    """Give what the migration's tag tells apart: AWS sets the tags of these with the call that makes them."""
    kinds = (
        ("acm", "certificate/*"),
        *(("dms", f"{kind}:*") for kind in ("endpoint", "es", "rep", "replication-config", "subgrp", "task")),
        *(("ec2", f"{kind}/*") for kind in _OF_EC2),
        ("elasticloadbalancing", "loadbalancer/app/*"),
        ("elasticloadbalancing", "targetgroup/*"),
        ("kms", "key/*"),
        ("rds", "db-proxy:*"),
    )
    return Place(
        tuple(base.arn(service, kind) for service, kind in kinds),
        "AWS gives these ids of its own; the tag, which CloudFormation sets as it makes them, tells whose they are.",
        {"StringEquals": {f"aws:ResourceTag/{MIGRATION_TAG}": base.name}},
    )


def _machines(compiled: Compiled) -> list[str]:
    names = (found["Properties"].get("StateMachineName", f"{key}-*") for key, found in _found(compiled, _MACHINE))
    return sorted({name if isinstance(name, str) else "*" for name in names})


def _begun(compiled: Compiled, type_: str) -> list[str]:
    return [f"{key}-*" for key in _ids(compiled, type_)]


def _ids(compiled: Compiled, type_: str) -> list[str]:
    return sorted({key for key, _ in _found(compiled, type_)})


def _found(compiled: Compiled, type_: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for template in templates_of(compiled).values():
        yield from ((key, found) for key, found in template["Resources"].items() if found["Type"] == type_)
