"""The rehearsal: the whole migration on this machine, by the very commands that run it on AWS, under load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from paymig.rehearsal import evidence, versions
from paymig.rehearsal.clients import Clients
from paymig.rehearsal.faults import sentence
from paymig.rehearsal.options import Options
from paymig.rehearsal.play import Play
from paymig.rehearsal.replication import LagWatch
from paymig.rehearsal.report import Phase, Report
from paymig.rehearsal.scenario import Scenario, Step, changed
from paymig.rehearsal.schedule import Schedule
from paymig.rehearsal.stage import Stage, open_stage
from paymig.rehearsal.steps import take
from paymig.rehearsal.view import View
from schemas.load import Spec

_ENVIRONMENTS = 4
"""Of each Lambda function: two for each core of the smallest machine that a rehearsal is meant for."""


FEWEST_REQUESTS = 3
"""Of a share of the traffic, that the gates ask for here: a bake of seconds sees no more of one percent."""


class Rehearsal:
    """One rehearsal of one spec.

    Args:
        spec: the operator's spec; its templates are deployed as they are.
        scenario: the steps to take.
        options: size and speed.
        view: where progress goes.
        environment: whose overlay was laid over the spec; None for none.
    """

    def __init__(
        self, spec: Spec, scenario: Scenario, options: Options, view: View, environment: str | None = None
    ) -> None:
        self._spec = replace(spec, file=Path(spec.file).name)
        self._environment = environment
        self._scenario = scenario
        self._options = options
        self._view = view
        self._began = time.time()
        self._report = Report(
            spec.migration.full_name,
            spec.file,
            (scenario.name, scenario.title),
            self._began,
            options=asdict(options),
        )

    def run(self) -> Report:
        """Play every step, then prove, then tidy up.

        Raises:
            PaymigError: a step failed; what was started is stopped and removed.
        """
        self._view.begin(self._report.migration, self._scenario.title)
        with self._staged() as stage:
            own = self._spec.migration.rehearsal
            workplace = _workplace(stage, self._spec)
            clients = Clients(
                workplace.parent / "load.jsonl",
                self._view.pulse,
                self._scenario.faulty,
                self._beside(own.workload),
                self._beside(own.old_api),
            )
            play = Play(self._spec, stage, self._options, workplace, self._view.hear, clients, self._environment)
            if play.peopled and self._spec.migration.rehearsal.schema_file is None:
                self._phase("fill the source", lambda: self._fill(play))
            with play.running():
                started = time.time()
                self._report.load_start = started - self._began
                with self._measuring(play) as measure:
                    for step in self._scenario.steps:
                        self._step(play, step)
                        measure()
                    ended = time.time()
                    self._phase("drain", lambda: self._drain(play))
            self._phase("prove", lambda: self._prove(play, started, ended))
            if play.writer() == "source" and play.weights().share:  # destroy refuses while it is in use
                self._step(play, Step("rollback"))
            self._step(play, Step("destroy"))
        return self._report

    def _beside(self, file: str | None) -> Path | None:
        """Find a file that the spec names."""
        return None if file is None else (self._spec.folder / file).resolve()

    @contextmanager
    def _staged(self) -> Iterator[Stage]:
        opened = time.time()
        self._view.start("start")
        with open_stage(
            self._spec.migration, self._beside(self._spec.migration.rehearsal.schema_file), _ENVIRONMENTS
        ) as stage:
            source, target = stage.source.version, stage.target.version
            wanted = self._spec.migration.database.engine_version
            self._report.stage = {
                "source": f"PostgreSQL {source}",
                "target": f"PostgreSQL {target}",
                "target in the spec": f"PostgreSQL {wanted}",
                "aws": "embedded",
            }
            self._note("start", opened, f"PostgreSQL {source} and {target}, AWS at {stage.embedded.endpoint_url}")
            for remark in (*versions.remarks(wanted, source, target), *self._stand_in()):
                self._report.notes.append(remark)
                self._view.remark(remark)
            yield stage

    def _stand_in(self) -> list[str]:
        dms = self._spec.migration.replication.engine == "dms"
        return (
            ["PostgreSQL's logical replication stands in for AWS DMS, which no machine but AWS's has."] if dms else []
        )

    @contextmanager
    def _measuring(self, play: Play) -> Iterator[Callable[[], None]]:
        """Give what starts to compare and to measure the lag, once replication is there."""
        watches: list[LagWatch | Schedule] = []

        def begin() -> str:
            watches.extend((LagWatch(play, self._lagging), Schedule(play)))
            return "the deployed function has compared, and does so again and again from now on"

        def measure() -> None:
            if play.replicating and not watches:
                self._phase("validation", begin)

        try:
            yield measure
        finally:
            for watch in watches:
                watch.stop()

    def _lagging(self, at: float, milliseconds: float | None) -> None:
        self._report.lag.append((round(at - self._began, 2), milliseconds and round(milliseconds, 2)))
        self._view.lag(milliseconds)

    def _step(self, play: Play, step: Step) -> None:
        before = len(play.typed)
        opened = time.time()
        name = f"{step.take}, {step.fault}" if step.fault else step.take
        if step.fault:
            self._report.notes.append(f"During {step.take}: {sentence(step.fault)}")
        self._view.start(name)
        result = take(play, step)
        self._note(name, opened, result, play, before)

    def _phase(self, name: str, act: Callable[[], str]) -> None:
        opened = time.time()
        self._view.start(name)
        self._note(name, opened, act())

    def _note(self, name: str, opened: float, result: str, play: Play | None = None, before: int = 0) -> None:
        commands = tuple(play.typed[before:]) if play is not None else ()
        phase = Phase(name, round(opened - self._began, 3), round(time.time() - opened, 3), result, commands)
        self._report.phases.append(phase)
        self._view.end(phase)

    def _fill(self, play: Play) -> str:
        play.fill()
        return f"{self._options.rows} older payments and their ledger lines"

    def _drain(self, play: Play) -> str:
        play.clients.drain()
        return f"{len(play.clients.outcomes())} requests answered"

    def _prove(self, play: Play, started: float, ended: float) -> str:
        evidence.gather(self._report, play, self._scenario, started, ended)
        proof = self._report.proof
        if proof is None:
            raise AssertionError("the evidence holds the proof")
        lost = f"; {proof.lost} were given up" if proof.lost else ""
        return f"{proof.found} of {proof.promised} acknowledged writes found once{lost}"


def _workplace(stage: Stage, spec: Spec) -> Path:
    """Make the folder that the operator types in: the spec, and links to what lies beside it."""
    folder = stage.embedded.folder / "rehearsal" / "spec"
    folder.mkdir(parents=True)
    for beside in spec.folder.resolve().iterdir():
        if beside.name != spec.file:
            (folder / beside.name).symlink_to(beside)
    fewest = min(spec.migration.cutover.gates.minimum_requests, FEWEST_REQUESTS)
    (folder / spec.file).write_text(changed(spec.text, {"cutover": {"gates": {"minimum_requests": fewest}}}))
    return folder
