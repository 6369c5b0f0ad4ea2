"""The proof: every acknowledged write is looked up in the writer, and every request is accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2

from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.measure import Counts, Latency, Pause, count, longest_pause
from paymig.rehearsal.older import Older
from paymig.rehearsal.workload import Receipt, Workload


@dataclass(frozen=True)
class Proof:
    """What a rehearsal proved.

    Attributes:
        writer: "source" or "target".
        promised: how many writes were acknowledged, each counted once.
        found: how many of them stand in the writer as they were promised.
        lost: how many do not, among those that the operator gave up.
        pause: the longest time in which no write was acknowledged to any client.
        problems: what is not as promised, as sentences; empty where all is.
    """

    writer: str
    promised: int
    found: int
    lost: int
    counts: Counts
    latency: Latency
    pause: Pause
    problems: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """One line for a person."""
        if not self.kept:
            return f"NOT PROVED: {self.problems[0]}" + (
                f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            )
        failed = f"{self.counts.failed} requests failed" if self.counts.failed else "no request failed"
        every = f"{self.found} in the {self.writer} exactly once, {self.lost} LOST as the operator accepted"
        if not self.lost:
            every = f"every one in the {self.writer} exactly once"
        return (
            f"{self.promised} writes acknowledged, {every}; ledger balanced; "
            f"{failed}, longest write pause {self.pause.seconds * 1000:.0f} ms."
        )


def prove(
    dsn: str,
    writer: str,
    workload: Workload,
    outcomes: Sequence[Outcome],
    started: float,
    ended: float,
    older: Older,
    given_up: Sequence[tuple[float, float]] = (),
) -> Proof:
    """Look everything up in one snapshot of the writer.

    Args:
        dsn: of the writer, able to read all tables.
        writer: its name.
        workload: knows what its receipts mean.
        outcomes: of the whole load.
        started: when the load began; wall clock, seconds.
        ended: when it ended.
        older: what stood in the source before the load began.
        given_up: from when until when what was acknowledged may be lost, since the operator said so.
    """
    receipts, at_stake = _promises(outcomes, given_up)
    unknown = [outcome.request for outcome in outcomes if outcome.uncertain]
    connection = psycopg2.connect(dsn)
    try:
        connection.set_session("REPEATABLE READ", readonly=True)
        with connection, connection.cursor() as cursor:
            finding = workload.prove(cursor, receipts, [*unknown, *(receipt.request for receipt in at_stake)])
            problems = [*finding.problems, *older.differences(Older.read(cursor, list(older.digests)))]
            spared = workload.prove(cursor, at_stake, []).found if at_stake else 0
    finally:
        connection.close()
    # Whoever repeats a payment that was given up makes it anew, and is answered with another id.
    anew = {receipt.request.key for receipt in at_stake}
    wrong = [f"{o.request.kind}: {o.why}" for o in outcomes if o.ok and o.why and o.request.key not in anew]
    if wrong:
        problems.append(f"{len(wrong)} answers were wrong: {'; '.join(wrong[:3])}")
    pause = longest_pause(outcomes, started, ended)
    return Proof(
        writer,
        len(receipts) + len(at_stake),
        finding.found + spared,
        len(at_stake) - spared,
        count(outcomes, pause),
        Latency.of(outcomes),
        pause,
        tuple(problems),
    )


def _promises(
    outcomes: Sequence[Outcome], given_up: Sequence[tuple[float, float]]
) -> tuple[list[Receipt], list[Receipt]]:
    """Return the receipts that must be kept, and those that were given up."""
    kept: list[Receipt] = []
    at_stake: list[Receipt] = []
    for outcome in outcomes:
        receipt = outcome.receipt
        if receipt is not None and receipt.request.kind != "repeat":
            lossy = any(outcome.done >= since and outcome.sent <= until for since, until in given_up)
            (at_stake if lossy else kept).append(receipt)
    return kept, at_stake
