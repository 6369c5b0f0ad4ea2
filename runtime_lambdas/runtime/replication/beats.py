"""One direction's beats: written on its origin, and looked for on the other side."""

from __future__ import annotations

from runtime_lambdas.runtime.replication import heartbeat
from runtime_lambdas.runtime.replication.connections import Connections
from runtime_lambdas.runtime.replication.engine import OTHER
from runtime_lambdas.runtime.replication.heartbeat import Beat
from runtime_lambdas.runtime.writer import Side


class Beats:
    """The beats of one side.

    Args:
        connections: to both sides.
        origin: the side that beats.
    """

    def __init__(self, connections: Connections, origin: Side) -> None:
        self._connections = connections
        self._origin: Side = origin

    def write(self) -> Beat:
        """Write the next one, once it is on disk."""
        return self._connections.admin(self._origin, lambda running: heartbeat.beat(running, self._origin))

    def arrived(self) -> Beat | None:
        """Return the latest one that is on the other side; None before the first."""
        return self._connections.admin_at_once(
            OTHER[self._origin], lambda running: heartbeat.read(running, self._origin)
        )
