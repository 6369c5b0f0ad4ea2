"""The comparison of both databases on a schedule, and the way back that an alarm takes by itself."""

import json
from datetime import timedelta
from typing import Any, NamedTuple

from troposphere import GetAtt, Join, Ref, Sub
from troposphere.awslambda import DestinationConfig, EventInvokeConfig, Function, OnFailure, Permission
from troposphere.cloudwatch import Alarm, MetricDimension
from troposphere.events import DeadLetterConfig as EventDeadLetterConfig
from troposphere.events import RetryPolicy as EventRetryPolicy
from troposphere.events import Rule
from troposphere.events import Target as EventTarget
from troposphere.iam import Policy, Role
from troposphere.scheduler import DeadLetterConfig, FlexibleTimeWindow, RetryPolicy, Schedule
from troposphere.scheduler import Target as ScheduleTarget
from troposphere.sqs import Queue, QueuePolicy

from compiler import databases, names, policy, spread
from compiler.assets import Assets
from compiler.component import Component, Export
from compiler.components.database import DatabaseExports
from compiler.components.monitoring import MonitoringExports
from compiler.components.network import NetworkExports
from compiler.components.routing import NEW, OLD, RoutingExports
from compiler.components.security import SecurityExports
from compiler.function import Foundations, Place, function, journal_rights, remember
from schemas.migration import Migration

_LONGEST = 900  # what Lambda allows at most, in seconds
_STACK = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/"
_RETENTION = 14 * 86_400
_ATTEMPTS = 2
_AT_ONCE = 2


class ValidationExports(NamedTuple):
    """The two functions, the machine that spreads a comparison, and the alarms."""

    validation: Export
    rollback: Export
    machine: Export
    alarms: Export


def validation(
    migration: Migration,
    assets: Assets,
    network: NetworkExports,
    security: SecurityExports,
    database: DatabaseExports,
    routing: RoutingExports,
    monitoring: MonitoringExports,
) -> tuple[Component, ValidationExports]:
    """Build the comparison and the automatic way back."""
    component = Component("Validation", "Comparison of both databases, and the way back.", names.tags(migration))
    foundations = Foundations(migration, assets, security.data_key, network.logs_key)
    key = component.use(network.logs_key)
    queue = component.add(Queue("DeadLetters", KmsMasterKeyId=key, MessageRetentionPeriod=_RETENTION), "validation")
    bury = [
        policy.allow("sqs:SendMessage", GetAtt(queue, "Arn")),
        policy.allow(["kms:Decrypt", "kms:GenerateDataKey"], key, policy.through("sqs")),
    ]
    bucket = component.use(monitoring.comparisons)
    compare = _validation(component, foundations, network, security, database, bury, bucket)
    machine = spread.machine(component, migration, network.logs_key, compare, bucket, key)
    back = _rollback(component, foundations, database, routing, monitoring, key, bury)
    for code in (compare, back):
        component.add(
            EventInvokeConfig(
                f"{code.title}Failures",
                FunctionName=Ref(code),
                Qualifier="$LATEST",
                MaximumRetryAttempts=_ATTEMPTS,
                DestinationConfig=DestinationConfig(OnFailure=OnFailure(Destination=GetAtt(queue, "Arn"))),
            ),
            "validation",
        )
    _schedule(component, migration, compare, queue, bury)
    rules = _on_alarm(component, monitoring, back, queue) if migration.cutover.rollback.automatic else []
    _queue_policy(component, queue, rules)
    topic = component.use(monitoring.topic)
    undelivered = {"QueueName": GetAtt(queue, "QueueName")}
    alarms = [
        *(
            _alarm(component, f"{code.title}Errors", "AWS/Lambda", "Errors", {"FunctionName": Ref(code)}, topic)
            for code in (compare, back)
        ),
        _alarm(component, "Undelivered", "AWS/SQS", "ApproximateNumberOfMessagesVisible", undelivered, topic),
    ]
    return component, ValidationExports(
        validation=component.offer("ValidationFunctionArn", GetAtt(compare, "Arn")),
        rollback=component.offer("RollbackFunctionArn", GetAtt(back, "Arn")),
        machine=component.offer("ComparisonStateMachineArn", Ref(machine)),
        alarms=component.offer("AlarmNames", Join(",", [Ref(alarm) for alarm in alarms])),
    )


