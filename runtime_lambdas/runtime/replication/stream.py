"""One direction of logical replication as both servers have it: slot and subscription of its name, and its beats."""

from __future__ import annotations

import re
import time

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.replication import heartbeat, loading, slot, subscription
from runtime_lambdas.runtime.replication.beats import Beats
from runtime_lambdas.runtime.replication.connections import Connections
from runtime_lambdas.runtime.replication.engine import OTHER, Broken
from runtime_lambdas.runtime.replication.heartbeat import Beat
from runtime_lambdas.runtime.replication.slot import Slot
from runtime_lambdas.runtime.replication.subscription import Subscription
from runtime_lambdas.runtime.writer import Side

_FILTERS_BY_ORIGIN = 16
_DOUBT_SECONDS = 0.25  # how long a beat may take before the slot is asked whether it can still arrive
_STEP_SECONDS = 0.02  # between two looks at tables that catch up
_SUFFIXES: dict[Side, str] = {"source": "fwd", "target": "rev"}


class Stream:
    """What is there of a direction, looked at anew by each call.

    Args:
        migration: its full name.
        connections: to both sides.
        origin: the side that changes come from.

    Attributes:
        name: of publication, slot and subscription.
        destination: the side that changes go to.
        beats: of the origin.
    """

    def __init__(self, migration: str, connections: Connections, origin: Side) -> None:
        self.connections = connections
        self.origin: Side = origin
        self.destination: Side = OTHER[origin]
        self.beats = Beats(connections, origin)
        self.name = f"paymig_{re.sub('[^a-z0-9]', '_', migration)}_{_SUFFIXES[origin]}"

    @property
    def told_apart(self) -> bool:
        """As `Engine.told_apart`: since PostgreSQL 16 on both sides."""
        return all(self.connections.major(side) >= _FILTERS_BY_ORIGIN for side in (self.origin, self.destination))

    @property
    def copies(self) -> bool:
        """Whether it loads the tables first."""
        return self.origin == "source"

    @property
    def mends(self) -> str:
        """What to do where changes were lost."""
        if self.copies:
            return "`paymig replicate stop --retire`, empty the target's tables, and start again"
        return "the target holds every payment, and `paymig rollback` counts what the source lacks"

    def subscription(self) -> Subscription | None:
        """Look its subscription up."""
        return self.connections.admin(self.destination, lambda running: subscription.read(running, self.name))

    def slot(self) -> Slot | None:
        """Look its slot up."""
        return self.connections.peer(self.origin, lambda running: slot.read(running, self.name))

    def sound_slot(self) -> Slot:
        """Look its slot up.

        Raises:
            Broken: It is gone, or was invalidated.
        """
        place = self.slot()
        if place is None or place.lost:
            what = "is gone" if place is None else "was invalidated"
            raise Broken(f"the slot {self.name} on the {self.origin} {what}, so changes were lost: {self.mends}")
        return place

    def at_rest(self, found: Subscription) -> bool:
        """Tell whether no worker of the subscription runs any more."""
        return self.connections.admin(self.destination, lambda running: subscription.at_rest(running, found.oid))

    def follows_the_heartbeat(self) -> bool:
        """Tell whether the load of the heartbeat itself is over, so that beats arrive."""
        found = self.subscription()
        if found is None:
            return False
        known = self.connections.admin(self.destination, lambda running: loading.states(running, found.oid))
        return known.get(heartbeat.TABLE, ("waiting", 0))[0] == "replicating"

    def arrival(self, beat: Beat, limit: float) -> float | None:
        """Return how many seconds a beat took with every change before it; None where that was not within `limit`.

        Raises:
            Broken: It can't arrive any more: the reader has confirmed more of the log, and does not have it.
        """
        begun = time.monotonic()
        elapsed = heartbeat.wait(self.beats.arrived, beat.number, min(limit, _DOUBT_SECONDS))
        written = self.connections.admin_at_once(self.origin, _now) if elapsed is None else ""
        while elapsed is None and (left := begun + limit - time.monotonic()) > 0:
            place = self.sound_slot()
            if lsn(place.confirmed) >= lsn(written) and self.follows_the_heartbeat():
                latest = self.beats.arrived()
                if latest is None or latest.number < beat.number:
                    raise Broken(
                        f"the {self.destination} has confirmed the log of the {self.origin} up to {place.confirmed}, "
                        f"and beat {beat.number} before it was lost: so are changes, for example by a slot that was "
                        f"made anew: {self.mends}."
                    )
            if heartbeat.wait(self.beats.arrived, beat.number, min(left, 1.0)) is not None:
                elapsed = time.monotonic() - begun
        while elapsed is not None and self.out_of_step(beat):
            elapsed = time.monotonic() - begun
            if elapsed >= limit:
                return None
            time.sleep(_STEP_SECONDS)
        return elapsed

    def out_of_step(self, beat: Beat) -> list[str]:
        """Return the tables whose changes before a beat that arrived are not proved to be there; none is a proof.

        The main worker passes over the changes of a table that another one still loads, beats of its own go on
        arriving, and a server that died can put a table back to there (docs/adr/0034). Looked at in one transaction,
        after the beat: no such death is between the two.
        """

        def look(running: cursor) -> list[str]:
            latest, found = heartbeat.read(running, self.origin), subscription.read(running, self.name)
            if found is None or latest is None or latest.number < beat.number:
                return [heartbeat.TABLE]
            known = loading.states(running, found.oid)
            return sorted(name for name, (state, _) in known.items() if state != "replicating")

        return self.connections.admin(self.destination, look)


def lsn(text: str) -> int:
    """Return a position in a log, such as "0/1A2B3C", as a number that can be compared."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def _now(running: cursor) -> str:
    running.execute("SELECT pg_current_wal_insert_lsn()::text")
    row = running.fetchone()
    return str(row[0]) if row else ""
