"""The dashboard: what somebody watches while the traffic moves."""

import json
from typing import Any

from troposphere import Sub

from compiler import names
from compiler.alarms import LAG, MISMATCHES, SLOT
from compiler.component import Component, Export
from compiler.components.api import ApiExports
from compiler.components.database import DatabaseExports
from compiler.components.load_balancer import LoadBalancerExports
from compiler.components.replication import ReplicationExports
from schemas.migration import Migration

_WIDTH = 12
_HEIGHT = 6


def body(
    component: Component,
    migration: Migration,
    database: DatabaseExports,
    api: ApiExports,
    load_balancer: LoadBalancerExports,
    replication: ReplicationExports,
) -> Sub:
    """Write the dashboard's JSON, its names filled in when it is deployed."""

    def name(value: Export | str) -> str:
        return f"${{{component.use(value).data['Ref']}}}" if isinstance(value, Export) else value

    balancer = ["LoadBalancer", name(load_balancer.full_name)]
    cluster = ["DBClusterIdentifier", name(database.cluster)]
    function = ["FunctionName", name(api.function)]
    elb, rds, functions = "AWS/ApplicationELB", "AWS/RDS", "AWS/Lambda"
    widgets = [
        (
            "Requests and failures",
            "Sum",
            [
                [elb, metric, *balancer]
                for metric in ("RequestCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count")
            ],
        ),
        ("Latency, one in a hundred", "p99", [[elb, "TargetResponseTime", *balancer]]),
        (
            "Executions",
            "Maximum",
            [
                [functions, metric, *function]
                for metric in ("ConcurrentExecutions", "ProvisionedConcurrentExecutions", "Throttles", "Errors")
            ],
        ),
        (
            "Database",
            "Maximum",
            [[rds, metric, *cluster] for metric in ("ServerlessDatabaseCapacity", "DatabaseConnections")],
        ),
        (
            "Differences found by validation",
            "Maximum",
            [[names.metric_namespace(), MISMATCHES, "Migration", migration.full_name]],
        ),
    ]
    own = [names.metric_namespace(), "Migration", migration.full_name]
    lag = [[own[0], LAG, *own[1:]]]
    if replication.task is not None:
        dimensions = [part for key, value in replication.dimensions for part in (key, name(value))]
        lag = [["AWS/DMS", metric, *dimensions] for metric in ("CDCLatencySource", "CDCLatencyTarget")]
    widgets.append(("Replication lag, seconds", "Maximum", lag))
    widgets.append(("Log kept for the replication, bytes", "Maximum", [[own[0], SLOT, *own[1:]]]))
    content = {"widgets": [_widget(number, *widget) for number, widget in enumerate(widgets)]}
    return Sub(json.dumps(content, sort_keys=True))


def _widget(number: int, title: str, statistic: str, metrics: list[list[str]]) -> dict[str, Any]:
    row, column = divmod(number, 2)
    return {
        "type": "metric",
        "x": column * _WIDTH,
        "y": row * _HEIGHT,
        "width": _WIDTH,
        "height": _HEIGHT,
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "stat": statistic,
            "period": 60,
            "view": "timeSeries",
            "metrics": metrics,
        },
    }