def _validation(
    component: Component,
    foundations: Foundations,
    network: NetworkExports,
    security: SecurityExports,
    database: DatabaseExports,
    bury: list[policy.Statement],
    bucket: Any,
) -> Function:
    migration = foundations.migration
    login = databases.Login(database.endpoint, database.port, database.validation_secret, security.secrets_key)
    namespace = names.metric_namespace()
    return function(
        component,
        "Validation",
        foundations,
        cause="validation",
        description="Compares source and target.",
        asset="validation",
        handler="validation.handler.handler",
        environment={
            **databases.variables(component, migration, login),
            "COMPARISONS_BUCKET": bucket,
            "METRIC_NAMESPACE": namespace,
        },
        rights=[
            *databases.rights(component, login),
            policy.allow("cloudwatch:PutMetricData", "*", {"StringEquals": {"cloudwatch:namespace": namespace}}),
            remember(migration, "comparison"),
            *spread.keep(bucket, component.use(network.logs_key)),
            *bury,
        ],
        layers=[component.use(database.runtime_layer), component.use(database.certificates_layer)],
        place=Place(network.private_subnets, security.control_group),
        memory=1024,
        timeout=_LONGEST,
        reserved=_AT_ONCE + spread.AT_ONCE,
        causes={"Code": "validation.invariants replication.tables", **databases.CAUSES},
    )


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _rollback(
    component: Component,
    foundations: Foundations,
    database: DatabaseExports,
    routing: RoutingExports,
    monitoring: MonitoringExports,
    key: Any,
    bury: list[policy.Statement],
) -> Function:
    record = component.use(routing.record)
    zone_id = foundations.migration.routing.hosted_zone
    zone = Sub(f"arn:${{AWS::Partition}}:route53:::hostedzone/{zone_id}")
    only_weights = {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": [record],
            "route53:ChangeResourceRecordSetsRecordTypes": [routing.record_type],
        }
    }
    topic = component.use(monitoring.topic)
    return function(
        component,
        "Rollback",
        foundations,
        cause="cutover.rollback",
        description="Sets the weights back to the old API.",
        asset="rollback",
        handler="rollback.handler.handler",
        environment={
            "HOSTED_ZONE_ID": zone_id,
            "NEW_SET_IDENTIFIER": NEW,
            "OLD_SET_IDENTIFIER": OLD,
            "RECORD_NAME": record,
            "RECORD_TYPE": routing.record_type,
            "TOPIC_ARN": topic,
        },
        rights=[
            policy.allow("route53:ChangeResourceRecordSets", zone, only_weights),
            policy.allow("route53:ListResourceRecordSets", zone),
            policy.allow("route53:GetChange", Sub("arn:${AWS::Partition}:route53:::change/*")),
            *journal_rights(foundations.migration),
            # Void what an older deploy proposed, and watch what one is doing to the record.
            policy.allow(
                ["cloudformation:DeleteChangeSet", "cloudformation:DescribeStacks", "cloudformation:ListChangeSets"],
                Sub(_STACK + foundations.migration.full_name + "/*"),
            ),
            policy.allow("sns:Publish", topic),
            policy.allow(["kms:Decrypt", "kms:GenerateDataKey"], key, policy.through("sns")),
            *bury,
        ],
        layers=[component.use(database.runtime_layer)],
        timeout=_LONGEST,
        # The way back is open however busy the account is.
        reserved=_AT_ONCE,
        causes={
            "Environment.Variables.HOSTED_ZONE_ID": "routing.hosted_zone",
            "Environment.Variables.RECORD_NAME": "routing.record",
            "Environment.Variables.RECORD_TYPE": "source.api",
        },
        rights_from="routing source.api",
    )


