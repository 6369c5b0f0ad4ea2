"""The comparison of large tables, spread over many invocations: the state machine, and the bucket of the results."""

from typing import Any

from troposphere import Ref, Sub
from troposphere.awslambda import Function
from troposphere.s3 import Bucket, BucketPolicy
from troposphere.stepfunctions import StateMachine

from compiler import policy
from compiler.buckets import log_bucket, whole
from compiler.component import Component, Export
from compiler.state_machines import NOT_RUN, PARTITION, again, runs_itself, state_machine, task
from schemas.migration import Migration

AT_ONCE = 4
"""Parts that are compared at the same time, with two connections each to either database."""

_FINAL = ("BadWish", "InsufficientPrivilege", "Mismatch", "NotConfigured", "NothingToCompare", "PartOutdated")
"""What the function raises where asking again would give the same answer."""

_CAUSE = "validation.full"
_TITLE = "Compare"
_DAYS = 400


def bucket(component: Component, key: Any) -> Bucket:
    """Add the bucket: a comparison that was begun, what each part found, and the reports; values are never in it."""
    made = log_bucket(component, "Comparisons", cause=_CAUSE, days=_DAYS, key=key)
    component.add(
        BucketPolicy(
            "ComparisonsPolicy",
            Bucket=Ref(made),
            PolicyDocument=policy.document(policy.tls_only(*whole(made))),
        ),
        _CAUSE,
    )
    return made


def keep(made: Ref, key: Any) -> list[policy.Statement]:
    """The right to keep comparisons in a bucket, by its name, and to read them again."""
    return [
        policy.allow(["s3:GetObject", "s3:PutObject"], _arn(made, "/*")),
        policy.allow("s3:ListBucket", _arn(made)),
        policy.allow(["kms:Decrypt", "kms:GenerateDataKey"], key, policy.through("s3")),
    ]


def machine(
    component: Component, migration: Migration, logs_key: Export, function: Function, made: Ref, key: Any
) -> StateMachine:
    """Add the machine."""
    return state_machine(
        component,
        _TITLE,
        migration,
        logs_key,
        cause=_CAUSE,
        function=function,
        definition=comparing(),
        rights=[
            *runs_itself(migration, _TITLE),
            policy.allow("s3:GetObject", _arn(made, "/runs/*")),
            policy.allow(
                ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
                _arn(made, "/maps/*"),
            ),
            policy.allow(["kms:Decrypt", "kms:GenerateDataKey"], key, policy.through("s3")),
        ],
    )


def _arn(made: Ref, rest: str = "") -> Sub:
    return Sub(f"arn:${{AWS::Partition}}:s3:::${{{made.data['Ref']}}}{rest}")


def comparing() -> dict[str, Any]:
    """The machine that compares, in Amazon States Language: plan, a map over the parts that are left, gather.

    Its input is `{}`, or a wish as `runtime_lambdas.validation.wish` reads it. Comparing only reads, and each step may
    be repeated, so every failure of a part is tried again but those that a repetition can't mend. An execution that
    failed or was stopped is followed by a new one, which goes on with what is left.
    """
    planned = {"run.$": "$.run", "wish.$": "$.wish"}
    retry = [
        {"ErrorEquals": list(_FINAL), "MaxAttempts": 0},
        again(NOT_RUN, seconds=2, attempts=6, factor=2.0),
        again(("States.ALL",), seconds=5, attempts=4, factor=2.0),
    ]
    part = task(
        {"step": "part", **planned, "part.$": "$.part"},
        ResultPath="$.last",
        Retry=retry,
        Next="Finished?",
    )
    return {
        "Comment": "Compares both databases, part by part, many parts at a time.",
        "StartAt": "Plan",
        "States": {
            "Plan": task(
                {"step": "plan", "execution.$": "$$.Execution.Name", "wish.$": "$"}, Retry=retry, Next="Left?"
            ),
            "Left?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.left", "NumericEquals": 0, "Next": "Gather"}],
                "Default": "Parts",
            },
            "Parts": {
                "Type": "Map",
                "Label": "Parts",
                "ItemReader": {
                    "Resource": f"arn:{PARTITION}:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSONL"},
                    "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.list"},
                },
                "ItemSelector": {**planned, "part.$": "$$.Map.Item.Value"},
                "MaxConcurrency": AT_ONCE,
                "ToleratedFailurePercentage": 0,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Part",
                    "States": {
                        "Part": part,
                        "Finished?": {
                            "Type": "Choice",
                            "Choices": [{"Variable": "$.last.finished", "BooleanEquals": True, "Next": "Compared"}],
                            "Default": "Part",
                        },
                        "Compared": {"Type": "Pass", "OutputPath": "$.last", "End": True},
                    },
                },
                "ResultWriter": {
                    "Resource": f"arn:{PARTITION}:states:::s3:putObject",
                    "Parameters": {"Bucket.$": "$.bucket", "Prefix": "maps"},
                },
                "ResultPath": None,
                "Next": "Gather",
            },
            "Gather": task({"step": "gather", "execution.$": "$$.Execution.Name", **planned}, Retry=retry, End=True),
        },
    }
