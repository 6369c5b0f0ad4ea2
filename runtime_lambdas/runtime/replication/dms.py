"""AWS DMS as an engine: tasks that CloudFormation made, and that nothing but this starts and stops.

The first direction loads the tables and follows them. Once the writer has moved, each direction follows from a slot,
which paymig makes while nobody writes. A task is started with "start-replication" at most once for each such place, and
from then on with "resume-processing". "reload-target" loads again, into empty tables, what was ended.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.catalogue import Table, read_tables
from runtime_lambdas.runtime.logins import Logins, Role
from runtime_lambdas.runtime.replication import heartbeat, loading, place, slot
from runtime_lambdas.runtime.replication.connections import Connections
from runtime_lambdas.runtime.replication.dms_api import Moves, State, moves, wait_for
from runtime_lambdas.runtime.replication.engine import (
    OTHER,
    Broken,
    Identity,
    Lag,
    Marker,
    NotReady,
    Progress,
    TableState,
)
from runtime_lambdas.runtime.replication.heartbeat import Beat
from runtime_lambdas.runtime.replication.place import Place
from runtime_lambdas.runtime.replication.tables import refuse_full, refuse_unlike
from runtime_lambdas.runtime.writer import Side

_PLUGIN = "test_decoding"
_PATIENCE, _LOOK = 900.0, 2.0
_NEXT_BEAT = 1.0  # seconds; applied in batches, a beat may wait for what comes after it

_STATES: Mapping[str, TableState] = {
    "before load": "waiting",
    "full load": "loading",
    "table is being reloaded": "loading",
    "table completed": "replicating",
}
_DIFFER = ("Mismatched records", "Suspended records", "Table error", "Error")


@dataclass(frozen=True)
class Tasks:
    """ARNs of the tasks, or of the replication configurations, that the stacks hold.

    Attributes:
        load: loads the target and follows the source.
        follow: follows the source, once the writer was on the target; empty in stacks from before there was one.
        back: follows the target; empty as `follow`.
    """

    load: str
    follow: str = ""
    back: str = ""


class Dms:
    """One direction; the forward one loads the tables first, the way back begins at a slot.

    Args:
        name: the migration's full name.
        client: of "dms".
        tasks: what moves the rows.
        logins: finds the logins of both sides.
        include: patterns of the tables that move.
        exclude: patterns of those that do not.
        origin: the side that changes come from.
    """

    def __init__(
        self,
        name: str,
        client: Any,
        tasks: Tasks,
        logins: Logins,
        include: Sequence[str],
        exclude: Sequence[str],
        origin: Side = "source",
    ) -> None:
        self.origin: Side = origin
        self.applier: Role = "replication"
        self._destination: Side = OTHER[origin]
        self._migration, self._client, self._tasks, self._logins = name, client, tasks, logins
        self._include, self._exclude = tuple(include), tuple(exclude)
        self._connections = Connections(logins)
        self._slot = slot_name(name)
        loads, follows = (tasks.load, tasks.follow) if origin == "source" else ("", tasks.back)
        self._load: Moves | None = moves(client, loads) if loads else None
        self._follow: Moves | None = moves(client, follows) if follows else None

    @property
    def told_apart(self) -> bool:
        """As `Engine.told_apart`: DMS carries whatever is written."""
        return False

    @property
    def quick(self) -> bool:
        """As `Engine.quick`: on AWS a task takes minutes to start, and up to one to stop."""
        return False

    def prepare(self) -> None:
        """As `Engine.prepare`."""
        for side in (self.origin, self._destination):
            self._connections.admin(side, heartbeat.make)
        tables = self._tables(self.origin)
        if not tables:
            raise NotReady(f"no table of the {self.origin} matches {', '.join(self._include)}")
        refuse_unlike(tables, self._tables(self._destination), self._destination)
        for each in (self._load, self._follow):
            if each is not None:
                each.connect()

    def start(self) -> None:
        """As `Engine.start`."""
        entry = self._entry()
        if self._load is not None and (entry is None or entry.position is None):
            self._start_load(self._load, ended=entry is not None)
        else:
            self._go(self._at_its_place(entry), entry)
        wait_for(self._now(), ("running",), _PATIENCE, _LOOK)

    def progress(self) -> Progress:
        """As `Engine.progress`."""
        entry = self._entry()
        if entry is not None and entry.position is None:
            return Progress("absent")
        now = self._now(entry)
        state = now.read()
        if not state.began and entry is None:
            return Progress("absent")
        statistics = {f"{one['SchemaName']}.{one['TableName']}": one for one in now.statistics()}
        known: dict[str, tuple[TableState, int]] = {
            name: (_state(one), int(one.get("FullLoadRows", 0))) for name, one in statistics.items()
        }
        if entry is not None:  # nothing is loaded from a place, whatever DMS calls it
            known = {
                name: ("failed" if was == "failed" else "replicating", rows) for name, (was, rows) in known.items()
            }
        tables = loading.compose(self._tables(self.origin), self._tables(self._destination), known)
        problems = [*_problems(now, state), *_findings(statistics)]
        if problems:
            return Progress("failed", tables, tuple(problems))
        if state.at_rest:
            return Progress("paused", tables)
        loaded = state.status == "running" and all(one.state == "replicating" for one in tables)
        return Progress("replicating" if loaded or entry is not None else "loading", tables)

    def lag(self, limit: float = 10.0) -> Lag:
        """As `Engine.lag`."""
        _, elapsed = self._arrival(limit)
        return Lag(limit if elapsed is None else elapsed, elapsed is not None, None)

    def marker(self, timeout: float) -> Marker:
        """As `Engine.marker`; further beats push the first through where changes are applied in batches."""
        first, elapsed = self._arrival(timeout)
        if elapsed is None:
            state = self._now().read()
            raise NotReady(
                f"beat {first.number} of the {self.origin} is not on the {self._destination} after {timeout:g} s; DMS "
                f"says {state.status}{': ' if state.failure else ''}{state.failure}"
            )
        if behind := self._out_of_step():
            raise NotReady(
                f"beat {first.number} of the {self.origin} is on the {self._destination}, and it proves nothing: DMS "
                f"passes over changes of {', '.join(behind)}. paymig replicate status says more"
            )
        return Marker(self.origin, first.number, elapsed)

    def pause(self) -> None:
        """As `Engine.pause`; DMS takes up to a minute."""
        now = self._now()
        state = now.read()
        if state.at_rest:
            return
        if state.status != "stopping":
            wait_for(now, ("running", "stopped"), _PATIENCE, _LOOK)
            if now.read().status == "running":
                now.stop()
        wait_for(now, ("stopped",), _PATIENCE, _LOOK)

    def resume(self) -> None:
        """As `Engine.resume`."""
        entry = self._entry()
        if entry is not None or self._load is None:
            self._go(self._at_its_place(entry), entry)
        elif self._load.read().began:
            self._go(self._load, None)
        else:
            raise NotReady(f"{self._load.arn} was not started")
        wait_for(self._now(), ("running",), _PATIENCE, _LOOK)

    def position(self, limit: float = 60.0) -> None:
        """As `Engine.position`: a slot is made, from which DMS starts when there is time for it.

        The other direction need not be stopped for this, only before this one starts: it carries its own beats alone.
        """
        if self._follow is None:
            raise NotReady(f"there is no DMS task that follows the {self.origin}: `paymig deploy` makes it")
        if not self._follow.read().at_rest:
            raise NotReady(f"{self._follow.arn} is at work: it would carry back what comes from the other side")
        # Beats are forgotten before the slot is made, so that it never carries that.
        for side in (self.origin, self._destination):
            self._connections.admin(side, lambda running: heartbeat.forget(running, self.origin))
        self._connections.peer(self.origin, lambda running: slot.create(running, self._slot, _PLUGIN, limit))
        made = self._slot_or_broken()
        self._connections.admin(self.origin, lambda running: place.keep(running, self.origin, made.confirmed))

    def retire(self) -> None:
        """As `Engine.retire`; the slot that DMS made for a load goes when its task is deleted, with the stack."""
        if self._load is not None or self._follow is not None:
            self.pause()
        self._connections.admin(self.origin, lambda running: place.keep(running, self.origin, None))
        self._connections.peer(self.origin, lambda running: slot.drop(running, self._slot))

    def reverse(self) -> Dms:
        """As `Engine.reverse`."""
        return Dms(
            self._migration,
            self._client,
            self._tasks,
            self._logins,
            self._include,
            self._exclude,
            self._destination,
        )

    def identity(self) -> Identity:
        """As `Engine.identity`."""
        entry = self._entry()
        now = self._now(entry)
        state = now.read()
        if not state.began:
            raise Broken(f"{now.arn} was never started")
        position = self._slot_or_broken().confirmed if entry is not None else "0/0"
        server = self._connections.peer(self.origin, slot.system_identifier)
        return Identity("dms", server, now.arn, state.made, position)

    def verify(self, recorded: Identity) -> None:
        """As `Engine.verify`; once the writer has been on the other side, another task goes on from a kept place."""
        now = self.identity()
        ours = [each.arn for each in (self._load, self._follow) if each is not None]
        moved_on = recorded.place != now.place and recorded.place in ours
        if recorded.engine != now.engine or not (
            moved_on or (now.place, now.reader) == (recorded.place, recorded.reader)
        ):
            raise Broken(
                f"recorded was {recorded.engine} {recorded.place} of {recorded.reader}, not {now.place} of "
                f"{now.reader}: compare everything first"
            )
        if now.server != recorded.server:
            raise Broken(f"the {self.origin} is another cluster than the one that replication was started from")
        if failure := self._now().read().failure:
            raise Broken(f"DMS stopped {now.place}: {failure}")

    def close(self) -> None:
        """As `Engine.close`."""
        self._connections.close()

    def _entry(self) -> Place | None:
        return self._connections.admin(self.origin, lambda running: place.read(running, self.origin))

    def _now(self, entry: Place | None = None) -> Moves:
        """Return what moves this direction's rows as things stand."""
        entry = entry or self._entry()
        follows = self._load is None or (entry is not None and entry.position is not None)
        found = self._follow if follows else self._load
        if found is None:
            raise NotReady(f"there is no DMS task that follows the {self.origin}: `paymig deploy` makes it")
        return found

    def _at_its_place(self, entry: Place | None) -> Moves:
        """Return what follows from the kept place.

        Raises:
            Broken: The slot is gone.
            NotReady: No place was kept.
        """
        if entry is None or entry.position is None:
            raise NotReady(f"no place was kept on the {self.origin} from which its changes could be followed")
        self._slot_or_broken()
        return self._now(entry)

    def _start_load(self, load: Moves, *, ended: bool) -> None:
        state = load.read()
        if state.began and not ended:
            self._go(load, None)
            return
        if state.at_rest:
            tables = self._tables(self.origin)
            self._connections.admin(self._destination, lambda running: refuse_full(running, tables, self._destination))
            for side in OTHER:
                self._connections.admin(self._destination, lambda running, side=side: heartbeat.forget(running, side))  # type: ignore[misc]
            self._connections.admin(self.origin, self._beat)
            load.start("reload-target" if state.began else "start-replication")
        self._connections.admin(self.origin, lambda running: place.forget(running, self.origin))

    def _go(self, what: Moves, entry: Place | None) -> None:
        """Start what is at rest: from its place where it has not begun there, else from where it was."""
        state = what.read()
        if state.status == "stopping":
            state = wait_for(what, ("stopped",), _PATIENCE, _LOOK)
        if not state.at_rest:
            return
        if entry is not None and not (state.began and state.position == entry.position):
            what.start("start-replication", entry.position)
        else:
            what.start("resume-processing")

    def _arrival(self, limit: float) -> tuple[Beat, float | None]:
        """Beat, and beat again every second, until the first has arrived or `limit` seconds are over."""
        begun = time.monotonic()
        first = self._connections.admin(self.origin, self._beat)

        def seen() -> Beat | None:
            return self._connections.admin_at_once(
                self._destination, lambda running: heartbeat.read(running, self.origin)
            )

        while (left := begun + limit - time.monotonic()) > 0:
            if heartbeat.wait(seen, first.number, min(left, _NEXT_BEAT)) is not None:
                return first, time.monotonic() - begun
            self._connections.admin(self.origin, self._beat)
        return first, None

    def _out_of_step(self) -> list[str]:
        """Return the tables that DMS does not follow, though its task goes on: suspended by an error, or not loaded."""
        entry = self._entry()
        found = []
        for one in self._now(entry).statistics():
            state = _state(one)
            if state == "failed" or (entry is None and state != "replicating"):
                found.append(f"{one['SchemaName']}.{one['TableName']} ({one.get('TableState')})")
        return sorted(found)

    def _slot_or_broken(self) -> slot.Slot:
        found = self._connections.peer(self.origin, lambda running: slot.read(running, self._slot, _PLUGIN))
        if found is None or found.lost:
            raise Broken(f"the slot {self._slot} on the {self.origin} is gone or was invalidated: changes were lost")
        return found

    def _tables(self, side: Side) -> list[Table]:
        return self._connections.admin(side, lambda running: read_tables(running, self._include, self._exclude))

    def _beat(self, running: cursor) -> Beat:
        return heartbeat.beat(running, self.origin)


def slot_name(name: str) -> str:
    """Return the slot from which DMS follows either side, as its endpoints name it."""
    return f"paymig_{re.sub('[^a-z0-9]', '_', name)}_dms"


def _problems(what: Moves, state: State) -> list[str]:
    if state.failure or state.status == "failed":
        return [f"DMS stopped {what.arn}: {state.failure or 'it does not say why'}"]
    return []


def _state(one: Mapping[str, Any]) -> TableState:
    return _STATES.get(str(one.get("TableState", "")).lower(), "failed")


def _findings(statistics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say what DMS itself found wrong with tables."""
    found = []
    for name, one in statistics.items():
        if _state(one) == "failed":
            found.append(f"DMS says of {name}: {one.get('TableState')}.")
        elif one.get("FullLoadErrorRows"):
            found.append(f"DMS could not load {one['FullLoadErrorRows']} rows of {name}.")
        elif one.get("ValidationState") in _DIFFER:
            count = one.get("ValidationFailedRecords", 0)
            found.append(f"DMS's own validation says of {name}: {one['ValidationState']}, {count} rows differ.")
    return found
