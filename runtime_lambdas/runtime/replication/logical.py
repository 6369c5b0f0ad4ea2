"""PostgreSQL's own logical replication: one direction is a publication, a slot and a subscription of one name."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.catalogue import Table, read_tables
from runtime_lambdas.runtime.logins import Logins, Role
from runtime_lambdas.runtime.replication import heartbeat, loading, publication, slot, subscription
from runtime_lambdas.runtime.replication.connections import Connections
from runtime_lambdas.runtime.replication.engine import (
    OTHER,
    Broken,
    Identity,
    Lag,
    Marker,
    NotReady,
    Progress,
)
from runtime_lambdas.runtime.replication.heartbeat import Beat
from runtime_lambdas.runtime.replication.slot import Slot
from runtime_lambdas.runtime.replication.subscription import Subscription
from runtime_lambdas.runtime.replication.tables import refuse_full, refuse_unlike
from runtime_lambdas.runtime.writer import Side

_FILTERS_BY_ORIGIN = 16
_DOUBT_SECONDS = 0.25  # how long a beat may take before the slot is asked whether it can still arrive
_COUNTS_ERRORS = 15
_STEP_SECONDS = 0.02  # between two looks at tables that catch up
_PROOF_SECONDS = 2.0  # how long a beat may take that proves, after an error, that changes are applied again
_SUFFIXES: dict[Side, str] = {"source": "fwd", "target": "rev"}


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
        self.name = f"paymig_{re.sub('[^a-z0-9]', '_', name)}_{_SUFFIXES[origin]}"
        """Of publication, slot and subscription."""

    @property
    def told_apart(self) -> bool:
        """As `Engine.told_apart`: since PostgreSQL 16 on both sides."""
        return all(self._connections.major(side) >= _FILTERS_BY_ORIGIN for side in (self.origin, self._destination))

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
        if refused := publication.refused(tables):
            raise NotReady("; ".join(refused))
        self._connections.admin(self.origin, lambda running: publication.identify(running, tables))
        self._connections.admin(self.origin, lambda running: publication.publish(running, self.name, tables))
        if self._subscription() is not None:
            self._connections.admin(self._destination, lambda running: subscription.keep_trying(running, self.name))
            return
        if self._copies:
            return
        refuse_unlike(tables, self._tables(self._destination), self._destination)
        for side in (self.origin, self._destination):
            self._connections.admin(side, lambda running: heartbeat.forget(running, self.origin))
        self._subscribe(enabled=self.told_apart)

    def start(self) -> None:
        """As `Engine.start`."""
        if not self._connections.admin(self.origin, lambda running: publication.published(running, self.name)):
            raise NotReady(f"{self.name} was not prepared")
        if self._subscription() is not None:
            self.resume()
            return
        if not self._copies:
            raise NotReady(f"{self.name} was not prepared")
        tables = self._tables(self.origin)
        refuse_unlike(tables, self._tables(self._destination), self._destination)
        self._connections.admin(self._destination, lambda running: refuse_full(running, tables, self._destination))
        self._connections.admin(self._destination, _forget_beats)
        self._connections.admin(self.origin, lambda running: heartbeat.forget(running, self._destination))
        self._connections.admin(self.origin, self._beat)
        self._subscribe(enabled=True)

    def progress(self) -> Progress:
        """As `Engine.progress`."""
        found = self._subscription()
        if found is None:
            return Progress("absent")
        here, there = self._tables(self._destination), self._tables(self.origin)
        known = self._connections.admin(self._destination, lambda running: loading.states(running, found.oid))
        tables = loading.compose(there, here, known)
        problems = self._problems(found)
        if problems:
            return Progress("failed", tables, tuple(problems))
        if not found.enabled:
            return Progress("paused", tables)
        # The heartbeat's own load counts: until it is over, no beat tells whether changes were lost.
        loaded = all(state == "replicating" for state, _ in known.values()) and len(known) > len(tables)
        return Progress("replicating" if loaded else "loading", tables)

    def lag(self, limit: float = 10.0) -> Lag:
        """As `Engine.lag`."""
        beat = self._connections.admin(self.origin, self._beat)
        elapsed = self._arrival(beat, limit)
        place = self._slot()
        behind = place.behind if place else None
        return Lag(limit if elapsed is None else elapsed, elapsed is not None, behind)

    def marker(self, timeout: float) -> Marker:
        """As `Engine.marker`."""
        beat = self._connections.admin(self.origin, self._beat)
        elapsed = self._arrival(beat, timeout)
        if elapsed is None:
            behind = [name for name in self._out_of_step(beat) if name != heartbeat.TABLE]
            what = f"with every change before it: {', '.join(behind)} did not keep up" if behind else ""
            problems = " ".join(self._problems(self._subscription())) or "Its worker may be behind a large transaction."
            raise NotReady(
                f"beat {beat.number} of the {self.origin} is not on the {self._destination} after {timeout:g} s"
                f"{' ' * bool(what)}{what}. {problems}"
            )
        return Marker(self.origin, beat.number, elapsed)

    def pause(self) -> None:
        """As `Engine.pause`."""
        found = self._subscription()
        if found is None:
            return
        self._connections.admin(self._destination, lambda running: subscription.disable(running, self.name))
        if not subscription.until(lambda: self._at_rest(found)):
            raise NotReady(f"the worker of {self.name} has not ended: it may be waiting for a lock on the target")

    def resume(self) -> None:
        """As `Engine.resume`."""
        if self._subscription() is None:
            raise NotReady(f"{self.name} was not started")
        self._slot_or_broken()
        connection = self._connections.peer_login(self.origin).for_a_server()

        def act(running: cursor) -> None:
            subscription.reach(running, self.name, connection)
            subscription.enable(running, self.name)

        self._connections.admin(self._destination, act)

    def position(self, limit: float = 60.0) -> None:
        """As `Engine.position`; where both sides are 16 or newer, origins are told apart and nothing is skipped."""
        if self.told_apart:
            return
        found = self._subscription()
        if found is None or found.enabled or not self._at_rest(found):
            raise NotReady(f"{self.name} has to be there and paused to be positioned")
        self._slot_or_broken()
        self._connections.peer(self.origin, lambda running: slot.advance_to_now(running, self.name))
        latest = self._connections.admin(self.origin, lambda running: heartbeat.read(running, self.origin))
        self._connections.admin(self._destination, lambda running: heartbeat.link(running, self.origin, latest))

    def retire(self) -> None:
        """As `Engine.retire`."""
        found = self._subscription()
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
        found = self._subscription()
        if found is None:
            raise Broken(f"the {self._destination} has no subscription {self.name} any more: {self._mends}")
        place = self._slot_or_broken()
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
                f"identifier {now.server}, recorded {recorded.server}): {self._mends}"
            )
        if now.reader != recorded.reader:
            raise Broken(f"the subscription {self.name} is not the one that was recorded: {self._mends}")
        if _lsn(now.position) < _lsn(recorded.position):
            raise Broken(
                f"the slot {self.name} stands at {now.position}, before the recorded {recorded.position}: the "
                f"{self.origin} went back in time, or the slot was made anew: {self._mends}"
            )

    def close(self) -> None:
        """As `Engine.close`."""
        self._connections.close()

    @property
    def _copies(self) -> bool:
        return self.origin == "source"

    @property
    def _mends(self) -> str:
        """What to do where changes were lost."""
        if self._copies:
            return "`paymig replicate stop --retire`, empty the target's tables, and start again"
        return "the target holds every payment, and `paymig rollback` counts what the source lacks"

    @property
    def _goes_on(self) -> str:
        if self._copies:
            return "`paymig replicate start`"
        return f"`ALTER SUBSCRIPTION {self.name} ENABLE` on the {self._destination}"

    def _subscribe(self, *, enabled: bool) -> None:
        """Make the slot, then its subscription: dying between the two leaves a slot that the next attempt replaces."""
        connection = self._connections.peer_login(self.origin).for_a_server()
        self._connections.peer(self.origin, lambda running: slot.create(running, self.name))

        def act(running: cursor) -> None:
            subscription.create(
                running, self.name, connection, copy=self._copies, origin_none=self.told_apart, enabled=enabled
            )

        self._connections.admin(self._destination, act)

    def _arrival(self, beat: Beat, limit: float) -> float | None:
        """Return how many seconds a beat took with every change before it, or None where that was not in time.

        Raises:
            Broken: It can't arrive any more: the reader has confirmed more of the log, and does not have it.
        """

        def look(running: cursor) -> Beat | None:
            return heartbeat.read(running, self.origin)

        def seen() -> Beat | None:
            return self._connections.admin_at_once(self._destination, look)

        begun = time.monotonic()
        elapsed = heartbeat.wait(seen, beat.number, min(limit, _DOUBT_SECONDS))
        written = self._connections.admin_at_once(self.origin, _now) if elapsed is None else ""
        while elapsed is None and (left := begun + limit - time.monotonic()) > 0:
            place = self._slot_or_broken()
            if _lsn(place.confirmed) >= _lsn(written) and self._follows_the_heartbeat():
                latest = seen()
                if latest is None or latest.number < beat.number:
                    raise Broken(
                        f"the {self._destination} has confirmed the log of the {self.origin} up to {place.confirmed}, "
                        f"and beat {beat.number} before it was lost: so are changes, for example by a slot that was "
                        f"made anew: {self._mends}."
                    )
            if heartbeat.wait(seen, beat.number, min(left, 1.0)) is not None:
                elapsed = time.monotonic() - begun
        while elapsed is not None and self._out_of_step(beat):
            elapsed = time.monotonic() - begun
            if elapsed >= limit:
                return None
            time.sleep(_STEP_SECONDS)
        return elapsed

    def _out_of_step(self, beat: Beat) -> list[str]:
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

        return self._connections.admin(self._destination, look)

    def _follows_the_heartbeat(self) -> bool:
        found = self._subscription()
        if found is None:
            return False
        known = self._connections.admin(self._destination, lambda running: loading.states(running, found.oid))
        return known.get(heartbeat.TABLE, ("waiting", 0))[0] == "replicating"

    def _problems(self, found: Subscription | None) -> list[str]:
        if found is None:
            return [f"The {self._destination} has no subscription {self.name}."]
        problems = []
        place = self._slot()
        if place is None:
            problems.append(f"The {self.origin} has no slot {self.name} any more: {self._mends}.")
        elif place.lost:
            problems.append(f"The slot {self.name} on the {self.origin} was invalidated: {self._mends}.")
        ran_into = self._errors(found)
        counted = ", ".join(f"{count} {words}" for words, count in ran_into.items()) or "no errors counted"
        if not found.enabled and not found.paused:
            problems.append(
                f"The subscription {self.name} was disabled ({counted}), and not by paymig: the log of the "
                f"{self._destination}'s server may say why. {self._goes_on} goes on where it stopped."
            )
        elif found.enabled and place is not None and not place.lost:
            if self._halts(found, place, ran_into):
                problems.append(
                    f"The subscription {self.name} has no worker at this moment ({counted}); it is started again every "
                    f"few seconds. If that lasts, the {self._destination} does not reach the {self.origin}, or has "
                    "rows that keep a change from being applied: the log of its server says which. Once that is "
                    "mended, it goes on by itself where it stopped."
                )
            # First which slots there are: a load that ends drops its own, and then is none that broke off.
            kept = self._connections.peer(self.origin, lambda running: slot.tables_of_loads(running, found.oid))
            stopped = self._connections.admin(self._destination, lambda running: loading.broken_off(running, found.oid))
            if lost := [one.table for one in stopped if one.copied and one.oid not in kept]:
                problems.append(
                    f"The load of {', '.join(lost)} can't be ended: the {self._destination}'s server died just then, "
                    f"and its slot on the {self.origin} is gone: {self._mends}."
                )
            elif stopped:
                names = ", ".join(one.table for one in stopped)
                problems.append(
                    f"The load of {names} broke off ({counted}); it is tried again every few seconds. If "
                    f"that lasts, the log of the {self._destination}'s server says why."
                )
        return problems

    def _halts(self, found: Subscription, place: Slot, errors: Mapping[str, int]) -> bool:
        """Whether the worker is away, also where it was back for the moment of the look, to run into the same error."""
        if not found.working and not place.active:
            return True
        uncounted = self._connections.major(self._destination) < _COUNTS_ERRORS
        if not (errors or uncounted or not found.working) or not self._follows_the_heartbeat():
            return False
        beat = self._connections.admin(self.origin, self._beat)

        def seen() -> Beat | None:
            return self._connections.admin(self._destination, lambda running: heartbeat.read(running, self.origin))

        if heartbeat.wait(seen, beat.number, _PROOF_SECONDS) is not None:
            return False
        # With a worker it may be behind a large transaction.
        now = self._subscription()
        return now is not None and now.enabled and (not now.working or self._errors(now) != errors)

    def _errors(self, found: Subscription) -> dict[str, int]:
        return self._connections.admin(self._destination, lambda running: loading.errors(running, found.oid))

    def _subscription(self) -> Subscription | None:
        return self._connections.admin(self._destination, lambda running: subscription.read(running, self.name))

    def _slot(self) -> Slot | None:
        return self._connections.peer(self.origin, lambda running: slot.read(running, self.name))

    def _slot_or_broken(self) -> Slot:
        place = self._slot()
        if place is None or place.lost:
            what = "is gone" if place is None else "was invalidated"
            raise Broken(f"the slot {self.name} on the {self.origin} {what}, so changes were lost: {self._mends}")
        return place

    def _at_rest(self, found: Subscription) -> bool:
        return self._connections.admin(self._destination, lambda running: subscription.at_rest(running, found.oid))

    def _tables(self, side: Side) -> list[Table]:
        return self._connections.admin(side, lambda running: read_tables(running, self._include, self._exclude))

    def _beat(self, running: cursor) -> Beat:
        return heartbeat.beat(running, self.origin)


def _forget_beats(running: cursor) -> None:
    for side in OTHER:
        heartbeat.forget(running, side)


def _now(running: cursor) -> str:
    running.execute("SELECT pg_current_wal_insert_lsn()::text")
    row = running.fetchone()
    return str(row[0]) if row else ""


def _lsn(text: str) -> int:
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
