"""Asking the switchover function for the facts of a database."""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any, Literal

from paymig.aws import stack
from paymig.aws.session import Aws
from paymig.errors import AwsError, Refused
from runtime_lambdas.runtime.facts import Facts

_OUTPUT = "SwitchoverFunctionArn"


def ask(
    aws: Aws, name: str, side: Literal["source", "target"], include: Sequence[str], exclude: Sequence[str]
) -> Facts | str:
    """Return a side's facts, or why the function can't read them.

    Raises:
        Refused: the migration has no such function yet.
        AwsError: the function failed.
    """
    root = stack.describe(aws, name)
    if root is None or _OUTPUT not in root.outputs:
        raise Refused(f"{name} has no switchover function yet", "paymig deploy, or run this without --in-aws")
    event = {"action": "facts", "side": side, "include": list(include), "exclude": list(exclude)}
    called = aws.client("lambda").invoke(FunctionName=root.outputs[_OUTPUT], Payload=json.dumps(event).encode())
    answer: dict[str, Any] = json.loads(called["Payload"].read())
    if "FunctionError" in called:
        raise AwsError(f"the switchover function failed: {answer.get('errorMessage', answer)}", "see its log group")
    if "error" in answer:
        return str(answer["error"]).partition("\n")[0]
    return Facts(**json.loads(gzip.decompress(base64.b64decode(answer["facts"]))))
