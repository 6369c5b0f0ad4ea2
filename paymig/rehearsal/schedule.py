"""The schedule by which AWS compares the databases, kept by the rehearsal: what the gates judge comes from it."""

from __future__ import annotations

import json
import threading

from botocore.exceptions import BotoCoreError, ClientError

from paymig.aws import stack
from paymig.rehearsal.play import Play

_OUTPUT = "ValidationFunctionArn"
_SHORTEST = 5.0
"""Seconds between two comparisons: each keeps both databases busy."""


class Schedule:
    """Invokes the deployed validation function as the compiled schedule would, in a thread, until it is stopped.

    The embedded AWS knows schedules and keeps none. The function compares, and publishes what it found and how far
    replication is behind.

    Args:
        play: what is going on.
    """

    def __init__(self, play: Play) -> None:
        self._play = play
        self._every = max(play.migration.validation.every.total_seconds() / play.options.speed, _SHORTEST)
        self._over = threading.Event()
        self.invoke()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop invoking."""
        self._over.set()
        self._thread.join(60)

    def invoke(self) -> None:
        """Have what changed compared, once; an invocation that fails publishes nothing, and the gates say so."""
        aws = self._play.stage.aws
        root = stack.describe(aws, self._play.migration.full_name)
        if root is not None and _OUTPUT in root.outputs:
            asked = json.dumps({"full": False})
            called = aws.client("lambda").invoke(FunctionName=root.outputs[_OUTPUT], Payload=asked)
            called["Payload"].read()  # or its connection would be left open

    def _run(self) -> None:
        while not self._over.wait(self._every):
            try:
                self.invoke()
            except (BotoCoreError, ClientError):
                continue
