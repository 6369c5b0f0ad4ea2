"""The process of an operator is killed at every call that a command makes around the move of the writer.

What a move itself calls, under its lease, has a campaign of its own: tests/runtime_lambdas/switchover/test_crashes.py.
Here it is what the commands do besides: find the approval, look at the traffic, ask the replication whether it works,
and, with `strategy: together`, move the traffic after the writer. SIGKILL comes right before such a call or right after
it took effect, under load; then another operator types the same command. `make campaign` runs every point; as a rule a
random tenth is run, and its seed is printed.
"""

import os
import random
import signal
from collections.abc import Sequence
from contextlib import contextmanager
from itertools import zip_longest
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.cli import main
from paymig.deploy import record_of
from paymig.gates.position import wanted
from paymig.journal.opening import open_journal
from paymig.journal.state import read
from runtime_lambdas.switchover import service
from runtime_lambdas.switchover.databases import Databases
from runtime_lambdas.switchover.phases import Step
from schemas.load import load
from tests.paymig.operators import another, approve, live
from tests.paymig.paying import TOGETHER, checkout, may_pay, type_
from tests.runtime_lambdas.replication.pair import Side
from tests.runtime_lambdas.switchover.calls import counted, killing
from tests.runtime_lambdas.switchover.campaign import SHARE, Point, apart, killed, points_in, say, some
from tests.runtime_lambdas.switchover.clients import Clients
from tests.runtime_lambdas.switchover.stage import environment_of

pytestmark = pytest.mark.long

HOLDS = 0.5
"""Seconds that the API holds a request: shorter than a fence may be left behind, so some are told to come again."""
WAITS = 4
"""The exit code of a command that waits for an approval."""


class Case(NamedTuple):
    """A command that is killed.

    Attributes:
        start: the writer before.
        former: what an operator before him died in: the command, and the step that it did not live to begin.
        word: the command, with its options.
        writer: the writer in the end.
        code: how the command ends.
        approved: whether a switchover uses the approval up.
    """

    start: str
    former: tuple[str, Step] | None
    word: str
    writer: str
    code: int = 0
    approved: bool = True


FORTH = (
    Case("source", None, "switchover", "target"),
    Case("source", ("switchover", Step.COMPARE), "switchover", "target"),
    Case("source", ("switchover", Step.OPEN), "switchover", "target"),
    Case("source", ("switchover", Step.COMPARE), "rollback", "source", approved=False),
    Case("source", ("switchover", Step.OPEN), "rollback", "source"),
)
BACK = (
    Case("target", None, "rollback", "source"),
    Case("target", ("rollback", Step.COMPARE), "rollback", "source"),
    Case("target", ("rollback", Step.OPEN), "rollback", "source"),
    Case("target", ("rollback", Step.OPEN), "switchover", "source", WAITS),
)


IN_CLOUD = (
    Case("source", None, "switchover --in-cloud", "target"),
    Case("target", None, "rollback --in-cloud", "source"),
)


class Around:
    """Tells of each call of this process whether it is made outside of a move of the writer."""

    def __init__(self) -> None:
        self._inside = False
        self._move = service.move
        service.move = self._watched  # for as long as the process lives

    def __call__(self) -> bool:
        return not self._inside

    def _watched(self, *arguments, ready, follow, **named):
        self._inside = True
        try:
            return self._move(*arguments, ready=self._outside(ready), follow=self._outside(follow), **named)
        finally:
            self._inside = False

    def _outside(self, call):
        """Of what the move calls back, the calls count."""

        def called(*arguments):
            self._inside = False
            call(*arguments)
            self._inside = True

        return call and called


@contextmanager
def around(act):
    """Do this around the calls that are made outside of a move."""
    with act(counts=Around()):
        yield


@contextmanager
def dying(step: Step):
    """End this process by SIGKILL where a step of a move begins."""
    do = Databases.do

    def doing(self, way, now, attempt, pause):
        if now is step:
            os.kill(os.getpid(), signal.SIGKILL)
        return do(self, way, now, attempt, pause)

    Databases.do = doing
    yield


