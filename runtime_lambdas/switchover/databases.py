"""The acts on the two real databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from psycopg2.extensions import cursor

from runtime_lambdas.runtime import roles
from runtime_lambdas.runtime.catalogue import SequenceState, read_sequences, read_tables
from runtime_lambdas.runtime.logins import Logins
from runtime_lambdas.runtime.replication.engine import Engine
from runtime_lambdas.runtime.writer import Side

from . import fence, guard, privileges, sequences
from .actions import Evidence, NotReady
from .alike import Alike
from .directions import Directions
from .history import Attempt
from .measure import Measured, measure
from .pause import Pause
from .phases import FORTH, Step, Way
from .privileges import Scope
from .probe import Applications
from .settings import Settings
from .sides import Sides


class Databases:
    """What a run does to the databases.

    Args:
        logins: finds the logins.
        forward: replication from source to target.
        settings: the migration's own values.
    """

    def __init__(self, logins: Logins, forward: Engine, settings: Settings) -> None:
        self._settings = settings
        self._sides = Sides(logins, settings)
        self._directions = Directions(forward, settings)
        self._alike: Alike | None = None
        self._rehearsed: dict[Side, tuple[Scope, Applications]] = {}
        self._extremes: dict[str, list[int]] = {}

    def claim(self, token: int) -> None:
        """As `Actions.claim`."""
        self._sides.claim(token)

    def do(self, way: Way, step: Step, attempt: Attempt | None, pause: Pause | None) -> Evidence:
        """As `Actions.do`."""
        loss = attempt.accept_loss if attempt else None
        match step:
            case Step.CHECK:
                return self._check(way, loss)
            case Step.PREPARE:
                return self._prepare(way)
            case Step.FENCE:
                act = self._sides.next_act()
                return fence.raise_(self._sides.connection(way.old), *self._rehearsed[way.old], act, _running(pause))
            case Step.DRAIN:
                return self._directions.drain(way, _running(pause))
            case Step.COMPARE:
                return self._compare(way, loss)
            case Step.SEQUENCES:
                return self._set_sequences(way)
            case Step.REVERSE:
                return self._directions.turn(way, _running(pause))
            case Step.COMMIT:
                raise AssertionError("the commit is the journal's")
            case Step.OPEN:
                return self._open(way)
            case Step.RETIRE:
                return self._retire(way, loss)
            case Step.FINALIZE:
                return self._directions.end()

    def undo(self, way: Way, step: Step) -> Evidence:
        """As `Actions.undo`."""
        if step is Step.REVERSE:
            return self._directions.turn_back(way)
        return fence.lower(self._sides.connection(way.old), self._sides.next_act())

    def close(self) -> None:
        """Close every connection."""
        if self._alike is not None:
            self._alike.close()
        self._directions.close()
        self._sides.close()

    def measure(self, way: Way) -> Measured:
        """Measure what the length of a pause depends on."""
        return measure(self._sides, self._directions, self._settings, way)

    def loss(self, way: Way) -> int:
        """Count the rows of the old writer that the new one does not have as they are.

        Raises:
            Refused, psycopg2.OperationalError: a side is out of reach, or a table not alike, so nobody can count.
        """
        return self._comparison(way).rows_at_stake()

    def _comparison(self, way: Way) -> Alike:
        return Alike(self._sides, self._settings, way, self._directions.ahead(way))

    def _check(self, way: Way, loss: int | None) -> Evidence:
        sequences.pair(self._sides.sequences(way.old), self._sides.sequences(way.new))
        found = self._rehearse(way.old)
        if loss is not None:
            return {**found, "accepted loss": loss}
        return {**found, **self._directions.check(way)}

    def _prepare(self, way: Way) -> Evidence:
        self._directions.prepare(way)
        for state in self._sides.sequences(way.old):
            self._extremes[state.full_name] = self._both(way, state)
        if self._alike is not None:
            self._alike.close()
        self._alike = self._comparison(way)
        found = self._alike.prepare()
        self._rehearse(way.old)  # again: that took a while, and may be another process's call than the check
        return {**found, "left": self._alike.settle()}

    def _rehearse(self, side: Side) -> Evidence:
        scope = self._sides.scope(side)
        found = fence.rehearse(self._sides.connection(side), scope)
        self._rehearsed[side] = scope, Applications(found["roles"], self._sides.applications(side))
        return found

    def _both(self, way: Way, state: SequenceState) -> list[int]:
        extremes = partial(sequences.extremes, state=state, indexed_only=False)
        return [number for side in (way.old, way.new) for number in self._sides.transact(side, extremes)]

    def _compare(self, way: Way, loss: int | None) -> Evidence:
        if loss is None:
            if self._alike is None:
                raise NotReady("the comparison was prepared by another process", "run the command again")
            return self._alike.at_the_fence()
        found = self.loss(way)
        if found > loss:
            raise NotReady(
                f"{found} rows would be lost, and {loss} were given up",
                f"--accept-loss {found} now, more as payments go on; or mend replication to the {way.new} first",
            )
        return {"lost": found}

    def _set_sequences(self, way: Way) -> Evidence:
        with ThreadPoolExecutor(2) as both:
            old, new = both.map(self._sides.sequences, (way.old, way.new))
        known = {
            state.full_name: self._extremes.get(state.full_name, [])
            + self._sides.transact(way.new, partial(sequences.extremes, state=state, indexed_only=True))
            for state in old
        }
        pairs, gap = sequences.pair(old, new), self._settings.sequence_gap
        return self._sides.transact(way.new, lambda running: sequences.set_ahead(running, pairs, known, gap))

    def _open(self, way: Way) -> Evidence:
        act = self._sides.next_act()
        fenced_before = way is not FORTH or self._sides.transact(way.new, privileges.recorded)
        if fenced_before:
            return fence.lower(self._sides.connection(way.new), act)
        api = self._sides.user("target", "api")

        def grant(running: cursor) -> None:
            guard.enter(running, *act)
            tables = read_tables(running, self._settings.include, self._settings.exclude)
            roles.open_writer(running, [api], tables, read_sequences(running, tables))

        self._sides.transact(way.new, grant)
        return {"roles": [api]}

    def _retire(self, way: Way, loss: int | None) -> Evidence:
        if self._alike is not None:
            self._alike.close()
            self._alike = None
        return self._directions.settle(way) if loss is None else self._directions.part()


def _running(pause: Pause | None) -> Pause:
    if pause is None:
        raise AssertionError("this step belongs to the pause")
    return pause
