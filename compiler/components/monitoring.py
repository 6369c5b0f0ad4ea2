"""Who is told what: topic, alarms, the alarm that asks for the way back, dashboard."""

from typing import NamedTuple

from troposphere import AccountId, GetAtt, Join, Ref
from troposphere.cloudwatch import CompositeAlarm, Dashboard
from troposphere.dms import EventSubscription
from troposphere.events import Rule, Target
from troposphere.sns import SubscriptionResource, Topic, TopicPolicy

from compiler import names, policy, spread
from compiler.alarms import Alarms
from compiler.audit import audit
from compiler.component import Component, Export
from compiler.components.api import ApiExports
from compiler.components.database import DatabaseExports
from compiler.components.load_balancer import LoadBalancerExports
from compiler.components.network import NetworkExports
from compiler.components.replication import ReplicationExports
from compiler.dashboard import body
from schemas.migration import Migration

_EVENTS = "monitoring.notify replication"


class MonitoringExports(NamedTuple):
    """Where others publish to, what they listen to, and the bucket in which comparisons are kept."""

    topic: Export
    comparisons: Export
    rollback_alarm: Export
    dashboard: Export
    alarms: Export


def monitoring(
    migration: Migration,
    network: NetworkExports,
    database: DatabaseExports,
    api: ApiExports,
    load_balancer: LoadBalancerExports,
    replication: ReplicationExports,
) -> tuple[Component, MonitoringExports]:
    """Build topic, alarms and dashboard."""
    component = Component("Monitoring", "Topic, alarms and dashboard.", names.tags(migration))
    topic = _topic(component, migration, network)
    alarms = Alarms(component, migration, Ref(topic))
    serving = alarms.of_api(api, load_balancer)
    key = component.use(network.logs_key)
    comparisons = spread.bucket(component, key)
    audit(component, migration, key=key, watched=[component.use(load_balancer.access_logs), GetAtt(comparisons, "Arn")])
    added = [
        *serving,
        *alarms.of_database(database),
        *alarms.of_replication(replication),
        *alarms.of_edge(load_balancer),
        *alarms.of_validation(),
        *alarms.of_audit(),
    ]
    rollback = component.add(
        CompositeAlarm(
            "RollbackAlarm",
            AlarmDescription="Clients are served badly: set the weights back to the old API.",
            AlarmRule=Join(" OR ", [Join("", ['ALARM("', Ref(alarm), '")']) for alarm in serving]),
            AlarmActions=[Ref(topic)],
            OKActions=[Ref(topic)],
        ),
        "cutover.rollback",
    )
    _replication_events(component, migration, topic, replication)
    dashboard = component.add(
        Dashboard("Dashboard", DashboardBody=body(component, migration, database, api, load_balancer, replication)),
        "monitoring",
        DashboardBody=f"monitoring validation.every replication api database {names.FULL_NAME}",
    )
    return component, MonitoringExports(
        topic=component.offer("TopicArn", Ref(topic)),
        comparisons=component.offer("ComparisonsBucket", Ref(comparisons)),
        rollback_alarm=component.offer("RollbackAlarmArn", GetAtt(rollback, "Arn")),
        dashboard=component.offer("DashboardName", Ref(dashboard)),
        alarms=component.offer("AlarmNames", Join(",", [Ref(alarm) for alarm in (*added, rollback)])),
    )


def _replication_events(
    component: Component, migration: Migration, topic: Topic, replication: ReplicationExports
) -> None:
    if replication.task is None or replication.follow is None or replication.reverse is None:
        return
    if migration.replication.serverless is None:
        # The alarms' dimensions come from the task, so it exists before this names it.
        component.add(
            EventSubscription(
                "ReplicationEvents",
                SnsTopicArn=Ref(topic),
                SourceType="replication-task",
                SourceIds=[
                    names.replication(migration),
                    names.follow_replication(migration),
                    names.reverse_replication(migration),
                ],
                EventCategories=["configuration change", "creation", "deletion", "failure", "state change"],
                Enabled=True,
            ),
            _EVENTS,
            SourceIds=names.FULL_NAME,
        )
        return
    # No event subscription knows a serverless replication.
    component.add(
        Rule(
            "ReplicationEvents",
            Description="What happens to the replication.",
            EventPattern={
                "source": ["aws.dms"],
                "detail-type": ["DMS Replication State Change"],
                "resources": [
                    component.use(one) for one in (replication.task, replication.follow, replication.reverse)
                ],
            },
            Targets=[Target(Id="Topic", Arn=Ref(topic))],
        ),
        _EVENTS,
    )


def _topic(component: Component, migration: Migration, network: NetworkExports) -> Topic:
    topic = component.add(
        Topic("Topic", DisplayName=migration.full_name, KmsMasterKeyId=component.use(network.logs_key)),
        "monitoring.notify",
        DisplayName=names.FULL_NAME,
    )
    publish = policy.allow("sns:Publish", Ref(topic))
    alarms = {**policy.allow("sns:Publish", Ref(topic), policy.SAME_ACCOUNT), "Sid": "Alarms"}
    component.add(
        TopicPolicy(
            "TopicPolicy",
            Topics=[Ref(topic)],
            PolicyDocument=policy.document(
                {**alarms, "Principal": {"Service": "cloudwatch.amazonaws.com"}},
                # Neither tells on whose behalf it speaks.
                {
                    **publish,
                    "Sid": "ReplicationEvents",
                    "Principal": {"Service": ["dms.amazonaws.com", "events.amazonaws.com"]},
                },
                {
                    **policy.allow("sns:Publish", Ref(topic), {"StringEquals": {"aws:PrincipalAccount": AccountId}}),
                    "Sid": "Account",
                    "Principal": {"AWS": policy.ACCOUNT_ROOT},
                },
                policy.tls_only(Ref(topic), action="sns:Publish"),
            ),
        ),
        "monitoring.notify",
    )
    for number, recipient in enumerate(migration.monitoring.notify, 1):
        for protocol in ("email", "https", "sms"):
            if (endpoint := getattr(recipient, protocol)) is not None:
                component.add(
                    SubscriptionResource(
                        f"Recipient{number}", TopicArn=Ref(topic), Protocol=protocol, Endpoint=endpoint
                    ),
                    f"monitoring.notify.{number - 1}",
                    Endpoint=f"monitoring.notify.{number - 1}.{protocol}",
                )
    return topic
