"""AWS DMS as an engine: tasks that CloudFormation made, and that nothing but this starts and stops.

The first direction loads the tables and follows them. Once the writer has moved, each direction follows from a slot,
which paymig makes while nobody writes. A task is started with "start-replication" at most once for each such place, and
from then on with "resume-processing". "reload-target" loads again, into empty tables, what was ended.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime_lambdas.runtime.catalogue import Table, read_tables
from runtime_lambdas.runtime.logins import Logins, Role
from runtime_lambdas.runtime.replication import heartbeat, loading, slot
from runtime_lambdas.runtime.replication.beats import Beats
from runtime_lambdas.runtime.replication.connections import Connections
from runtime_lambdas.runtime.replication.dms_api import Moves, moves
from runtime_lambdas.runtime.replication.dms_course import Course
from runtime_lambdas.runtime.replication.dms_findings import by_table, problems, states, suspended, unloaded
from runtime_lambdas.runtime.replication.engine import OTHER, Broken, Identity, Lag, Marker, NotReady, Progress
from runtime_lambdas.runtime.replication.heartbeat import Beat
from runtime_lambdas.runtime.replication.tables import refuse_full, refuse_unlike
from runtime_lambdas.runtime.writer import Side

_NEXT_BEAT = 1.0  # seconds; applied in batches, a beat may wait for what comes after it


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
        self._beats = Beats(self._connections, origin)
        loads, follows = (tasks.load, tasks.follow) if origin == "source" else ("", tasks.back)
        self._load: Moves | None = moves(client, loads) if loads else None
        self._follow: Moves | None = moves(client, follows) if follows else None
        self._course = Course(name, self._connections, origin, self._load, self._follow)

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
        kept = self._course.place()
        if self._load is not None and (kept is None or kept.position is None):
            self._start_load(self._load, ended=kept is not None)
        else:
            self._course.go(self._course.at(kept), kept)
        self._course.running()

    def progress(self) -> Progress:
        """As `Engine.progress`."""
        kept = self._course.place()
        if kept is not None and kept.position is None:
            return Progress("absent")
        now = self._course.now(kept)
        state = now.read()
        if not state.began and kept is None:
            return Progress("absent")
        statistics = by_table(now.statistics())
        known = states(statistics, loads=kept is None)
        tables = loading.compose(self._tables(self.origin), self._tables(self._destination), known)
        if wrong := problems(now, state, statistics):
            return Progress("failed", tables, tuple(wrong))
        if state.at_rest:
            return Progress("paused", tables)
        loaded = state.status == "running" and all(one.state == "replicating" for one in tables)
        return Progress("replicating" if loaded or kept is not None else "loading", tables)

    def lag(self, limit: float = 10.0) -> Lag:
        """As `Engine.lag`."""
        _, elapsed = self._arrival(limit)
        return Lag(limit if elapsed is None else elapsed, elapsed is not None, None)

    def marker(self, timeout: float) -> Marker:
        """As `Engine.marker`; further beats push the first through where changes are applied in batches."""
        first, elapsed = self._arrival(timeout)
        if elapsed is None:
            state = self._course.now().read()
            raise NotReady(
                f"beat {first.number} of the {self.origin} is not on the {self._destination} after {timeout:g} s; DMS "
                f"says {state.status}{': ' if state.failure else ''}{state.failure}"
            )
        kept = self._course.place()
        told = by_table(self._course.now(kept).statistics())
        arrived = f"beat {first.number} of the {self.origin} is on the {self._destination}, and it proves nothing"
        if lost := suspended(told):
            raise Broken(f"{arrived}: DMS passes over changes of {', '.join(lost)}. paymig replicate status says more")
        if kept is None and (behind := unloaded(told)):
            raise NotReady(f"{arrived}: DMS has yet to load {', '.join(behind)}. paymig replicate status says more")
        return Marker(self.origin, first.number, elapsed)

    def pause(self) -> None:
        """As `Engine.pause`; DMS takes up to a minute."""
        self._course.stop()

    def resume(self) -> None:
        """As `Engine.resume`."""
        kept = self._course.place()
        if kept is not None or self._load is None:
            self._course.go(self._course.at(kept), kept)
        elif self._load.read().began:
            self._course.go(self._load, None)
        else:
            raise NotReady(f"{self._load.arn} was not started")
        self._course.running()

    def position(self, limit: float = 60.0) -> None:
        """As `Engine.position`: a slot is made, from which DMS starts when there is time for it.

        The other direction need not be stopped for this, only before this one starts: it carries its own beats alone.
        """
        self._course.keep(limit)

    def retire(self) -> None:
        """As `Engine.retire`; the slot that DMS made for a load goes when its task is deleted, with the stack."""
        if self._load is not None or self._follow is not None:
            self.pause()
        self._course.end()

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
        kept = self._course.place()
        now = self._course.now(kept)
        state = now.read()
        if not state.began:
            raise Broken(f"{now.arn} was never started")
        position = self._course.sound_slot().confirmed if kept is not None else "0/0"
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
        if failure := self._course.now().read().failure:
            raise Broken(f"DMS stopped {now.place}: {failure}")

    def close(self) -> None:
        """As `Engine.close`."""
        self._connections.close()

    def _start_load(self, load: Moves, *, ended: bool) -> None:
        state = load.read()
        if state.began and not ended:
            self._course.go(load, None)
            return
        if state.at_rest:
            tables = self._tables(self.origin)
            self._connections.admin(self._destination, lambda running: refuse_full(running, tables, self._destination))
            for side in OTHER:
                self._connections.admin(self._destination, lambda running, side=side: heartbeat.forget(running, side))  # type: ignore[misc]
            self._beats.write()
            load.start("reload-target" if state.began else "start-replication")
        self._course.forget()

    def _arrival(self, limit: float) -> tuple[Beat, float | None]:
        """Beat, and beat again every second, until the first has arrived or `limit` seconds are over."""
        begun = time.monotonic()
        first = self._beats.write()
        while (left := begun + limit - time.monotonic()) > 0:
            if heartbeat.wait(self._beats.arrived, first.number, min(left, _NEXT_BEAT)) is not None:
                return first, time.monotonic() - begun
            self._beats.write()
        return first, None

    def _tables(self, side: Side) -> list[Table]:
        return self._connections.admin(side, lambda running: read_tables(running, self._include, self._exclude))
