"""What a rehearsal leaves as evidence: the load's figures, the journal, the moves of the writer, and the proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from paymig.journal.opening import open_journal
from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.measure import Latency, by_second, errors
from paymig.rehearsal.moves import moves
from paymig.rehearsal.play import Play
from paymig.rehearsal.proof import prove
from paymig.rehearsal.report import Report, Sample
from paymig.rehearsal.scenario import Scenario
from paymig.rehearsal.workload import open_workload


def gather(report: Report, play: Play, scenario: Scenario, started: float, ended: float) -> None:
    """Put all evidence into the report, once the load is over.

    Args:
        report: gets it.
        play: what was played.
        scenario: what is expected.
        started: when the load began; wall clock, seconds.
        ended: when clients stopped sending.
    """
    outcomes = play.clients.outcomes()
    writer = play.writer()
    workload = open_workload(play.clients.workload)
    proof = prove(play.dsn(writer), writer, workload, outcomes, started, ended, play.older, play.given_up)
    unexpected = scenario.broken(writer, play.weights().share, proof.counts.failed, proof.lost)
    report.proof = replace(proof, problems=(*proof.problems, *unexpected))
    report.comparison = play.comparison
    report.errors = errors(outcomes)
    report.seconds_of_load = by_second(outcomes, started)
    report.samples = [_sample(summary, report.began) for summary in play.clients.summaries if "weights" in summary]
    report.latency_by_phase = _latency(report, outcomes)
    report.journal = [entry.to_json() for entry in open_journal(play.stage.aws, report.migration).entries()]
    report.moves = moves(report.journal, outcomes)


def _latency(report: Report, outcomes: Sequence[Outcome]) -> dict[str, Latency]:
    """Measure each phase under load; one that comes again is numbered."""
    found: dict[str, Latency] = {}
    for phase in report.phases:
        if phase.start < report.load_start:
            continue
        times = sum(name.partition(" #")[0] == phase.name for name in found)
        within = (o for o in outcomes if 0 <= o.done - report.began - phase.start < phase.seconds)
        found[f"{phase.name} #{times + 1}" if times else phase.name] = Latency.of(within)
    return found


def _sample(summary: Mapping[str, Any], began: float) -> Sample:
    old, new = summary["weights"]
    return Sample(round(summary["at"] - began, 2), round(100 * new / (old + new), 1) if old + new else 50.0)
