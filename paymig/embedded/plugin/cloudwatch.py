"""CloudWatch: alarms over metric math, composite alarms, and the events that tell of an alarm's new state."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from paymig.embedded.plugin import host
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import add_operations, call, call_with

if TYPE_CHECKING:
    from paymig.embedded.plugin.services import StockOperation

_SINGLE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")


class _AnyAlarm(ResourceType):
    tagged = True
    immutable = frozenset({"AlarmName"})
    operation: ClassVar[str]

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Put the alarm."""
        return self._put(props.get("AlarmName") or place.name(), props)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Put the alarm again; its state stays."""
        return self._put(physical_id, new)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the alarm."""
        call("cloudwatch", "DeleteAlarms", AlarmNames=[physical_id])

    def _put(self, name: str, props: Properties) -> Provisioned:
        # PutMetricAlarm refuses tags with the reserved prefix; CloudFormation sets those by itself.
        tags = [tag for tag in props.get("Tags", []) if not tag["Key"].startswith("aws:")]
        call_with("cloudwatch", self.operation, {**props, "Tags": tags}, AlarmName=name)
        return name, {"Arn": host.arn("cloudwatch", f"alarm:{name}")}


class MetricAlarm(_AnyAlarm):
    """An alarm over one metric or over an expression of several."""

    type_name = "AWS::CloudWatch::Alarm"
    operation = "PutMetricAlarm"


class CompositeAlarm(_AnyAlarm):
    """An alarm over other alarms."""

    type_name = "AWS::CloudWatch::CompositeAlarm"
    operation = "PutCompositeAlarm"


def install() -> None:
    """Let PutMetricAlarm keep `Metrics`, and send an event to EventBridge whenever an alarm changes its state."""
    _keep_metrics()
    _send_events()


def _send_events() -> None:
    cloudwatch, responses = host.module("services.cloudwatch"), host.module("core.responses")
    notify = cloudwatch._dispatch_alarm_actions

    def notify_and_send(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
        notify(alarm, old, new, reason)
        now = responses.now_iso()
        detail = {
            "alarmName": alarm["AlarmName"],
            "configuration": {"description": alarm.get("AlarmDescription", "")},
            "previousState": {"value": old},
            "state": {"value": new, "reason": reason, "timestamp": now},
        }
        host.module("services.eventbridge")._dispatch_event(
            {
                "EventId": str(uuid.uuid4()),
                "Source": "aws.cloudwatch",
                "DetailType": "CloudWatch Alarm State Change",
                "Detail": json.dumps(detail),
                "EventBusName": "default",
                "Time": now,
                "Resources": [alarm["AlarmArn"]],
                "Account": responses.get_account_id(),
                "Region": responses.get_region(),
            }
        )

    cloudwatch._dispatch_alarm_actions = notify_and_send


def _keep_metrics() -> None:
    stock: StockOperation

    async def put_metric_alarm(request: dict[str, Any]) -> dict[str, Any]:
        await stock("PutMetricAlarm", {key: request[key] for key in request if key != "Metrics"})
        if "Metrics" in request:
            alarm = host.module("services.cloudwatch")._alarms[request["AlarmName"]]
            for key in _SINGLE_METRIC:
                alarm.pop(key, None)
            alarm["Metrics"] = [{"ReturnData": True, **query} for query in request["Metrics"]]
        return {}

    stock = add_operations("cloudwatch", {"PutMetricAlarm": put_metric_alarm})


TYPES: tuple[ResourceType, ...] = (MetricAlarm(), CompositeAlarm())
