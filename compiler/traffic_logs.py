"""What crosses the VPC, written down: every connection, every name that was asked for."""

from typing import Any

from troposphere import GetAtt, Ref
from troposphere.ec2 import VPC, FlowLog
from troposphere.iam import Policy, Role
from troposphere.logs import LogGroup
from troposphere.route53resolver import ResolverQueryLoggingConfig, ResolverQueryLoggingConfigAssociation

from compiler import policy
from compiler.component import Component


def traffic_logs(component: Component, vpc: VPC, key: Any) -> None:
    """Add the flow log and the DNS query log of a VPC.

    Args:
        component: the network's component.
        vpc: the VPC.
        key: the ARN of the key that encrypts both.
    """
    _connections(component, vpc, _group(component, "FlowLogGroup", key))
    config = component.add(
        ResolverQueryLoggingConfig("QueryLog", DestinationArn=GetAtt(_group(component, "QueryLogGroup", key), "Arn")),
        "network",
    )
    component.add(
        ResolverQueryLoggingConfigAssociation(
            "QueryLogAssociation", ResolverQueryLogConfigId=Ref(config), ResourceId=Ref(vpc)
        ),
        "network",
    )


def _group(component: Component, title: str, key: Any) -> LogGroup:
    return component.add(LogGroup(title, KmsKeyId=key, RetentionInDays=policy.LOG_RETENTION_DAYS), "network")


def _connections(component: Component, vpc: VPC, group: LogGroup) -> None:
    writing = policy.document(
        policy.allow(["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], GetAtt(group, "Arn"))
    )
    role = component.add(
        Role(
            "FlowLogRole",
            AssumeRolePolicyDocument=policy.trust("vpc-flow-logs.amazonaws.com", policy.SAME_ACCOUNT),
            Policies=[Policy(PolicyName="WriteFlowLogs", PolicyDocument=writing)],
        ),
        "network",
    )
    component.add(
        FlowLog(
            "FlowLog",
            ResourceId=Ref(vpc),
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestinationType="cloud-watch-logs",
            LogGroupName=Ref(group),
            DeliverLogsPermissionArn=GetAtt(role, "Arn"),
            MaxAggregationInterval=60,
        ),
        "network",
    )
