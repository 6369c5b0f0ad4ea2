"""Calling a migration's functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from paymig.aws import stack
from paymig.aws.session import Aws
from paymig.errors import AwsError, Refused

_SWITCHOVER = "SwitchoverFunctionArn"


def ask_switchover(aws: Aws, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Call a migration's switchover function, and return its answer.

    Raises:
        Refused: the migration has no such function yet.
        AwsError: the function failed.
    """
    root = stack.describe(aws, name)
    if root is None or _SWITCHOVER not in root.outputs:
        raise Refused(f"{name} has no switchover function yet", "paymig deploy makes it")
    called = aws.client("lambda").invoke(FunctionName=root.outputs[_SWITCHOVER], Payload=json.dumps(event).encode())
    answer: dict[str, Any] = json.loads(called["Payload"].read())
    if "FunctionError" in called:
        raise AwsError(f"the switchover function failed: {answer.get('errorMessage', answer)}", "see its log group")
    return answer
