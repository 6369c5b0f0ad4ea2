"""What is deployed, under the names that IAM knows it by."""

from collections.abc import Iterator
from typing import NamedTuple

from paymig.aws import stack
from paymig.aws.session import Aws

_REGIONAL = {
    "AWS::CloudTrail::Trail": "cloudtrail:{}:trail/{}",
    "AWS::CloudWatch::Alarm": "cloudwatch:{}:alarm:{}",
    "AWS::CloudWatch::CompositeAlarm": "cloudwatch:{}:alarm:{}",
    "AWS::DynamoDB::Table": "dynamodb:{}:table/{}",
    "AWS::Events::Rule": "events:{}:rule/{}",
    "AWS::Lambda::Function": "lambda:{}:function:{}",
    "AWS::RDS::DBCluster": "rds:{}:cluster:{}",
    "AWS::RDS::DBClusterParameterGroup": "rds:{}:cluster-pg:{}",
    "AWS::RDS::DBInstance": "rds:{}:db:{}",
    "AWS::RDS::DBSubnetGroup": "rds:{}:subgrp:{}",
    "AWS::SQS::Queue": "sqs:{}:{}",
    "AWS::Scheduler::Schedule": "scheduler:{}:schedule/default/{}",
    "AWS::WAFv2::WebACL": "wafv2:{}:regional/webacl/{}",
}
_GLOBAL = {
    "AWS::CloudWatch::Dashboard": "cloudwatch::{}:dashboard/{}",
    "AWS::IAM::Role": "iam::{}:role/{}",
    "AWS::S3::Bucket": "s3:::{1}",
}


class Deployed(NamedTuple):
    """A resource by its type and ARN."""

    type: str
    arn: str


def deployed(aws: Aws, account: str, *roots: str) -> Iterator[Deployed]:
    """Yield what the stacks and those nested in them hold, of the types whose ARNs follow from physical ids."""
    for name in (nested for root in roots for nested in (root, *stack.nested(aws, root).values())):
        for found in stack.resources(aws, name):
            own = _name(found)
            if own.startswith("arn:"):
                yield Deployed(found.type, own)
            elif found.type == "AWS::RDS::DBProxy":
                [proxy] = aws.client("rds").describe_db_proxies(DBProxyName=own)["DBProxies"]
                yield Deployed(found.type, proxy["DBProxyArn"])
            elif found.type == "AWS::Logs::LogGroup":  # some calls name a group in the one way, some in the other
                group = f"arn:aws:logs:{aws.region}:{account}:log-group:{own}"
                yield from (Deployed(found.type, group + end) for end in ("", ":*"))
            elif found.type in _REGIONAL:
                yield Deployed(found.type, f"arn:aws:{_REGIONAL[found.type].format(f'{aws.region}:{account}', own)}")
            elif found.type in _GLOBAL:
                yield Deployed(found.type, f"arn:aws:{_GLOBAL[found.type].format(account, own)}")


def _name(found: stack.Resource) -> str:
    """Give a resource's name, where its physical id is more than that."""
    if found.type == "AWS::SQS::Queue":
        return found.physical_id.rpartition("/")[2]
    if found.type == "AWS::WAFv2::WebACL":
        return "/".join(found.physical_id.split("|")[:2])
    return found.physical_id
