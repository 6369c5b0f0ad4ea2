"""Processes of a rehearsal: each is told what to do by one line on standard input, and ends with whoever started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from paymig.errors import EmbeddedError

_STOP_SECONDS = 10


class Child:
    """A process that runs one of our modules.

    Attributes:
        ready: what the process said once it was up.
    """

    def __init__(self, process: subprocess.Popen[str], module: str, log: Path) -> None:
        self._process = process
        self._module = module
        self._log = log
        self.ready = self._first()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def tell(self, line: str) -> None:
        """Send a line to the process; one that has ended hears nothing."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError, ValueError):
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()

    def heard(self) -> Iterator[dict[str, Any]]:
        """Yield what the process says, until it ends."""
        if self._process.stdout is not None:
            for line in self._process.stdout:
                yield json.loads(line)

    def wait(self, seconds: float) -> None:
        """Wait for the process to end by itself.

        Raises:
            EmbeddedError: it did not, or it failed.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise EmbeddedError(f"{self._module} did not end within {seconds:g} s") from error
        if code:
            raise EmbeddedError(f"{self._module} ended with {code}: {self._tail()}")

    def kill(self) -> None:
        """End the process and its own children, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_STOP_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _first(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            self._process.wait(_STOP_SECONDS)
            raise EmbeddedError(f"{self._module} did not start: {self._tail()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-8:]) or "it said nothing"


@contextmanager
def child(
    module: str, order: Mapping[str, Any], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Run a module for as long as the block runs.

    Args:
        module: its full name; it calls `orders` first and `ready` once it is up.
        order: what it has to do, JSON.
        folder: where its log goes.
        environment: variables besides those of this process.

    Raises:
        EmbeddedError: it did not start.
    """
    log = folder / f"{module.rpartition('.')[2]}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # Ctrl-C reaches the rehearsal alone, which then ends its processes
        )
    started = None
    try:
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
        started = Child(process, module, log)
        yield started
    finally:
        if started is not None:
            started.kill()
        elif process.poll() is None:
            process.kill()
            process.wait(_STOP_SECONDS)


# From here on: the child's side.


def orders(hear: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Read the order; further lines go to `hear`, and the end of them ends this process and its children."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, args=(hear,), daemon=True).start()
    return order


def end_with_parent(hear: Callable[[str], None] | None = None) -> None:
    """Give each line of standard input to `hear`; at its end, end this process and its children."""
    for line in sys.stdin:
        if hear is not None:
            hear(line.strip())
    os.killpg(0, signal.SIGKILL)


def say(message: Mapping[str, Any]) -> None:
    """Tell whoever started this process."""
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)
