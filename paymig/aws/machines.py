"""A migration's state machines: where they are, and why an execution of one failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from paymig.aws import stack
from paymig.aws.session import Aws
from paymig.errors import Refused


def outputs(aws: Aws, name: str, *needed: str) -> Mapping[str, str]:
    """Return the outputs of a migration's stack.

    Raises:
        Refused: it is not deployed, or lacks one that is needed.
    """
    found = stack.describe(aws, name)
    if found is None or not set(needed) <= found.outputs.keys():
        raise Refused(f"the state machine of {name} is not deployed", "paymig deploy makes it")
    return found.outputs


def execution_of(machine: str, name: str) -> str:
    """Return the ARN of a machine's execution."""
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def why(found: Mapping[str, Any]) -> str:
    """Word why an execution failed, as `DescribeExecution` tells: what the function raised is JSON in its cause."""
    error, cause = found.get("error") or found["status"], found.get("cause") or ""
    try:
        message = json.loads(cause)["errorMessage"]
    except (ValueError, TypeError, KeyError):
        message = cause or "Step Functions gives no cause"
    return f"{error}: {message}"
