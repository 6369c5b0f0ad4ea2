"""A process at a real pseudo-terminal, and what it writes there as it comes."""

import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Callable, Sequence

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PATIENCE = 180.0


class Terminal:
    """Runs a command whose input, output and errors are a terminal of 80 columns."""

    def __init__(self, command: Sequence[str]) -> None:
        self._here, there = pty.openpty()
        termios.tcsetwinsize(there, (24, 80))
        environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
        self.process = subprocess.Popen(
            command, stdin=there, stdout=there, stderr=there, env={**environment, "TERM": "xterm"}, close_fds=True
        )
        os.close(there)
        self.text = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._here)

    def read_until(self, seen: Callable[[str], object]) -> None:
        """Read on until what was written so far is as asked for; escape sequences are left out of it."""
        deadline = time.monotonic() + _PATIENCE
        while not seen(self.text):
            assert time.monotonic() < deadline, self.text
            assert self._read(), self.text

    def type(self, text: str) -> None:
        """Type it."""
        os.write(self._here, text.encode())

    def end(self) -> int:
        """Read the rest, and return the exit code."""
        while self._read():
            pass
        return self.process.wait(_PATIENCE)

    def _read(self) -> bool:
        """Read what is there within a second; False once the process has closed the terminal."""
        if not select.select([self._here], [], [], 1.0)[0]:
            return True
        try:
            read = os.read(self._here, 65536)
        except OSError:  # Linux's way to say that nobody is there any more
            return False
        self.text += _ESCAPES.sub("", read.decode(errors="replace"))
        return bool(read)


def clock(pattern: str) -> Callable[[str], list[float]]:
    """Return what reads the values of a clock, one after the other, without repetitions."""
    found = re.compile(pattern)

    def read(text: str) -> list[float]:
        values = [float(value) for value in found.findall(text)]
        return [value for place, value in enumerate(values) if not place or value != values[place - 1]]

    return read
