"""How replication is: both directions, each by what its engine says and by a beat of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

import psycopg2

from paymig.console import Console
from paymig.cutover import way_back
from paymig.replication.show import Pace, table
from paymig.replication.words import worded
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.replication.engine import (
    Engine,
    Identity,
    Lag,
    NotReady,
    Progress,
    ReplicationError,
    TableProgress,
)
from runtime_lambdas.runtime.writer import Side

_LAG_SECONDS = 5.0
_PACE_SECONDS = 2.0  # for which a load is watched, to tell how long it still takes
ROLES = "make the target's roles"
ENDED = "end replication"
STARTED = "start replication"
"""The journal's step whose evidence holds the identity of what was started."""


@dataclass(frozen=True)
class Report:
    """How one direction of replication is, and the other one where it is on.

    Attributes:
        lag: None where there is nothing to measure.
        broken: why what arrives can't be trusted; empty where it can.
        pace: of the load; None where none is under way.
        back: from the target to the source; None where that is not on.
        writer: the side that takes writes.
    """

    progress: Progress
    lag: Lag | None
    broken: str
    pace: Pace | None = None
    back: Report | None = None
    writer: Side = "source"

    @property
    def follows(self) -> bool:
        """Whether this direction's destination is complete, and follows."""
        return self.progress.loaded and self.lag is not None and self.lag.arrived and not self.broken

    @property
    def healthy(self) -> bool:
        """Whether the side that takes no writes is complete, and follows the one that does."""
        return self.follows if self.writer == "source" else self.back is not None and self.back.follows

    @property
    def problems(self) -> list[str]:
        """What is wrong with this direction, one sentence each."""
        return [*self.progress.problems, *([self.broken] if self.broken else [])]

    def to_json(self) -> Mapping[str, Any]:
        """Give it as JSON's types."""
        return {
            **self._direction(),
            "healthy": self.healthy,
            "tables": [asdict(one) | {"seconds_left": self._left(one)} for one in self.progress.tables],
            "seconds_left": self._left(*self.progress.tables),
            "back": None if self.back is None else self.back._direction(),
        }

    def show(self, console: Console) -> None:
        """Print it."""
        console.result(self.to_json(), table(self))

    def _direction(self) -> dict[str, Any]:
        lag = asdict(self.lag) if self.lag else None
        return {"state": self.progress.state, "lag": lag, "problems": self.problems}

    def _left(self, *tables: TableProgress) -> float | None:
        return self.pace.left(tables) if self.pace else None


def look(engine: Engine, journal: Journal) -> Report:
    """Say how replication is; a beat is written on either side that is followed, to measure the lag.

    Args:
        engine: from the source to the target.
        journal: the migration's.

    Raises:
        Refused: a database can't be reached.
    """
    entries = list(journal.entries())
    if not any(one.step == ROLES and one.kind == "done" for one in entries):
        return Report(Progress("absent"), None, "")  # nothing could log in, so nothing was started
    with worded(), closing(engine.reverse()) as reverse:
        forth = _direction(engine, recorded_identity(journal))
        back = _back(reverse, way_back.recorded_identity(entries))
    return replace(forth, back=back, writer=journal.writer().side)


def _back(reverse: Engine, recorded: Identity | None) -> Report | None:
    """Say how the way back is; None where it is not on."""
    try:
        found = _direction(reverse, recorded)
    except (NotReady, psycopg2.errors.InsufficientPrivilege):
        return None  # DMS has no task that follows the target; or who may not see subscriptions has made none
    return None if found.progress.state == "absent" else found


def _direction(engine: Engine, recorded: Identity | None) -> Report:
    progress = engine.progress()
    if progress.state == "loading":
        begun = time.monotonic()
        time.sleep(_PACE_SECONDS)
        before, progress = progress, engine.progress()
        if progress.state == "loading":
            return Report(progress, None, "", Pace.between(before, progress, time.monotonic() - begun))
    if progress.state == "absent":
        return Report(progress, None, "")
    try:
        if recorded is not None:
            engine.verify(recorded)
        return Report(progress, engine.lag(_LAG_SECONDS), "")
    except ReplicationError as error:
        return Report(progress, None, str(error))


def recorded_identity(journal: Journal) -> Identity | None:
    """Return what was started last, as the journal has it; None where nothing was, or it was ended."""
    found = None
    for entry in journal.entries():
        if entry.kind == "done" and entry.step == STARTED:
            found = Identity(**entry.evidence["identity"])
        elif entry.kind == "done" and entry.step == ENDED:
            found = None
    return found
