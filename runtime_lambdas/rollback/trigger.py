"""Why the function was called: by an operator, or by an alarm through SNS or EventBridge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def reason(event: Mapping[str, Any]) -> str | None:
    """Return why to roll back, or None for a message that asks for nothing.

    An alarm also reports that all is well again, and the topic carries this function's own reports: only an alarm in
    the state ALARM asks for a rollback.
    """
    if "Records" in event:
        found = [_of_message(record.get("Sns", {}).get("Message", "")) for record in event["Records"]]
        return next((why for why in found if why is not None), None)
    if "detail-type" in event:
        detail = event.get("detail", {})
        in_alarm = detail.get("state", {}).get("value") == "ALARM"
        return f"alarm {detail.get('alarmName', 'without a name')}" if in_alarm else None
    return str(event.get("reason") or "asked for by an operator")


def _of_message(message: str) -> str | None:
    try:
        alarm = json.loads(message)
    except ValueError:
        return None
    if not isinstance(alarm, dict) or alarm.get("NewStateValue") != "ALARM":
        return None
    return f"alarm {alarm.get('AlarmName', 'without a name')}"
