"""AWS DMS as an engine: tasks that CloudFormation made, and that nothing but this starts and stops.

A task is started once with "start-replication", which loads the tables, and from then on only with "resume-processing":
"reload-target" would load again what the target's own writers may have changed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.catalogue import Table, read_tables
from runtime_lambdas.runtime.logins import Logins, Role
from runtime_lambdas.runtime.replication import heartbeat, loading, slot
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


class Dms:
    """One direction; the forward one loads the tables first, the way back begins at a slot of its own.

    Args:
        name: the migration's full name.
        client: of "dms".
        tasks: by the side they read from, the ARN of a task or of a replication configuration.
        logins: finds the logins of both sides.
        include: patterns of the tables that move.
        exclude: patterns of those that do not.
        origin: the side that changes come from.
    """

    def __init__(
        self,
        name: str,
        client: Any,
        tasks: Mapping[Side, str],
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
        self._slot = slot_of_the_way_back(name)
        if origin not in tasks:
            raise NotReady(f"there is no DMS task that reads from the {origin}: `paymig deploy` makes it")
        self._moves: Moves = moves(client, tasks[origin])

    def prepare(self) -> None:
        """As `Engine.prepare`."""
        for side in (self.origin, self._destination):
            self._connections.admin(side, heartbeat.make)
        tables = self._tables(self.origin)
        if not tables:
            raise NotReady(f"no table of the {self.origin} matches {', '.join(self._include)}")
        refuse_unlike(tables, self._tables(self._destination), self._destination)
        self._moves.connect()

    def start(self) -> None:
        """As `Engine.start`."""
        state = self._moves.read()
        if state.began:
            self.resume()
            return
        position = None
        if self._loads:
            tables = self._tables(self.origin)
            self._connections.admin(self._destination, lambda running: refuse_full(running, tables, self._destination))
            for side in OTHER:
                self._connections.admin(self._destination, lambda running, side=side: heartbeat.forget(running, side))  # type: ignore[misc]
            self._connections.admin(self.origin, self._beat)
        else:
            position = self._slot_or_broken().confirmed
        self._moves.start("start-replication", position)
        wait_for(self._moves, ("running",), _PATIENCE, _LOOK)

    def progress(self) -> Progress:
        """As `Engine.progress`."""
        state = self._moves.read()
        if not state.began:
            return Progress("absent")
        statistics = {f"{one['SchemaName']}.{one['TableName']}": one for one in self._moves.statistics()}
        known: dict[str, tuple[TableState, int]] = {
            name: (_state(one), int(one.get("FullLoadRows", 0))) for name, one in statistics.items()
        }
        tables = loading.compose(self._tables(self.origin), self._tables(self._destination), known)
        problems = [*self._problems(state), *_findings(statistics)]
        if problems:
            return Progress("failed", tables, tuple(problems))
        if state.status == "stopped":
            return Progress("paused", tables)
        loaded = state.status == "running" and all(one.state == "replicating" for one in tables)
        return Progress("replicating" if loaded or not self._loads else "loading", tables)

    def lag(self, limit: float = 10.0) -> Lag:
        """As `Engine.lag`."""
        _, elapsed = self._arrival(limit)
        return Lag(limit if elapsed is None else elapsed, elapsed is not None, None)

    def marker(self, timeout: float) -> Marker:
        """As `Engine.marker`; further beats push the first through where changes are applied in batches."""
        first, elapsed = self._arrival(timeout)
        if elapsed is None:
            state = self._moves.read()
            raise NotReady(
                f"beat {first.number} of the {self.origin} is not on the {self._destination} after {timeout:g} s; DMS "
                f"says {state.status}{': ' if state.failure else ''}{state.failure}"
            )
        return Marker(self.origin, first.number, elapsed)

    def pause(self) -> None:
        """As `Engine.pause`; DMS takes up to a minute."""
        state = self._moves.read()
        if state.at_rest:
            return
        if state.status != "stopping":
            wait_for(self._moves, ("running", "stopped"), _PATIENCE, _LOOK)
            if self._moves.read().status == "running":
                self._moves.stop()
        wait_for(self._moves, ("stopped",), _PATIENCE, _LOOK)

    def resume(self) -> None:
        """As `Engine.resume`."""
        state = self._moves.read()
        if not state.began:
            raise NotReady(f"{self._moves.arn} was not started")
        if state.status == "stopping":
            state = wait_for(self._moves, ("stopped",), _PATIENCE, _LOOK)
        if state.at_rest:
            self._moves.start("resume-processing")
        wait_for(self._moves, ("running",), _PATIENCE, _LOOK)

    def position(self) -> None:
        """As `Engine.position`: the way back gets a slot, from which DMS starts when there is time for it.

        The forward task need not be stopped for this, only before the way back starts.
        """
        if self._loads:
            raise NotReady("the forward task keeps its place by itself: DMS has no way to move it")
        if self._moves.read().began:
            raise NotReady(f"{self._moves.arn} was started before, so its place is its own: deploy a new task")
        self._connections.peer(self.origin, lambda running: slot.create(running, self._slot, _PLUGIN))
        for side in (self.origin, self._destination):
            self._connections.admin(side, lambda running: heartbeat.forget(running, self.origin))

    def retire(self) -> None:
        """As `Engine.retire`; the slot that a forward task made goes when the task is deleted, with the stack."""
        self.pause()
        if not self._loads:
            self._connections.peer(self.origin, lambda running: slot.drop(running, self._slot))

    def reverse(self) -> Dms:
        """As `Engine.reverse`.

        Raises:
            NotReady: The stacks hold no task for it.
        """
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
        state = self._moves.read()
        if not state.began:
            raise Broken(f"{self._moves.arn} was never started")
        position = "0/0" if self._loads else self._slot_or_broken().confirmed
        server = self._connections.peer(self.origin, slot.system_identifier)
        return Identity("dms", server, self._moves.arn, state.made, position)

    def verify(self, recorded: Identity) -> None:
        """As `Engine.verify`."""
        now = self.identity()
        if (now.engine, now.place, now.reader) != (recorded.engine, recorded.place, recorded.reader):
            raise Broken(
                f"recorded was {recorded.engine} {recorded.place} of {recorded.reader}, not {now.place} of "
                f"{now.reader}: compare everything first"
            )
        if now.server != recorded.server:
            raise Broken(f"the {self.origin} is another cluster than the one that replication was started from")
        if failure := self._moves.read().failure:
            raise Broken(f"DMS stopped {now.place}: {failure}")

    def close(self) -> None:
        """As `Engine.close`."""
        self._connections.close()

    @property
    def _loads(self) -> bool:
        return self.origin == "source"

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

    def _problems(self, state: State) -> list[str]:
        if state.failure or state.status == "failed":
            return [f"DMS stopped {self._moves.arn}: {state.failure or 'it does not say why'}"]
        return []

    def _slot_or_broken(self) -> slot.Slot:
        place = self._connections.peer(self.origin, lambda running: slot.read(running, self._slot, _PLUGIN))
        if place is None or place.lost:
            raise Broken(f"the slot {self._slot} on the {self.origin} is gone or was invalidated: changes were lost")
        return place

    def _tables(self, side: Side) -> list[Table]:
        return self._connections.admin(side, lambda running: read_tables(running, self._include, self._exclude))

    def _beat(self, running: cursor) -> Beat:
        return heartbeat.beat(running, self.origin)


def slot_of_the_way_back(name: str) -> str:
    """Return the slot from which DMS reads the target, as its endpoint names it."""
    return f"paymig_{re.sub('[^a-z0-9]', '_', name)}_dms"


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
