"""Where a migration stands on its road, told from the journal and the live weights alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from runtime_lambdas.runtime.journal.control import Writer
from runtime_lambdas.runtime.journal.entry import Entry

Phase = Literal["absent", "provisioned", "replicating", "shifting", "switching", "baking", "finalized"]

_REPLICATE, _SWITCH, _FINALIZE = "replicate start", "switchover", "finalize"
_WRITER_VERBS = (_SWITCH, "switchback", _FINALIZE)


@dataclass(frozen=True)
class Standing:
    """What decides the phase.

    Attributes:
        deployed: whether the weighted pair exists.
        share: of the traffic that AWS gets, in percent.
        writer: who it is.
        replicating: whether replication was started and not stopped since.
        switching: whether a switchover has begun and neither committed nor was undone.
        committed: when the writer moved to the target; None while it is the source.
        finalized: whether the way back was given up.
    """

    deployed: bool
    share: float
    writer: Writer
    replicating: bool = False
    switching: bool = False
    committed: datetime | None = None
    finalized: bool = False

    @property
    def phase(self) -> Phase:
        """Name the phase."""
        if not self.deployed:
            return "absent"
        if self.writer.side == "target":
            return "finalized" if self.finalized else "baking"
        if self.switching:
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
    """
    replicate = [entry for entry in entries if entry.verb.startswith("replicate") and entry.kind == "done"]
    of_writer = [entry for entry in entries if entry.verb in _WRITER_VERBS]
    last = of_writer[-1] if of_writer else None
    committed = [entry for entry in of_writer if "epoch" in entry.evidence and entry.kind == "done"]
    return Standing(
        deployed=share is not None,
        share=share or 0,
        writer=writer,
        replicating=bool(replicate) and replicate[-1].verb == _REPLICATE,
        switching=last is not None and last.verb == _SWITCH and not _undone(last),
        committed=committed[-1].time if committed and writer.side == "target" else None,
        finalized=last is not None and last.verb == _FINALIZE and last.kind == "done",
    )


def _undone(entry: Entry) -> bool:
    return (entry.step, entry.kind) == ("undo", "done")
