"""Where a command runs: enough to tell, on the same machine, whether its process is still there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_FUNCTION = "AWS_LAMBDA_FUNCTION_NAME"
_BOOT, _PROCESSES = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class Place:
    """A process on a machine, or a call of a Lambda function.

    Attributes:
        host: the machine's name, or the function's.
        boot: tells one boot of one machine, and one container on it, from another; empty where the system has no
            such name.
    """

    host: str
    boot: str
    pid: int

    def __str__(self) -> str:
        return f"{self.host} (process {self.pid})"

    @classmethod
    def here(cls) -> Place:
        """Name this process."""
        try:
            boot = f"{_BOOT.read_text().strip()}/{_PROCESSES.stat().st_ino}"
        except OSError:
            boot = ""
        return cls(os.environ.get(_FUNCTION) or socket.gethostname(), boot, os.getpid())

    def is_gone(self) -> bool:
        """Whether the process is known to have ended; False also where that cannot be known from here."""
        here = Place.here()
        if not self.boot or (self.host, self.boot) != (here.host, here.boot):
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # somebody else's, and alive
            return False
        return False

    def is_this_function(self) -> bool:
        """Whether it is a call of the function that this process serves; False outside Lambda."""
        return self.host == os.environ.get(_FUNCTION)
