"""What an engine of replication does, and what it tells: the same for PostgreSQL's own and for AWS DMS.

An engine is one direction: from its `origin` to the other side. Every verb may be repeated, and finishes what an
earlier attempt left half done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from runtime_lambdas.runtime.logins import Role
from runtime_lambdas.runtime.writer import Side

State = Literal["absent", "loading", "replicating", "paused", "failed"]
TableState = Literal["waiting", "loading", "catching up", "replicating", "failed"]

OTHER: Mapping[Side, Side] = {"source": "target", "target": "source"}


class ReplicationError(RuntimeError):
    """Replication can't do what was asked: says why, and what to do."""


class NotReady(ReplicationError):
    """It can't be started or moved on as things stand; nothing was changed that a repetition would not need."""


class Broken(ReplicationError):
    """Changes were lost on their way, or may have been: neither direction can be trusted until all was compared."""


@dataclass(frozen=True)
class TableProgress:
    """How far one table is.

    Attributes:
        table: as "schema.table".
        rows: rows that were loaded.
        rows_expected: rows of the origin, estimated from its statistics.
        bytes: size on the destination, without indexes.
        bytes_expected: size on the origin, without indexes.
    """

    table: str
    state: TableState
    rows: int
    rows_expected: int
    bytes: int
    bytes_expected: int


@dataclass(frozen=True)
class Progress:
    """How far a direction is.

    Attributes:
        problems: one sentence each, with what to do; a direction that works has none.
    """

    state: State
    tables: tuple[TableProgress, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether the first load is over for every table."""
        return self.state in ("replicating", "paused") and all(one.state == "replicating" for one in self.tables)


@dataclass(frozen=True)
class Lag:
    """How far the destination is behind.

    Attributes:
        seconds: how long a beat written now took to arrive; where it did not, how long it was waited for.
        arrived: whether it did.
        bytes: what of the origin's log the destination has not confirmed; None where the engine does not say.
    """

    seconds: float
    arrived: bool
    bytes: int | None


@dataclass(frozen=True)
class Marker:
    """A beat that arrived: everything the origin had committed before it is on the destination.

    Attributes:
        beat: its number.
        seconds: from its commit to its arrival.
    """

    side: Side
    beat: int
    seconds: float


@dataclass(frozen=True)
class Identity:
    """What makes a direction the same one as before; JSON's types, to be kept in the journal.

    Attributes:
        engine: "logical" or "dms".
        server: the origin's system identifier: another one is another cluster.
        place: the slot's or the task's name.
        reader: what reads it: the subscription's or the task's own id.
        position: how far the origin's log was confirmed, as "0/1A2B3C"; it never goes back.
    """

    engine: str
    server: str
    place: str
    reader: str
    position: str

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON's types."""
        return dict(vars(self))


class Engine(Protocol):
    """One direction of replication."""

    @property
    def origin(self) -> Side:
        """The side that changes come from."""
        ...

    @property
    def applier(self) -> Role:
        """The target's role that writes there what was replicated."""
        ...

    @property
    def told_apart(self) -> bool:
        """Whether its origin's own changes are told from those that came from the other side.

        Where they are, both directions may run at once; where not, one at a time, or changes would come back.
        """
        ...

    @property
    def quick(self) -> bool:
        """Whether it starts and stops within a pause of writes."""
        ...

    def prepare(self) -> None:
        """Make everything that may be slow or wait for locks, so that `start` is quick.

        Raises:
            NotReady: A table can't be replicated.
        """
        ...

    def start(self) -> None:
        """Load the tables and follow the changes; what was started before is resumed, never loaded again.

        Raises:
            NotReady: Not prepared, or the destination is not empty or not alike.
        """
        ...

    def progress(self) -> Progress:
        """Tell how far the direction is, and what is wrong with it."""
        ...

    def lag(self, limit: float = 10.0) -> Lag:
        """Write a beat on the origin and time its way, for `limit` seconds at most.

        Raises:
            Broken: It can't arrive any more.
        """
        ...

    def marker(self, timeout: float) -> Marker:
        """Write a beat on the origin and wait until it is on the destination.

        Raises:
            NotReady: It did not arrive within `timeout` seconds.
            Broken: It can't arrive any more.
        """
        ...

    def pause(self) -> None:
        """Apply nothing from now on; the place in the origin's log is kept, and so is the log."""
        ...

    def resume(self) -> None:
        """Go on after a pause, with the logins as they are now."""
        ...

    def position(self, limit: float = 60.0) -> None:
        """Begin with what is written from now on: everything before is on the destination already.

        Called once the other direction was drained, and before anybody writes on the origin; where both are quick, the
        other one is paused. Directions that tell their own changes from those that were replicated need nothing of it.

        Raises:
            NotReady: It could not be done within `limit` seconds, or the direction is at work.
        """
        ...

    def retire(self) -> None:
        """End the direction for good, and leave nothing behind that would hold the origin's log."""
        ...

    def reverse(self) -> Engine:
        """Return the mirrored direction."""
        ...

    def identity(self) -> Identity:
        """Tell which slot or task this is.

        Raises:
            Broken: It is gone, or was invalidated.
        """
        ...

    def verify(self, recorded: Identity) -> None:
        """Make sure that this is the direction that was recorded.

        Raises:
            Broken: It is another one, is gone, or went back in time.
        """
        ...

    def close(self) -> None:
        """Close connections; the next verb opens them again."""
        ...
