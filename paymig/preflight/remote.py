"""Asking the switchover function for the facts of a database."""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Literal

from paymig.aws.functions import ask_switchover
from paymig.aws.session import Aws
from runtime_lambdas.runtime.facts import Facts


def ask(
    aws: Aws, name: str, side: Literal["source", "target"], include: Sequence[str], exclude: Sequence[str]
) -> Facts | str:
    """Return a side's facts, or why the function can't read them.

    Raises:
        Refused: the migration has no such function yet.
        AwsError: the function failed.
    """
    event = {"action": "facts", "side": side, "include": list(include), "exclude": list(exclude)}
    answer = ask_switchover(aws, name, event)
    if "error" in answer:
        return str(answer["error"]).partition("\n")[0]
    return Facts(**json.loads(gzip.decompress(base64.b64decode(answer["facts"]))))
