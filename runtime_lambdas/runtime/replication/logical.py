"""PostgreSQL's own logical replication: one direction is a publication, a slot and a subscription of one name."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.catalogue import Table, read_tables
from runtime_lambdas.runtime.logins import Logins, Role
from runtime_lambdas.runtime.replication import heartbeat, loading, publication, slot, subscription
from runtime_lambdas.runtime.replication.connections import Connections
from runtime_lambdas.runtime.replication.diagnosis import problems
from runtime_lambdas.runtime.replication.engine import OTHER, Broken, Identity, Lag, Marker, NotReady, Progress
from runtime_lambdas.runtime.replication.stream import Stream, lsn
from runtime_lambdas.runtime.replication.tables import refuse_full, refuse_unlike
from runtime_lambdas.runtime.writer import Side


class Logical:
    """One direction; the forward one loads the tables first, the way back finds them loaded.

    Args:
        name: the migration's full name.
        logins: finds the logins of both sides.
        include: patterns of the tables that move.
        exclude: patterns of those that do not.
        origin: the side that changes come from.
    """

    def __init__(
        self, name: str, logins: Logins, include: Sequence[str], exclude: Sequence[str], origin: Side = "source"
    ) -> None:
        self.origin: Side = origin
        self.applier: Role = "control"
        self._destination: Side = OTHER[origin]
        self._migration = name
        self._logins = logins
        self._include, self._exclude = tuple(include), tuple(exclude)
        self._connections = Connections(logins)
        self._stream = Stream(name, self._connections, origin)
        self.name = self._stream.name
        """Of publication, slot and subscription."""

    @property
    def told_apart(self) -> bool:
        """As `Engine.told_apart`."""
        return self._stream.told_apart

    @property
    def quick(self) -> bool:
        """As `Engine.quick`."""
        return True

    def prepare(self) -> None:
        """As `Engine.prepare`; the way back also subscribes, working at once where it tells origins apart."""
        for side in (self.origin, self._destination):
            self._connections.admin(side, heartbeat.make)
        tables = self._tables(self.origin)
        if not tables:
            raise NotReady(f"no table of the {self.origin} matches {', '.join(self._include)}")
        if refused := publication.refused(tables, self._connections.major(self.origin)):
            raise NotReady("; ".join(refused))
        self._connections.admin_at_once(self.origin, lambda running: publication.identify(running, tables))
        self._connections.admin(self.origin, lambda running: publication.publish(running, self.name, tables))
        if self._stream.subscription() is not None:
            self._connections.admin(self._destination, lambda running: subscription.keep_trying(running, self.name))
            return
        if self._stream.copies:
            return
        refuse_unlike(tables, self._tables(self._destination), self._destination)
        for side in (self.origin, self._destination):
            self._connections.admin(side, lambda running: heartbeat.forget(running, self.origin))
        self._subscribe(enabled=self.told_apart)

    def start(self) -> None:
        """As `Engine.start`."""
        if not self._connections.admin(self.origin, lambda running: publication.published(running, self.name)):
            raise NotReady(f"{self.name} was not prepared")
        if self._stream.subscription() is not None:
            self.resume()
            return
        if not self._stream.copies:
            raise NotReady(f"{self.name} was not prepared")
        tables = self._tables(self.origin)
        refuse_unlike(tables, self._tables(self._destination), self._destination)
        self._connections.admin(self._destination, lambda running: refuse_full(running, tables, self._destination))
        self._connections.admin(self._destination, _forget_beats)
        self._connections.admin(self.origin, lambda running: heartbeat.forget(running, self._destination))
        self._stream.beats.write()
        self._subscribe(enabled=True)

    def progress(self) -> Progress:
        """As `Engine.progress`."""
        found = self._stream.subscription()
        if found is None:
            return Progress("absent")
        here, there = self._tables(self._destination), self._tables(self.origin)
        known = self._connections.admin(self._destination, lambda running: loading.states(running, found.oid))
        tables = loading.compose(there, here, known)
        if wrong := problems(self._stream, found):
            return Progress("failed", tables, tuple(wrong))
        if not found.enabled:
            return Progress("paused", tables)
        # The heartbeat's own load counts: until it is over, no beat tells whether changes were lost.
        loaded = all(state == "replicating" for state, _ in known.values()) and len(known) > len(tables)
        return Progress("replicating" if loaded else "loading", tables)

    def lag(self, limit: float = 10.0) -> Lag:
        """As `Engine.lag`."""
        beat = self._stream.beats.write()
        elapsed = self._stream.arrival(beat, limit)
        place = self._stream.slot()
        behind = place.behind if place else None
        return Lag(limit if elapsed is None else elapsed, elapsed is not None, behind)

    def marker(self, timeout: float) -> Marker:
        """As `Engine.marker`."""
        beat = self._stream.beats.write()
        elapsed = self._stream.arrival(beat, timeout)
        if elapsed is None:
            behind = [name for name in self._stream.out_of_step(beat) if name != heartbeat.TABLE]
            what = f" with every change before it: {', '.join(behind)} did not keep up" if behind else ""
            wrong = " ".join(problems(self._stream, self._stream.subscription()))
            raise NotReady(
                f"beat {beat.number} of the {self.origin} is not on the {self._destination} after {timeout:g} s{what}. "
                + (wrong or "Its worker may be behind a large transaction.")
            )
        return Marker(self.origin, beat.number, elapsed)

    def pause(self) -> None:
        """As `Engine.pause`."""
        found = self._stream.subscription()
        if found is None:
            return
        self._connections.admin(self._destination, lambda running: subscription.disable(running, self.name))
        if not subscription.until(lambda: self._stream.at_rest(found)):
            raise NotReady(f"the worker of {self.name} has not ended: it may be waiting for a lock on the target")

    def resume(self) -> None:
        """As `Engine.resume`."""
        if self._stream.subscription() is None:
            raise NotReady(f"{self.name} was not started")
        self._stream.sound_slot()
        connection = self._connections.peer_login(self.origin).for_a_server()

        def act(running: cursor) -> None:
            subscription.reach(running, self.name, connection)
            subscription.enable(running, self.name)

        self._connections.admin(self._destination, act)

    def position(self, limit: float = 60.0) -> None:
        """As `Engine.position`; where both sides are 16 or newer, origins are told apart and nothing is skipped."""
        if self.told_apart:
            return
        found = self._stream.subscription()
        if found is None or found.enabled or not self._stream.at_rest(found):
            raise NotReady(f"{self.name} has to be there and paused to be positioned")
        self._stream.sound_slot()
        self._connections.peer(self.origin, lambda running: slot.advance_to_now(running, self.name))
        latest = self._connections.admin(self.origin, lambda running: heartbeat.read(running, self.origin))
        self._connections.admin(self._destination, lambda running: heartbeat.link(running, self.origin, latest))

    def retire(self) -> None:
        """As `Engine.retire`."""
        found = self._stream.subscription()
        if found is not None:
            self.pause()
            self._connections.admin(self._destination, lambda running: subscription.drop(running, self.name))
            self._connections.peer(self.origin, lambda running: slot.drop_those_of_loads(running, found.oid))
        self._connections.peer(self.origin, lambda running: slot.drop(running, self.name))
        self._connections.admin(self.origin, lambda running: publication.withdraw(running, self.name))

    def reverse(self) -> Logical:
        """As `Engine.reverse`."""
        return Logical(self._migration, self._logins, self._include, self._exclude, self._destination)

    def identity(self) -> Identity:
        """As `Engine.identity`."""
        found = self._stream.subscription()
        if found is None:
            raise Broken(f"the {self._destination} has no subscription {self.name} any more: {self._stream.mends}")
        place = self._stream.sound_slot()
        server = self._connections.peer(self.origin, slot.system_identifier)
        return Identity("logical", server, self.name, str(found.oid), place.confirmed)

    def verify(self, recorded: Identity) -> None:
        """As `Engine.verify`."""
        now = self.identity()
        if (now.engine, now.place) != (recorded.engine, recorded.place):
            raise Broken(f"recorded was {recorded.engine} {recorded.place}, not {now.engine} {now.place}")
        if now.server != recorded.server:
            raise Broken(
                f"the {self.origin} is another cluster than the one that replication was started from (system "
                f"identifier {now.server}, recorded {recorded.server}): {self._stream.mends}"
            )
        if now.reader != recorded.reader:
            raise Broken(f"the subscription {self.name} is not the one that was recorded: {self._stream.mends}")
        if lsn(now.position) < lsn(recorded.position):
            raise Broken(
                f"the slot {self.name} stands at {now.position}, before the recorded {recorded.position}: the "
                f"{self.origin} went back in time, or the slot was made anew: {self._stream.mends}"
            )

    def close(self) -> None:
        """As `Engine.close`."""
        self._connections.close()

    def _subscribe(self, *, enabled: bool) -> None:
        """Make the slot, then its subscription: dying between the two leaves a slot that the next attempt replaces."""
        connection = self._connections.peer_login(self.origin).for_a_server()
        self._connections.peer(self.origin, lambda running: slot.create(running, self.name))

        def act(running: cursor) -> None:
            subscription.create(
                running, self.name, connection, copy=self._stream.copies, origin_none=self.told_apart, enabled=enabled
            )

        self._connections.admin(self._destination, act)

    def _tables(self, side: Side) -> list[Table]:
        return self._connections.admin(side, lambda running: read_tables(running, self._include, self._exclude))


def _forget_beats(running: cursor) -> None:
    for side in OTHER:
        heartbeat.forget(running, side)
