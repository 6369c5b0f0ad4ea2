"""From the load's outcomes to figures: pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.percentiles import percentile

HELD = 0.5
"""Seconds: a write that waited longer over a pause, and then succeeded at once, was held."""


@dataclass(frozen=True)
class Latency:
    """Latencies in milliseconds, from the planned time to the answer."""

    p50: float
    p95: float
    p99: float
    maximum: float

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Latency:
        """Measure the requests that succeeded."""
        ordered = sorted(outcome.latency * 1000 for outcome in outcomes if outcome.ok)
        p50, p95, p99 = (round(percentile(ordered, share), 1) for share in (50, 95, 99))
        return cls(p50, p95, p99, round(ordered[-1], 1) if ordered else 0.0)


@dataclass(frozen=True)
class Pause:
    """A time in which no client's write was acknowledged; wall clock, seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


@dataclass(frozen=True)
class Counts:
    """How the requests of a load ended.

    Attributes:
        retried: succeeded after more than one attempt.
        held: writes that were sent before or in the longest pause, waited longer than `HELD`, and succeeded.
        uncertain: writes that failed and may have been made.
    """

    requests: int
    succeeded: int
    failed: int
    retried: int
    held: int
    uncertain: int
    writes: int
    by_kind: dict[str, int]
    by_side: dict[str, int]


@dataclass(frozen=True)
class Second:
    """One second of the load.

    Attributes:
        at: seconds since the load began.
        requests: answered in it.
        new: how many of them by the new API.
        p50: milliseconds.
        p99: milliseconds.
    """

    at: int
    requests: int
    failed: int
    new: int
    p50: float
    p99: float


def longest_pause(outcomes: Iterable[Outcome], start: float, end: float) -> Pause:
    """Return the longest time within `start` and `end` in which no write was acknowledged to any client."""
    times = sorted(o.done for o in outcomes if o.ok and o.request.writes and start <= o.done <= end)
    marks = [start, *times, end]
    return max((Pause(a, b) for a, b in pairwise(marks)), key=lambda pause: pause.seconds)


def pause_over(outcomes: Iterable[Outcome], start: float, end: float) -> Pause:
    """Return the longest time that overlaps `start` to `end` and in which no write was acknowledged to any client."""
    times = sorted(o.done for o in outcomes if o.ok and o.request.writes)
    gaps = [Pause(a, b) for a, b in pairwise(times) if a < end and b > start]
    return max(gaps, key=lambda pause: pause.seconds, default=Pause(start, end))


def count(outcomes: Sequence[Outcome], pause: Pause) -> Counts:
    """Count how requests ended."""
    return Counts(
        requests=len(outcomes),
        succeeded=sum(o.ok for o in outcomes),
        failed=sum(not o.ok for o in outcomes),
        retried=sum(o.ok and o.attempts > 1 for o in outcomes),
        held=sum(
            o.ok and o.request.writes and o.attempts == 1 and o.done - o.sent > HELD and _over(o, pause)
            for o in outcomes
        ),
        uncertain=sum(o.uncertain for o in outcomes),
        writes=sum(o.request.writes for o in outcomes),
        by_kind=dict(sorted(Counter(o.request.kind for o in outcomes).items())),
        by_side=dict(sorted(Counter(o.side for o in outcomes).items())),
    )


def _over(outcome: Outcome, pause: Pause) -> bool:
    return outcome.sent <= pause.end and outcome.done >= pause.start


def errors(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Count what attempts met that did not succeed, the most frequent first, as "new 503"; 0 where no answer came."""
    return dict(Counter(error for outcome in outcomes for error in outcome.errors).most_common())


def by_second(outcomes: Iterable[Outcome], start: float) -> list[Second]:
    """Return the load second by second, from `start` on; a second without an answer is there too."""
    found: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(max(0, int(outcome.done - start)), []).append(outcome)
    seconds = []
    for at in range(max(found, default=-1) + 1):
        within = found.get(at, [])
        ordered = sorted(o.latency * 1000 for o in within if o.ok)
        seconds.append(
            Second(
                at,
                len(within),
                sum(not o.ok for o in within),
                sum(o.side == "new" for o in within),
                round(percentile(ordered, 50), 1),
                round(percentile(ordered, 99), 1),
            )
        )
    return seconds
