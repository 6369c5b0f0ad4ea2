"""The alarms, each with what a missing value means."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from troposphere import Ref, Region
from troposphere.cloudwatch import Alarm, Metric, MetricDataQuery, MetricDimension, MetricStat

from compiler import audit, names
from compiler.component import Component, Export
from compiler.components.api import ApiExports
from compiler.components.database import DatabaseExports
from compiler.components.load_balancer import LoadBalancerExports
from compiler.components.replication import ReplicationExports
from schemas.migration import Migration

Missing = Literal["breaching", "ignore", "notBreaching"]

MISMATCHES = "ValidationMismatches"
"""The metric the validation function publishes after each comparison: how many differences it found."""

_MINUTE = 60
_DAY = 86_400
_ACU_BYTES = 2 * 2**30
_BYTES_PER_CONNECTION = 9_531_392  # Aurora's own formula for max_connections
_MOST_CONNECTIONS = 5000
_MOST_CONNECTIONS_OF_SMALL = 2000  # with a least capacity of half a unit
_BLOCKED_REQUESTS = 1000
_CERTIFICATE_DAYS = 30
LAG = "ReplicationLagSeconds"
"""The metric the validation function publishes: how old the newest change is that arrived."""

SLOT = "ReplicationSlotBytes"
"""The metric the validation function publishes: how much of its log the source keeps for the replication."""


class Alarms:
    """Adds alarms that tell one topic.

    Args:
        component: the monitoring component.
        migration: the spec.
        topic: the ARN of the topic.
    """

    def __init__(self, component: Component, migration: Migration, topic: Ref) -> None:
        self._component = component
        self._migration = migration
        self._topic = topic

    def of_api(self, api: ApiExports, load_balancer: LoadBalancerExports) -> list[Alarm]:
        """Alarms on how clients are served: error rate, slow answers, refusals. Without traffic none of them fires.

        The error rate is that of all requests, whichever function they are for.
        """
        use = self._component.use
        balancer = {"LoadBalancer": use(load_balancer.full_name)}
        target = {**balancer, "TargetGroup": use(load_balancer.target_group_full_name)}
        errors = self._add(
            "ErrorRate",
            "The share of requests that fail, in percent.",
            "monitoring.alarms.error_rate",
            float(self._migration.monitoring.alarms.error_rate),
            "notBreaching",
            Metrics=_error_rate(balancer),
        )
        return [errors, *self.of_function(use(api.function), target, "api")]

    def of_function(self, function: Ref, target: Mapping[str, Any], cause: str) -> list[Alarm]:
        """Alarms on one function behind the load balancer: slow answers and refusals.

        Args:
            function: its name.
            target: the dimensions of its target group.
            cause: its path in the spec.
        """
        return [
            self._add(
                "Latency",
                "One request in a hundred takes longer, in seconds.",
                "monitoring.alarms.p99_latency",
                self._migration.monitoring.alarms.p99_latency / timedelta(seconds=1),
                "notBreaching",
                f"monitoring.alarms {cause}",
                **_metric("AWS/ApplicationELB", "TargetResponseTime", target),
                ExtendedStatistic="p99",
                EvaluateLowSampleCountPercentile="ignore",
            ),
            self._add(
                "Throttles",
                "Requests refused because every reserved execution was busy.",
                f"{cause}.scaling.reserved",
                0,
                "notBreaching",
                f"monitoring.alarms {cause}",
                **_metric("AWS/Lambda", "Throttles", {"FunctionName": function}),
                Statistic="Sum",
            ),
        ]

    def of_database(self, database: DatabaseExports) -> list[Alarm]:
        """Alarms on the target. A database that says nothing is one in trouble."""
        cluster = {"DBClusterIdentifier": self._component.use(database.cluster)}
        capacity = self._migration.database.capacity
        most = _MOST_CONNECTIONS_OF_SMALL if capacity.min < 1 else _MOST_CONNECTIONS
        connections = min(most, int(capacity.max * _ACU_BYTES / _BYTES_PER_CONNECTION))
        return [
            self._add(
                "DatabaseConnections",
                "Four fifths of the connections the largest capacity allows are in use.",
                "database.capacity",
                connections * 4 // 5,
                "breaching",
                **_metric("AWS/RDS", "DatabaseConnections", cluster),
                Statistic="Maximum",
            ),
            self._add(
                "DatabaseCapacity",
                "The share of the largest capacity in use, in percent.",
                "database.capacity.max",
                90,
                "breaching",
                **_metric("AWS/RDS", "ACUUtilization", cluster),
                Statistic="Maximum",
            ),
            self._add(
                "DatabaseMemory",
                "A twentieth of the largest capacity's memory is left, in bytes.",
                "database.capacity.max",
                int(capacity.max * _ACU_BYTES / 20),
                "breaching",
                **_metric("AWS/RDS", "FreeableMemory", cluster),
                Statistic="Minimum",
                ComparisonOperator="LessThanThreshold",
            ),
        ]

    def of_replication(self, replication: ReplicationExports) -> list[Alarm]:
        """Alarms on lag and on the log that the source keeps. A replication that reports no lag replicates nothing."""
        if replication.task is None:
            return [self._logical_lag(), self._slot()]
        of_task = {
            name: self._component.use(value) if isinstance(value, Export) else value
            for name, value in replication.dimensions
        }
        return [
            self._add(
                "ReplicationLag",
                "The target is this far behind, in seconds.",
                "monitoring.alarms.replication_lag",
                self._migration.monitoring.alarms.replication_lag / timedelta(seconds=1),
                "breaching",
                **_metric("AWS/DMS", "CDCLatencyTarget", of_task),
                Statistic="Maximum",
            ),
            self._add(
                "SourceLag",
                "The source's log is read this late, in seconds; what is not read fills the source's disk.",
                "monitoring.alarms.replication_lag",
                self._migration.monitoring.alarms.replication_lag / timedelta(seconds=1),
                "breaching",
                "monitoring.alarms replication",
                **_metric("AWS/DMS", "CDCLatencySource", of_task),
                Statistic="Maximum",
            ),
            self._slot(),
        ]

    def _logical_lag(self) -> Alarm:
        thresholds = self._migration.monitoring.alarms
        return self._add(
            "ReplicationLag",
            "The target is this far behind, in seconds.",
            "monitoring.alarms.replication_lag",
            thresholds.replication_lag / timedelta(seconds=1),
            "breaching",
            **self._validated(LAG),
            Statistic="Maximum",
            EvaluationPeriods=3,
            DatapointsToAlarm=2,
        )

    def _slot(self) -> Alarm:
        return self._add(
            "SlotSize",
            "The source keeps this much log for the replication, in bytes; its disk may fill.",
            "monitoring.alarms.slot_size",
            self._migration.monitoring.alarms.slot_size,
            "notBreaching",  # without a slot nothing is kept, and ReplicationLag tells that nothing is replicated
            **self._validated(SLOT),
            Statistic="Maximum",
            EvaluationPeriods=1,
            DatapointsToAlarm=1,
        )

    def _validated(self, metric: str) -> dict[str, Any]:
        """A metric that the validation function publishes each time it runs: its period is as long."""
        every = self._migration.validation.every // timedelta(minutes=1)
        found = _metric(names.metric_namespace(), metric, {"Migration": self._migration.full_name})
        return {**found, "Period": _period(every)}

    def of_edge(self, load_balancer: LoadBalancerExports) -> list[Alarm]:
        """Alarms on the firewall and the certificate."""
        firewall = {"WebACL": names.firewall_metric(self._migration), "Region": Region, "Rule": "ALL"}
        certificate = {"CertificateArn": self._component.use(load_balancer.certificate)}
        return [
            self._add(
                "FirewallBlocks",
                "The firewall refuses so many requests that it is an attack, or a rule that hits clients.",
                "security.waf",
                _BLOCKED_REQUESTS,
                "notBreaching",
                **_metric("AWS/WAFV2", "BlockedRequests", firewall),
                Statistic="Sum",
            ),
            self._add(
                "CertificateExpiry",
                "Days until the certificate expires; it should have been renewed long ago.",
                "routing.record",
                _CERTIFICATE_DAYS,
                # A new certificate reports only after a day, and an expired one never again: keep what was known.
                "ignore",
                **{**_metric("AWS/CertificateManager", "DaysToExpiry", certificate), "Period": _DAY},
                Statistic="Minimum",
                ComparisonOperator="LessThanThreshold",
                EvaluationPeriods=1,
                DatapointsToAlarm=1,
            ),
        ]

    def of_validation(self) -> list[Alarm]:
        """Alarms on the comparison: it found a difference, or it was not made."""
        metric = _metric(names.metric_namespace(), MISMATCHES, {"Migration": self._migration.full_name})
        age = self._migration.cutover.gates.validation_age // timedelta(seconds=1)
        periods = max(1, -(-age // _MINUTE))
        return [
            self._add(
                "ValidationMismatch",
                "Source and target differ.",
                "validation",
                0,
                "notBreaching",  # ValidationAge tells of a comparison that is missing
                **metric,
                Statistic="Maximum",
                EvaluationPeriods=1,
                DatapointsToAlarm=1,
            ),
            self._add(
                "ValidationAge",
                "No comparison was made for as long as the gates allow.",
                "cutover.gates.validation_age",
                1,
                "breaching",
                **{**metric, "Period": _period(periods)},
                Statistic="SampleCount",
                ComparisonOperator="LessThanThreshold",
                EvaluationPeriods=1,
                DatapointsToAlarm=1,
            ),
        ]

    def of_audit(self) -> list[Alarm]:
        """The alarm on attempts to blind the audit trail or to take a key away."""
        return [
            self._add(
                "AuditTampering",
                "Somebody in this account changed an audit trail, or disabled a key.",
                "monitoring",
                0,
                "notBreaching",
                Namespace=names.metric_namespace(),
                MetricName=audit.metric(self._migration),
                Period=_MINUTE,
                Statistic="Sum",
                EvaluationPeriods=1,
                DatapointsToAlarm=1,
            )
        ]

    def _add(
        self,
        name: str,
        description: str,
        cause: str,
        threshold: float,
        missing: Missing,
        made_by: str = "monitoring.alarms",
        **properties: Any,
    ) -> Alarm:
        """Add an alarm that looks at minutes: three bad ones of five, unless `properties` say otherwise.

        The threshold comes from `cause`, and the whole of it from `made_by`: spec paths both.
        """
        return self._component.add(
            Alarm(
                f"{name}Alarm",
                **{
                    "AlarmDescription": description,
                    "ComparisonOperator": "GreaterThanThreshold",
                    "Threshold": threshold,
                    "EvaluationPeriods": 5,
                    "DatapointsToAlarm": 3,
                    "TreatMissingData": missing,
                    "AlarmActions": [self._topic],
                    "OKActions": [self._topic],
                    **properties,
                },
            ),
            made_by,
            Threshold=cause,
            Period="validation.every cutover.gates.validation_age replication",
            **dict.fromkeys(("DatapointsToAlarm", "EvaluationPeriods", "Namespace"), "replication monitoring.alarms"),
            **dict.fromkeys(("Dimensions", "MetricName"), f"replication monitoring.alarms {names.FULL_NAME}"),
        )


def _period(minutes: int) -> int:
    """Round up to whole hours past an hour, as CloudWatch wants it; a day at most."""
    hour = 60 * _MINUTE
    seconds = minutes * _MINUTE
    return seconds if seconds <= hour else min(_DAY, -(-seconds // hour) * hour)


def _metric(namespace: str, name: str, dimensions: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [MetricDimension(Name=key, Value=value) for key, value in dimensions.items()],
        "Period": _MINUTE,
    }


def _error_rate(balancer: Mapping[str, Any]) -> list[MetricDataQuery]:
    dimensions = [MetricDimension(Name=key, Value=value) for key, value in balancer.items()]
    counts = {
        "requests": "RequestCount",
        "refused": "HTTPCode_ELB_5XX_Count",
        "failed": "HTTPCode_Target_5XX_Count",
    }
    # The balancer's own errors are no part of RequestCount when no target was reached.
    rate = "100 * (FILL(refused, 0) + FILL(failed, 0)) / (FILL(requests, 0) + FILL(refused, 0))"
    return [
        MetricDataQuery(
            Id="rate",
            Expression=rate,
            Label="Failed requests in percent",
            ReturnData=True,
        ),
        *(
            MetricDataQuery(
                Id=key,
                ReturnData=False,
                MetricStat=MetricStat(
                    Metric=Metric(Namespace="AWS/ApplicationELB", MetricName=name, Dimensions=dimensions),
                    Period=_MINUTE,
                    Stat="Sum",
                ),
            )
            for key, name in counts.items()
        ),
    ]
