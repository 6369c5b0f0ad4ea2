"""What a rehearsal did, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from paymig.rehearsal.measure import Latency, Second
from paymig.rehearsal.moves import Move, words
from paymig.rehearsal.operator import Typed
from paymig.rehearsal.proof import Proof


@dataclass(frozen=True)
class Phase:
    """One step as it went.

    Attributes:
        name: such as "shift 10".
        start: seconds since the rehearsal began.
        seconds: how long it took.
        result: what came of it, as a sentence.
        commands: what was typed meanwhile.
    """

    name: str
    start: float
    seconds: float
    result: str
    commands: tuple[Typed, ...] = ()


@dataclass(frozen=True)
class Sample:
    """What clients saw in about half a second.

    Attributes:
        at: seconds since the rehearsal began.
        weight: percent of the traffic that the record wants on the new side.
    """

    at: float
    weight: float


@dataclass
class Report:
    """A rehearsal.

    Attributes:
        migration: name and environment.
        spec: the spec's file.
        scenario: its name and title.
        began: seconds of the wall clock.
        stage: what it was played on, by name.
        options: as given.
        notes: what was not as it will be, as sentences.
        load_start: seconds since the beginning at which the load began.
        seconds_of_load: the load, second by second.
        lag: seconds since the beginning, and how many milliseconds the other database was behind then;
            None where a beat did not arrive.
        errors: of attempts, as of `measure.errors`.
        moves: of the writer.
        journal: its entries as JSON.
        comparison: the comparison's report, where one was made.
    """

    migration: str
    spec: str
    scenario: tuple[str, str]
    began: float
    stage: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    samples: Sequence[Sample] = ()
    load_start: float = 0.0
    seconds_of_load: Sequence[Second] = ()
    latency_by_phase: Mapping[str, Latency] = field(default_factory=dict)
    lag: list[tuple[float, float | None]] = field(default_factory=list)
    errors: Mapping[str, int] = field(default_factory=dict)
    moves: Sequence[Move] = ()
    journal: Sequence[Mapping[str, Any]] = ()
    comparison: Mapping[str, Any] | None = None
    proof: Proof | None = None

    @property
    def seconds(self) -> float:
        """From the beginning to the end of the last phase."""
        return max((phase.start + phase.seconds for phase in self.phases), default=0.0)

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return self.proof is not None and self.proof.kept

    @property
    def verdict(self) -> str:
        """One line for a person."""
        if self.proof is None:
            return "NOT PROVED: the rehearsal did not get to the proof."
        moved = "; ".join(words(move) for move in self.moves)
        return f"{self.proof.verdict} {moved[0].upper()}{moved[1:]}." if moved and self.kept else self.proof.verdict

    @property
    def writers(self) -> list[tuple[float, float, str]]:
        """Who was the writer: from when until when, in seconds since the beginning, and which side."""
        moved = [move for move in self.moves if move.committed is not None]
        starts = [(0.0, "source"), *((move.committed - self.began, move.to) for move in moved if move.committed)]
        ends = [at for at, _ in starts[1:]] + [self.seconds]
        return [(start, end, side) for (start, side), end in zip(starts, ends, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {**asdict(self), "seconds": round(self.seconds, 2), "verdict": self.verdict, "kept": self.kept}
