"""How long a pause of writes is expected to last, from figures that were measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from runtime_lambdas.runtime.comparison.place import Pace
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.switchover.history import BEGIN
from runtime_lambdas.switchover.measure import Measured
from runtime_lambdas.switchover.phases import WAYS, Step

_UNSEEN = 1.0  # seconds of writes that the comparison at the fence has to read: what came after the last look before it
_REST = "the fence, the sequences, the way back, the commit and the opening"


@dataclass(frozen=True)
class Timed:
    """What a move of the writer took, apart from what is measured anew each time.

    Attributes:
        verb: "switchover" or "switchback".
        at: when its pause ended.
        pause: seconds that it lasted.
        rest: seconds of it without the drain and the comparison.
    """

    verb: str
    at: datetime
    pause: float
    rest: float


@dataclass(frozen=True)
class Part:
    """A part of a pause.

    Attributes:
        seconds: that it is expected to take.
        made_of: the figures, in words.
    """

    what: str
    seconds: float
    made_of: str


@dataclass(frozen=True)
class Expected:
    """A pause that is still ahead.

    Attributes:
        parts: those for which there are figures.
        unknown: what there is no figure for, and why.
        writers: transactions that are open now and whose ends a fence would wait for.
        oldest_writer: seconds for which the oldest is open; None where nobody may see it.
        budget: seconds after which a pause is given up.
    """

    parts: tuple[Part, ...]
    unknown: tuple[str, ...]
    writers: int
    oldest_writer: float | None
    budget: float

    @property
    def seconds(self) -> float:
        """The sum of the known parts."""
        return sum(part.seconds for part in self.parts)

    @property
    def fits(self) -> bool | None:
        """Whether it is within the budget; None where it can't be told."""
        if self.seconds > self.budget:
            return False
        return None if self.unknown else True

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON's types."""
        return {"seconds": round(self.seconds, 4), "fits": self.fits, **asdict(self)}

    def __str__(self) -> str:
        about = "at least" if self.unknown else "about"
        verdict = {
            True: "it fits",
            False: "it does not fit, and would be given up and undone",
            None: "whether it fits can't be told",
        }[self.fits]
        lines = [f"expected pause: {about} {self.seconds:.3f} s, of a budget of {self.budget:g} s: {verdict}"]
        lines += [f"  {part.seconds:.3f} s  {part.what}: {part.made_of}" for part in self.parts]
        lines += [f"  not known: {why}" for why in self.unknown]
        if self.writers:
            age = (
                "since when, only pg_read_all_stats may see"
                if self.oldest_writer is None
                else (f"the oldest for {self.oldest_writer:.1f} s")
            )
            lines.append(f"  and the fence waits for what has written and is open: {self.writers} now, {age}")
        return "\n".join(lines)


def expect(measured: Measured, pace: Pace | None, timed: Timed | None, budget: float) -> Expected:
    """Put together what was measured.

    Args:
        measured: at the databases, now.
        pace: of the last comparison that found both sides equal.
        timed: the last move of the writer.
        budget: seconds that writes may be paused.
    """
    parts, unknown = [], []
    if measured.lag is None:
        unknown.append("the drain: no beat of the source arrives on the target (paymig replicate status says why)")
    else:
        parts.append(Part("the drain", measured.lag, "a beat of the source took so long to the target, just now"))
    checked = f"took {measured.invariants:.3f} s just now"
    if pace is None or not pace.rows:
        parts.append(Part("the invariants", measured.invariants, f"they {checked}"))
        unknown.append("the comparison: none has found both sides equal yet (paymig compare)")
    else:
        rows = measured.writes * _UNSEEN
        reading = rows * pace.seconds / pace.rows
        when = f"{pace.started.astimezone(UTC):%H:%M:%S} UTC"
        figures = (
            f"{rows:.0f} rows, as many as are written in {_UNSEEN:g} s, at the rate of the last one that found both "
            f"sides equal ({pace.mode}, {when}: {pace.rows:,} rows in {pace.seconds:.1f} s); the invariants {checked}"
        )
        parts.append(Part("the comparison", reading + measured.invariants, figures))
    if timed is None:
        unknown.append(f"{_REST}: never timed on these databases (paymig rehearse times them on this machine)")
    else:
        when = f"{timed.at:%Y-%m-%d %H:%M} UTC"
        parts.append(
            Part(_REST, timed.rest, f"so long at the {timed.verb} of {when}, whose pause took {timed.pause:.3f} s")
        )
    return Expected(tuple(parts), tuple(unknown), measured.writers, measured.oldest_writer, budget)


def last_timed(entries: Iterable[Entry]) -> Timed | None:
    """Read from the journal what the last move of the writer took; one that gave rows up says nothing of others."""
    found, seconds = None, dict[str, float]()
    for entry in entries:
        if entry.verb not in WAYS:
            continue
        if entry.step == BEGIN:
            seconds = {}
        elif entry.kind == "done" and entry.step in (Step.DRAIN, Step.COMPARE):
            seconds[entry.step] = float(entry.evidence.get("seconds", 0.0))
        elif (entry.step, entry.kind) == (Step.OPEN, "done") and Step.DRAIN in seconds and "pause" in entry.evidence:
            pause = float(entry.evidence["pause"])
            found = Timed(entry.verb, entry.time, pause, max(0.0, pause - sum(seconds.values())))
    return found
