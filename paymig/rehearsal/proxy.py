"""A TCP proxy of ours: the network between two parties, which may be slow, broken, or lose some of what it carries."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

_BUFFER = 65536


class Proxy:
    """Carries connections to one address, as it is told.

    Attributes:
        delay: seconds that each piece takes on its way.
        lost: the share of requests whose connection breaks instead of being carried, from 0 to 1.
        down: nothing gets through, and nobody is let in.
    """

    def __init__(self, host: str, port: int, random: Random) -> None:
        self._target = (host, port)
        self._random = random
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.delay, self.lost, self.down = 0.0, 0.0, False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1 that stands for the other one."""
        port: int = self._listener.getsockname()[1]
        return port

    def break_all(self) -> None:
        """Break every connection that is open."""
        with self._lock:
            ends = list(self._open)
        for end in ends:
            _shut(end)

    def close(self) -> None:
        """Stop, and break what is open."""
        self._listener.close()
        self.break_all()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.down:
                near.close()
                continue
            try:
                far = socket.create_connection(self._target, timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._carry, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, False), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, asks: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_BUFFER):
                if self.down or (asks and self.lost and self._random.random() < self.lost):
                    break
                if self.delay:
                    time.sleep(self.delay)
                sink.sendall(piece)
        with self._lock:
            self._open -= {source, sink}
        for end in (source, sink):
            _shut(end)
            end.close()


@contextmanager
def proxy(host: str, port: int, seed: int) -> Iterator[Proxy]:
    """Stand between whoever connects and this address, for as long as the block runs."""
    made = Proxy(host, port, Random(seed))  # noqa: S311 - a plan that can be repeated, no secret
    try:
        yield made
    finally:
        made.close()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
