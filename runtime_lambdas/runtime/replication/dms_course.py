"""By which of its tasks a direction of DMS goes now, and from which place in its origin's log."""

from __future__ import annotations

import re

from runtime_lambdas.runtime.replication import heartbeat, place, slot
from runtime_lambdas.runtime.replication.connections import Connections
from runtime_lambdas.runtime.replication.dms_api import Moves, State, wait_for
from runtime_lambdas.runtime.replication.engine import OTHER, Broken, NotReady
from runtime_lambdas.runtime.replication.place import Place
from runtime_lambdas.runtime.writer import Side

_PLUGIN = "test_decoding"
_PATIENCE = 900.0


class Course:
    """One direction's tasks, its kept place, and the slot that holds it.

    Args:
        migration: its full name.
        connections: to both sides.
        origin: the side that changes come from.
        load: loads the tables and goes on from there; None on the way back.
        follow: goes from the kept place; None in stacks from before there was one.
    """

    def __init__(
        self, migration: str, connections: Connections, origin: Side, load: Moves | None, follow: Moves | None
    ) -> None:
        self._connections, self._slot = connections, slot_name(migration)
        self._origin: Side = origin
        self._load, self._follow = load, follow

    def place(self) -> Place | None:
        """Return the kept place; None where the direction loads its tables."""
        return self._connections.admin(self._origin, lambda running: place.read(running, self._origin))

    def now(self, kept: Place | None = None) -> Moves:
        """Return what moves this direction's rows as things stand.

        Raises:
            NotReady: The stacks hold nothing for it.
        """
        kept = kept or self.place()
        follows = self._load is None or (kept is not None and kept.position is not None)
        found = self._follow if follows else self._load
        if found is None:
            raise NotReady(f"there is no DMS task that follows the {self._origin}: `paymig deploy` makes it")
        return found

    def at(self, kept: Place | None) -> Moves:
        """Return what follows from the kept place.

        Raises:
            Broken: The slot is gone.
            NotReady: No place was kept.
        """
        if kept is None or kept.position is None:
            raise NotReady(f"no place was kept on the {self._origin} from which its changes could be followed")
        self.sound_slot()
        return self.now(kept)

    def keep(self, limit: float) -> None:
        """As `Engine.position`: a slot is made, from which DMS starts when there is time for it."""
        if self._follow is None:
            raise NotReady(f"there is no DMS task that follows the {self._origin}: `paymig deploy` makes it")
        if not self._follow.read().at_rest:
            raise NotReady(f"{self._follow.arn} is at work: it would carry back what comes from the other side")
        # Beats are forgotten before the slot is made, so that it never carries that.
        for side in (self._origin, OTHER[self._origin]):
            self._connections.admin(side, lambda running: heartbeat.forget(running, self._origin))
        self._connections.peer(self._origin, lambda running: slot.create(running, self._slot, _PLUGIN, limit))
        made = self.sound_slot()
        self._connections.admin(self._origin, lambda running: place.keep(running, self._origin, made.confirmed))

    def forget(self) -> None:
        """Have the direction load its tables."""
        self._connections.admin(self._origin, lambda running: place.forget(running, self._origin))

    def end(self) -> None:
        """Keep no place any more, and nothing that holds the origin's log."""
        self._connections.admin(self._origin, lambda running: place.keep(running, self._origin, None))
        self._connections.peer(self._origin, lambda running: slot.drop(running, self._slot))

    def go(self, what: Moves, kept: Place | None) -> None:
        """Start what is at rest: from its place where it has not begun there, else from where it was."""
        state = what.read()
        if state.status == "stopping":
            state = _until(what, "stopped")
        if not state.at_rest:
            return
        if kept is not None and not (state.began and state.position == kept.position):
            what.start("start-replication", kept.position)
        else:
            what.start("resume-processing")

    def running(self) -> None:
        """Wait until what moves this direction's rows is at it."""
        _until(self.now(), "running")

    def stop(self) -> None:
        """Stop what moves this direction's rows, and wait for it."""
        now = self.now()
        state = now.read()
        if state.at_rest:
            return
        if state.status != "stopping":
            _until(now, "running", "stopped")
            if now.read().status == "running":
                now.stop()
        _until(now, "stopped")

    def sound_slot(self) -> slot.Slot:
        """Look the slot up.

        Raises:
            Broken: It is gone, or was invalidated.
        """
        found = self._connections.peer(self._origin, lambda running: slot.read(running, self._slot, _PLUGIN))
        if found is None or found.lost:
            raise Broken(f"the slot {self._slot} on the {self._origin} is gone or was invalidated: changes were lost")
        return found


def slot_name(name: str) -> str:
    """Return the slot from which DMS follows either side, as its endpoints name it."""
    return f"paymig_{re.sub('[^a-z0-9]', '_', name)}_dms"


def _until(what: Moves, *wanted: str) -> State:
    return wait_for(what, wanted, _PATIENCE)
