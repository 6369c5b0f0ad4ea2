"""Where a migration stands on its road, told from the journal and the live weights alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from paymig.journal.state import read
from paymig.replication.run import LOADED
from paymig.replication.status import STARTED
from runtime_lambdas.runtime.journal.control import Writer
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.switchover.history import Attempt
from runtime_lambdas.switchover.phases import FORTH

Phase = Literal["absent", "provisioned", "replicating", "shifting", "switching", "baking", "finalized"]


@dataclass(frozen=True)
class Standing:
    """What decides the phase.

    Attributes:
        deployed: whether the weighted pair exists.
        share: of the traffic that AWS gets, in percent.
        writer: who it is.
        replicating: whether replication was started and not stopped since.
        loaded: whether its first load, and what follows it, has ended.
        move: the move of the writer that has to be completed or undone before anything else; None for none.
        finalized: whether the way back was given up.
        ending: the same, or that it was begun to be: nothing moves the writer back any more.
    """

    deployed: bool
    share: float
    writer: Writer
    replicating: bool = False
    loaded: bool = False
    move: Attempt | None = None
    finalized: bool = False
    ending: bool = False

    @property
    def phase(self) -> Phase:
        """Name the phase."""
        if not self.deployed:
            return "absent"
        if self.writer.side == "target":
            return "finalized" if self.finalized else "baking"
        if self.move is not None:
            return "switching"
        if self.share:
            return "shifting"
        return "replicating" if self.replicating else "provisioned"


def standing(share: float | None, writer: Writer, entries: Sequence[Entry]) -> Standing:
    """Read the journal.

    Args:
        share: what AWS gets; None without a weighted pair.
        writer: who it is.
        entries: of the journal, oldest first.

    Raises:
        Refused: they contradict each other.
    """
    state, replicating, loaded = read(entries), False, False
    for entry in entries:
        if entry.kind == "done" and entry.verb == "replicate stop":
            replicating = loaded = False
        elif entry.kind == "done" and entry.verb == "replicate start":
            replicating, loaded = replicating or entry.step == STARTED, loaded or entry.step == LOADED
    return Standing(
        deployed=share is not None,
        share=share or 0,
        writer=writer,
        replicating=replicating,
        loaded=loaded,
        move=state.left_over,
        finalized=state.finalized,
        ending=state.ending,
    )


def stopped(now: Standing, strategy: Literal["compute-first", "together"]) -> str | None:
    """Say what keeps applications from writing with nobody at work on it, and what ends that; None for nothing."""
    move = now.move
    if move is not None and move.keeps_from_writing:
        if not move.committed:
            ends = "paymig switchover or paymig rollback"
            return f"a {move.way.verb} stopped in the pause: nobody may be able to write until {ends} undoes it"
        completes = "paymig switchover" if move.way == FORTH else "paymig rollback"
        return f"a {move.way.verb} stopped past its point of no return: nobody can write until {completes} completes it"
    share, ends = 0, "paymig rollback turns it"
    if now.writer.side == "target":
        share, ends = 100, "paymig switchover turns it"
    if not now.deployed or now.share == share:
        return None
    if strategy == "compute-first":
        if now.writer.side == "source":
            return None  # the new API writes there as well
        ends = "paymig rollback moves the writer back"
        if now.ending:
            ends = "its weights are set in Route 53 by hand; no command does, now that the way back has ended"
    return (
        f"the traffic has not followed the writer to the {now.writer.side}: who asks the other API is refused his "
        f"writes until {ends}"
    )
