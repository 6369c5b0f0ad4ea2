"""The process of an operator is killed at every call it makes, under load, and another operator goes on.

A call is one to AWS, or a connection, a statement or a commit at a database: SIGKILL comes right before it, or right
after it took effect. `make campaign` runs every point; as a rule a random tenth is run, and its seed is printed.
"""

import os
import random
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest

import pytest

from runtime_lambdas.switchover.actions import GivenUp
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.history import fold
from tests.runtime_lambdas.switchover.calls import counted, killing
from tests.runtime_lambdas.switchover.campaign import SHARE, Point, apart, killed, points_in, say, some
from tests.runtime_lambdas.switchover.clients import Api, Clients
from tests.runtime_lambdas.switchover.conftest import make_stage
from tests.runtime_lambdas.switchover.stage import GRACE, Stage

pytestmark = pytest.mark.long

WRITER = {Wish.SWITCHOVER: "target", Wish.SWITCHBACK: "source"}
API_BUDGET = 0.5
"""Seconds: shorter than a fence may be left behind, so some requests are told to come again."""


@pytest.fixture
def make(servers, aws):
    """A new migration under load, and its clients; in the end the source is the writer."""
    with Api() as api:

        @contextmanager
        def made() -> Iterator[tuple[Stage, Clients]]:
            with contextmanager(make_stage)(servers, aws, 16, 18) as stage:
                stage.load(50)
                with Clients(stage, pause=0.006, budget=API_BUDGET, api=api) as clients:
                    yield stage, clients
                clients.prove("source")

        yield made


def run_apart(stage, wish, act) -> int:
    """Run a command in a process of its own, with `act` around its calls; return the process's exit status."""

    def move() -> None:
        stage.dynamodb = stage.connect("dynamodb")  # sockets are not shared with the parent
        stage.move(wish)

    return apart(move, act)


def go_on(stage, wish):
    """Another operator types the same command until it is through."""
    attempts = []
    while len(attempts) < 5:
        try:
            return stage.move(wish, who=GRACE)
        except GivenUp as given_up:
            attempts.append(str(given_up))
            time.sleep(0.2)
    raise AssertionError(attempts)


def play(stage, clients, wish, point: Point) -> bool:
    """Kill a command at a point, have it completed, and hold every promise; tell whether the point was reached."""
    reached = killed(run_apart(stage, wish, killing(*point)))
    outcome = go_on(stage, wish)
    assert outcome.writer == WRITER[wish]
    clients.served()
    assert stage.writers() == [WRITER[wish]]
    assert stage.journal().writer().side == fold(stage.journal().entries()).writer == WRITER[wish]
    assert stage.ahead(WRITER[wish])
    clients.prove(WRITER[wish])
    return reached


def points_of(make, tmp_path) -> dict[Wish, list[Point]]:
    """Count the calls of a command of each kind, undisturbed, and return every point of each."""
    found = {}
    with make() as (stage, _):
        for wish in WRITER:
            assert run_apart(stage, wish, counted(tmp_path / wish)) == 0
            found[wish] = points_in(tmp_path / wish)
    return found


def test_killed_at_any_call_it_is_completed_by_another(make, tmp_path, capsys):
    seed = int(os.environ.get("PAYMIG_SEED") or random.randrange(10**6))
    chosen = {wish: some(each, SHARE, f"{seed} {wish}") for wish, each in points_of(make, tmp_path).items()}
    counts = ", ".join(f"{len(each)} points of a {wish}" for wish, each in chosen.items())
    say(capsys, f"seed {seed} (PAYMIG_SEED repeats it): {counts}")
    hits, failures = 0, []
    for number, each in enumerate(zip_longest(*chosen.values(), fillvalue=(0, False)), start=1):
        try:
            with make() as (stage, clients):
                for wish, point in zip(chosen, each, strict=True):
                    hits += play(stage, clients, wish, point)
        except Exception:
            failures.append(each)
            say(capsys, f"failed at {each}: {traceback.format_exc()}")
        if number % 50 == 0:
            say(capsys, f"{number} switchovers and switchbacks, {hits} killed, {len(failures)} failures")
    say(capsys, f"{hits} killed")
    assert failures == []
    assert hits > 0.8 * sum(map(len, chosen.values()))