def _schedule(
    component: Component, migration: Migration, code: Function, queue: Queue, bury: list[policy.Statement]
) -> None:
    invoke = policy.allow("lambda:InvokeFunction", GetAtt(code, "Arn"))
    role = component.add(
        Role(
            "ScheduleRole",
            AssumeRolePolicyDocument=policy.trust("scheduler.amazonaws.com", policy.SAME_ACCOUNT),
            Policies=[Policy(PolicyName="Invoke", PolicyDocument=policy.document(invoke, *bury))],
        ),
        "validation.every",
    )
    for name, every, request, path in (
        ("Changes", migration.validation.every, {"full": False}, "validation.every"),
        ("Everything", migration.validation.full, {"full": True}, "validation.full"),
    ):
        minutes = every // timedelta(minutes=1)
        component.add(
            Schedule(
                f"{name}Schedule",
                Description="When the databases are compared.",
                ScheduleExpression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
                FlexibleTimeWindow=FlexibleTimeWindow(Mode="OFF"),
                Target=ScheduleTarget(
                    Arn=GetAtt(code, "Arn"),
                    RoleArn=GetAtt(role, "Arn"),
                    Input=_json(request),
                    DeadLetterConfig=DeadLetterConfig(Arn=GetAtt(queue, "Arn")),
                    # The next comparison is never far: an old one is not worth repeating.
                    RetryPolicy=RetryPolicy(MaximumEventAgeInSeconds=300, MaximumRetryAttempts=_ATTEMPTS),
                ),
            ),
            path,
        )


def _on_alarm(component: Component, monitoring: MonitoringExports, code: Function, queue: Queue) -> list[Rule]:
    cause = "cutover.rollback.automatic"
    rule = component.add(
        Rule(
            "RollbackRule",
            Description="The rollback alarm sets the weights back.",
            EventPattern={
                "source": ["aws.cloudwatch"],
                "detail-type": ["CloudWatch Alarm State Change"],
                "resources": [component.use(monitoring.rollback_alarm)],
                "detail": {"state": {"value": ["ALARM"]}},
            },
            Targets=[
                EventTarget(
                    Id="Rollback",
                    Arn=GetAtt(code, "Arn"),
                    DeadLetterConfig=EventDeadLetterConfig(Arn=GetAtt(queue, "Arn")),
                    RetryPolicy=EventRetryPolicy(MaximumEventAgeInSeconds=3600, MaximumRetryAttempts=10),
                )
            ],
        ),
        cause,
    )
    component.add(
        Permission(
            "RollbackPermission",
            Action="lambda:InvokeFunction",
            FunctionName=GetAtt(code, "Arn"),
            Principal="events.amazonaws.com",
            SourceArn=GetAtt(rule, "Arn"),
        ),
        cause,
    )
    return [rule]


def _queue_policy(component: Component, queue: Queue, rules: list[Rule]) -> None:
    statements = [policy.tls_only(GetAtt(queue, "Arn"), action="sqs:*")]
    statements += [
        {
            "Sid": "Rules",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": GetAtt(queue, "Arn"),
            "Condition": {"ArnEquals": {"aws:SourceArn": GetAtt(rule, "Arn")}},
        }
        for rule in rules
    ]
    component.add(
        QueuePolicy("DeadLettersPolicy", Queues=[Ref(queue)], PolicyDocument=policy.document(*statements)),
        "validation",
    )


def _alarm(
    component: Component, title: str, namespace: str, metric: str, dimensions: dict[str, Any], topic: Any
) -> Alarm:
    """Add an alarm that fires at the first failure; nothing to report is good news."""
    return component.add(
        Alarm(
            f"{title}Alarm",
            AlarmDescription="Validation or rollback failed, or could not be started.",
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[MetricDimension(Name=name, Value=value) for name, value in dimensions.items()],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0,
            TreatMissingData="notBreaching",
            AlarmActions=[topic],
            OKActions=[topic],
        ),
        "validation",
    )
