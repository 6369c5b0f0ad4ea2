"""The group through which the load balancer calls a function."""

from troposphere import AccountId, Ref, Sub
from troposphere.awslambda import Permission
from troposphere.elasticloadbalancingv2 import Matcher, TargetDescription, TargetGroup

from compiler.component import Component

HEALTH_PATH = "/health"
_HEALTH_TIMEOUT = 30
_HEALTH_INTERVAL = 35


def target_group(component: Component, alias: Ref, cause: str) -> TargetGroup:
    """Add the group and the permission of the load balancer to call a function.

    Args:
        component: where.
        alias: the ARN of the function's alias.
        cause: the spec path of the function.
    """
    permission = component.add(
        Permission(
            "InvokePermission",
            Action="lambda:InvokeFunction",
            FunctionName=alias,
            Principal="elasticloadbalancing.amazonaws.com",
            SourceAccount=AccountId,
            # The group registers its target while it is created, so the permission can't wait for the group's ARN.
            SourceArn=Sub("arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/*"),
        ),
        cause,
    )
    return component.add(
        TargetGroup(
            "TargetGroup",
            TargetType="lambda",
            Targets=[TargetDescription(Id=alias)],
            HealthCheckEnabled=True,
            HealthCheckPath=HEALTH_PATH,
            HealthCheckIntervalSeconds=_HEALTH_INTERVAL,
            HealthCheckTimeoutSeconds=_HEALTH_TIMEOUT,
            Matcher=Matcher(HttpCode="200"),
            DependsOn=permission.title,
        ),
        cause,
    )
