"""Reading what the gates judge: metrics and the states of alarms."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from compiler import names
from compiler.alarms import MISMATCHES
from paymig.aws import stack
from paymig.aws.session import Aws
from paymig.gates.evaluate import WINDOW
from paymig.gates.gate import Position, Readings, Sample
from schemas.migration import Migration

EQUAL, LAG = "ValidationEqual", "ReplicationLagSeconds"
"""Metrics of the validation function, besides `MISMATCHES`: 1 for a comparison that found both databases equal, and how
far the target was behind."""

_MINUTE = 60
_FAILURES = ("HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count")
_BALANCER = "AWS/ApplicationELB"
_NAMES_A_CALL = 100

Samples = Sequence[Sample]


def read(aws: Aws, migration: Migration, position: Position, now: datetime | None = None) -> Readings:
    """Read everything that the gates of a migration judge.

    Args:
        aws: where.
        migration: whose gates.
        position: where the traffic stands: requests are counted since then.
        now: until when; None for the present.
    """
    now = now or datetime.now(UTC)
    root = stack.describe(aws, migration.full_name)
    outputs = root.outputs if root else {}
    expected = frozenset(filter(None, outputs.get("AlarmNames", "").split(","))) if root else None
    since = max(position.since or now - WINDOW, now - WINDOW)
    found = _metrics(aws, migration, outputs.get("LoadBalancerName"), min(since, now - _lookback(migration)), now)
    since = since.replace(second=0, microsecond=0)  # a sample bears the beginning of its minute
    requests = [sample for sample in found["requests"] if sample.at >= since]
    refused, failed = ([s for s in found[name] if s.at >= since] for name in _FAILURES)
    # The balancer's own errors are no part of RequestCount when no target was reached.
    counted = [sample for sample in (*requests, *refused) if sample.value]
    equal = _newest(sample for sample in found[EQUAL] if sample.value > 0)
    return Readings(
        lag=_newest(found[LAG]),
        equal=equal.at if equal else None,
        differing=_newest(found[MISMATCHES]),
        alarms=_states(aws, sorted(expected or ())),
        expected=expected,
        requests=_total(counted),
        failures=_total((*refused, *failed)),
        last_request=max((sample.at for sample in counted), default=None),
    )


def _lookback(migration: Migration) -> timedelta:
    """How far back a value may lie that still says something, or whose age is worth being told."""
    return 2 * max(migration.cutover.gates.validation_age, migration.validation.every, WINDOW)


def _metrics(
    aws: Aws, migration: Migration, balancer: str | None, start: datetime, end: datetime
) -> dict[str, Samples]:
    own = {"Migration": migration.full_name}
    queries = [_query(names.metric_namespace(), name, own, "Maximum") for name in (EQUAL, LAG, MISMATCHES)]
    labels = [EQUAL, LAG, MISMATCHES]
    if balancer is not None:
        counts = ("RequestCount", *_FAILURES)
        queries += [_query(_BALANCER, name, {"LoadBalancer": balancer}, "Sum") for name in counts]
        labels += ["requests", *_FAILURES]
    found: dict[str, list[Sample]] = {label: [] for label in (EQUAL, LAG, MISMATCHES, "requests", *_FAILURES)}
    pages = (
        aws.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(
            MetricDataQueries=[{"Id": f"m{number}", **query} for number, query in enumerate(queries)],
            StartTime=start,
            EndTime=end + timedelta(seconds=_MINUTE),
        )
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            label = labels[int(result["Id"].removeprefix("m"))]
            found[label] += map(Sample, result["Values"], result["Timestamps"])
    return dict(found)


def _query(namespace: str, name: str, dimensions: Mapping[str, str], statistic: str) -> dict[str, Any]:
    of = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": of}
    return {"MetricStat": {"Metric": metric, "Period": _MINUTE, "Stat": statistic}}


def _newest(samples: Iterable[Sample]) -> Sample | None:
    return max(samples, key=lambda sample: sample.at, default=None)


def _total(samples: Iterable[Sample]) -> int:
    return round(sum(sample.value for sample in samples))


def _states(aws: Aws, alarms: Sequence[str]) -> dict[str, str]:
    states: dict[str, str] = {}
    for start in range(0, len(alarms), _NAMES_A_CALL):
        found = aws.client("cloudwatch").describe_alarms(
            AlarmNames=alarms[start : start + _NAMES_A_CALL],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            MaxRecords=_NAMES_A_CALL,
        )
        states |= {
            alarm["AlarmName"]: alarm["StateValue"] for alarm in (*found["MetricAlarms"], *found["CompositeAlarms"])
        }
    return states
