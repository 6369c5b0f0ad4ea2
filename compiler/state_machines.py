"""A Step Functions state machine with what belongs to it: its log group, its role, and when a task is tried again."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from troposphere import GetAtt, Partition, Sub
from troposphere.awslambda import Function
from troposphere.iam import Policy, Role
from troposphere.logs import LogGroup
from troposphere.stepfunctions import (
    CloudWatchLogsLogGroup,
    LogDestination,
    LoggingConfiguration,
    StateMachine,
    TracingConfiguration,
)

from compiler import names, policy
from compiler.component import Component, Export
from schemas.migration import Migration

State = dict[str, Any]

FUNCTION = "${Function}"
"""Stands for the function's ARN in a definition."""

PARTITION = "${Partition}"
"""Stands for `aws`, or what it is called elsewhere, in the resources that a definition names."""

NOT_RUN = ("Lambda.TooManyRequestsException",)
"""The function was not started."""
DIED = (
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
)
"""Nobody knows whether the function ran, and how far it came. What the function raises itself is none of these."""

_DELIVERY = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
]
_TRACING = [
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
]


def state_machine(
    component: Component,
    title: str,
    migration: Migration,
    logs_key: Export,
    *,
    cause: str,
    function: Function,
    definition: Mapping[str, Any],
    rights: Sequence[policy.Statement] = (),
) -> StateMachine:
    """Add a state machine that works by one function.

    Args:
        component: the component it belongs to.
        title: the logical id; its log group and role are `<title>Logs` and `<title>Role`.
        migration: the spec.
        logs_key: encrypts its log.
        cause: the spec path it comes from.
        function: what its tasks invoke, called `FUNCTION` in the definition.
        definition: in Amazon States Language.
        rights: what its role may do, besides invoking, logging and tracing.
    """
    logs = component.add(
        LogGroup(f"{title}Logs", KmsKeyId=component.use(logs_key), RetentionInDays=policy.LOG_RETENTION_DAYS), cause
    )
    document = policy.document(
        policy.allow("lambda:InvokeFunction", GetAtt(function, "Arn")),
        # Neither the delivery of logs nor X-Ray knows resources to name.
        policy.allow(_DELIVERY, "*"),
        policy.allow(_TRACING, "*"),
        *rights,
    )
    role = component.add(
        Role(
            f"{title}Role",
            AssumeRolePolicyDocument=policy.trust("states.amazonaws.com", policy.SAME_ACCOUNT),
            Policies=[Policy(PolicyName="StateMachine", PolicyDocument=document)],
        ),
        cause,
        Policies=f"{cause} {names.FULL_NAME}",
    )
    destination = LogDestination(CloudWatchLogsLogGroup=CloudWatchLogsLogGroup(LogGroupArn=GetAtt(logs, "Arn")))
    return component.add(
        StateMachine(
            title,
            StateMachineName=names.state_machine(migration, title),
            StateMachineType="STANDARD",
            Definition=dict(definition),
            DefinitionSubstitutions={"Function": GetAtt(function, "Arn"), **_partition(definition)},
            LoggingConfiguration=LoggingConfiguration(
                Destinations=[destination], IncludeExecutionData=True, Level="ALL"
            ),
            RoleArn=GetAtt(role, "Arn"),
            TracingConfiguration=TracingConfiguration(Enabled=True),
        ),
        cause,
        StateMachineName=names.FULL_NAME,
    )


def task(parameters: Mapping[str, Any], **more: Any) -> State:
    """A state that invokes the function; what it answers is the state's result."""
    return {"Type": "Task", "Resource": FUNCTION, "Parameters": dict(parameters), **more}


def runs_itself(migration: Migration, title: str) -> list[policy.Statement]:
    """What the role of a machine with a distributed map needs: each item is an execution of its own."""
    states, name = (
        "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}",
        names.state_machine(migration, title),
    )
    return [
        policy.allow("states:StartExecution", Sub(f"{states}:stateMachine:{name}")),
        policy.allow(["states:DescribeExecution", "states:StopExecution"], Sub(f"{states}:execution:{name}:*")),
    ]


def again(errors: Sequence[str], *, seconds: int, attempts: int, factor: float = 1.0) -> State:
    """A retrier: so many times, first after so many seconds, each time after `factor` times as many."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": seconds,
        "MaxAttempts": attempts,
        "BackoffRate": factor,
        "JitterStrategy": "FULL" if factor > 1 else "NONE",
    }


def _partition(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {"Partition": Partition} if PARTITION in json.dumps(definition) else {}
