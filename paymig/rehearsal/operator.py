"""The operator of a rehearsal: types the real commands, one after the other, and keeps what they print."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Typed:
    """One command as it went.

    Attributes:
        command: as typed, without the `--yes` that only a rehearsal needs.
        started: seconds of the wall clock.
        seconds: from the start of its process to its end.
        output: what it printed, results and progress in the order they came.
        exit_code: as of `paymig.errors`; negative where a signal ended it.
    """

    command: str
    started: float
    seconds: float
    output: str
    exit_code: int


class Operator:
    """Types commands at one terminal.

    Args:
        folder: where, with the spec in it.
        environment: the variables that lead AWS clients to the embedded AWS.
        hear: gets each line of output as it comes.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], hear: Callable[[str], None]) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment, "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
        self._hear = hear
        self.variables: dict[str, str] = {}
        """Of the environment of the next commands, besides."""
        self._running: subprocess.Popen[str] | None = None

    def type(self, *arguments: str) -> Typed:
        """Run `paymig ARGUMENTS` and wait for its end."""
        began, started = time.time(), time.monotonic()
        running = subprocess.Popen(
            [sys.executable, "-m", "paymig.rehearsal.typed", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._folder,
            env={**self._environment, **self.variables},
            start_new_session=True,  # Ctrl-C reaches the rehearsal alone
        )
        self._running = running
        lines: list[str] = []
        try:
            for line in running.stdout or ():
                lines.append(line)
                self._hear(line.rstrip("\n"))
            code = running.wait()
        finally:
            self.kill()
            for pipe in (running.stdin, running.stdout):
                if pipe is not None:
                    pipe.close()
            running.wait()
            self._running = None
        seconds = round(time.monotonic() - started, 2)
        typed = shlex.join(["paymig", *(argument for argument in arguments if argument != "--yes")])
        return Typed(typed, began, seconds, "".join(lines), code)

    def kill(self) -> None:
        """End the command that is running, as a closed laptop or `kill -9` would."""
        running = self._running
        if running is not None and running.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