class Desk:
    """Operators who type, one of them killed, and what is true afterwards."""

    def __init__(self, stage, spec, file, databases, capsys) -> None:
        self.pair = SimpleNamespace(
            source=Side(stage.source, spec.migration.source.database.name),
            target=Side(stage.target, spec.migration.database_name),
        )
        self._stage, self._spec, self._file, self._databases, self._capsys = stage, spec, file, databases, capsys
        self.journal = open_journal(another(stage), spec.migration.full_name)
        self._approval = 0
        self._paid = 0

    def api_environment(self) -> dict[str, str]:
        secrets = self._stage.aws.client("secretsmanager")
        return self._stage.embedded.environment() | environment_of(
            self._databases, self.journal.migration, self.journal.table, secrets
        )

    def points(self, case: Case, file) -> list[Point]:
        """Have a command run undisturbed, and return every point of it."""
        self._prepare(case)
        assert self._apart(case.word, around(lambda **counts: counted(file, **counts)), case.code) == 0
        self._demand(case)
        return points_in(file)

    def kill(self, case: Case, point: Point) -> None:
        """Play a point; a run that asks less often than the counted one ends before a late one, and is played again."""
        call, after = point
        while not self.play(case, (call, after)):
            call //= 2
            assert call, "a command that makes no call"

    def play(self, case: Case, point: Point) -> bool:
        """Kill a command at a point, and have another operator type it again; tell whether the point was reached."""
        self._prepare(case)
        status = self._apart(case.word, around(lambda **counts: killing(*point, **counts)), case.code)
        self._type(case.word, case.code)
        self._demand(case)
        return killed(status)

    def _prepare(self, case: Case) -> None:
        writer = self.journal.writer().side
        if writer != case.start:
            if writer == "source":
                self._approve()
            self._type({"source": "switchover", "target": "rollback"}[writer])
        if case.start == "source":
            self._approve()
        if case.former is not None:
            word, step = case.former
            assert killed(self._apart(word, dying(step)))

    def _approve(self) -> None:
        self._approval = approve(self._stage, self._spec).sequence

    def _type(self, word: str, code: int = 0) -> None:
        ended, _, said = type_(self._capsys, self._file, *word.split())
        assert ended == code, said

    def _apart(self, word: str, act, code: int = 0) -> int:
        """Type a command in a process of its own."""

        def typed() -> None:
            try:
                main([*word.split(), str(self._file), "--yes", "--format", "json"])
            except SystemExit as ended:
                if ended.code != code:
                    raise AssertionError(self._capsys.readouterr().err) from ended

        return apart(typed, act)

    def _demand(self, case: Case) -> None:
        """Hold every promise."""
        self._paid += 1
        taken = [side for side in ("source", "target") if may_pay(self._databases, side, f"{side} {self._paid}")]
        assert taken == [case.writer]
        there = live(self._stage, self._spec)
        assert there == Weights.to_new(100 if case.writer == "target" else 0)
        entries, writer, lease = list(self.journal.entries()), self.journal.writer(), self.journal.lease()
        assert wanted(entries) == str(there), "the journal tells of the traffic"
        commits = [entry for entry in entries if (entry.step, entry.kind) == ("commit", "done")]
        assert (writer.side, writer.epoch) == (case.writer, len(commits))
        stands = read(entries)
        assert (stands.writer, stands.epoch, stands.left_over) == (writer.side, writer.epoch, None)
        assert not lease.held or lease.place.is_gone(), "at most the lease of the dead is left"
        used = [entry.evidence["approval"] for entry in commits if entry.verb == "switchover"]
        assert len(set(used)) == len(used), "an approval serves once"
        assert (self._approval in used) == case.approved
        if case.writer == "source" and case.approved:
            self._type("switchover", WAITS)


@pytest.fixture
def desk(stage, spec, file, replicating, capsys):
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    return Desk(stage, spec, file, replicating, capsys)


@pytest.fixture
def file(tmp_path):
    return checkout(tmp_path / "specs", TOGETHER)


@pytest.fixture
def spec(file):
    return load(file)


def campaign(desk: Desk, cases: Sequence[Case], share: int, file, capsys) -> None:
    """Kill each of these at one in so many of its points."""
    seed = int(os.environ.get("PAYMIG_SEED") or random.randrange(10**6))
    with Clients(desk, pause=0.02, budget=HOLDS) as clients:
        chosen = [some(desk.points(case, file), share, f"{seed} {case}") for case in cases]
        say(capsys, f"seed {seed} (PAYMIG_SEED repeats it): {sum(map(len, chosen))} points of {len(cases)} commands")
        for points in zip_longest(*chosen):
            for case, point in zip(cases, points, strict=True):
                if point is not None:
                    desk.kill(case, point)
                    clients.served()
                    clients.prove(case.writer, everything=False)
    clients.prove(desk.journal.writer().side)


def test_killed_at_any_call_around_the_move_a_command_is_completed_by_another(desk, capsys, tmp_path):
    cases = [case for pair in zip_longest(FORTH, BACK) for case in pair if case is not None]
    campaign(desk, cases, SHARE, tmp_path / "calls", capsys)


def test_killed_while_the_machine_moves_the_writer_a_command_is_completed_by_another(desk, capsys, tmp_path):
    """The machine goes on without it; who types the command again finds it at work, or what it left."""
    fewer = 1 if SHARE == 1 else 3 * SHARE
    campaign(desk, IN_CLOUD, fewer, tmp_path / "calls", capsys)
