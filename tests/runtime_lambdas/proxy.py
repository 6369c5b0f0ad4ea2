"""A connection that breaks at a chosen moment: between a client and a PostgreSQL server stands this."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

Moment = Literal["before the commit", "after the commit", "while the commit is on its way"]

_COMMIT = b"COMMIT"


@dataclass
class Proxy:
    """Forwards to a server on this machine; `break_once` cuts the next connection that commits.

    Attributes:
        meanwhile: called once the client is cut off, before it can come back.
    """

    server_port: int
    port: int = 0
    moment: Moment | None = None
    delay: float = 0.0
    meanwhile: Callable[[], None] = lambda: None
    broken: int = 0

    def break_once(self, moment: Moment, meanwhile: Callable[[], None] = lambda: None, delay: float = 0.0) -> None:
        self.moment, self.meanwhile, self.delay = moment, meanwhile, delay

    def serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.server_port))
        mute = threading.Event()
        threading.Thread(target=self._answer, args=(server, client, mute), daemon=True).start()
        try:
            while data := client.recv(65536):
                moment = self.moment
                if moment is not None and _COMMIT in data:
                    self.moment = None
                    self._break(moment, data, client, server, mute)
                    return
                server.sendall(data)
        except OSError:
            pass
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
            client.close()

    def _break(
        self, moment: Moment, data: bytes, client: socket.socket, server: socket.socket, mute: threading.Event
    ) -> None:
        self.broken += 1
        if moment == "after the commit":
            mute.set()  # the answer goes nowhere
            server.sendall(data)
            time.sleep(0.1)
        self.meanwhile()
        # Closing alone would not wake whoever waits on the other end.
        client.shutdown(socket.SHUT_RDWR)
        client.close()
        if moment == "while the commit is on its way":
            time.sleep(self.delay)
            server.sendall(data)
            time.sleep(0.1)

    @staticmethod
    def _answer(server: socket.socket, client: socket.socket, mute: threading.Event) -> None:
        try:
            while data := server.recv(65536):
                if not mute.is_set():
                    client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)  # who cancels a statement waits for the server to hang up
        except OSError:
            pass


@contextmanager
def proxy(server_port: int) -> Iterator[Proxy]:
    """Stand between clients and a server until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        standing = Proxy(server_port, listening.getsockname()[1])

        def accept() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=standing.serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield standing
        listening.shutdown(socket.SHUT_RDWR)
