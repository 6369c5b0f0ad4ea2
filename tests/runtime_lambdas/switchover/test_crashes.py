"""The process of an operator is killed at every call it makes, under load, and another operator goes on.

A call is one to AWS, or a connection, a statement or a commit at a database: SIGKILL comes right before it, or right
after it took effect. `make campaign` runs every point; as a rule a random tenth is run, and its seed is printed.
"""

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest

import pytest

from runtime_lambdas.switchover.actions import GivenUp
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.history import fold
from tests.profiles import PROFILE
from tests.runtime_lambdas.switchover.calls import counted, killing
from tests.runtime_lambdas.switchover.clients import Api, Clients
from tests.runtime_lambdas.switchover.conftest import make_stage
from tests.runtime_lambdas.switchover.stage import GRACE, Stage

pytestmark = pytest.mark.long

WRITER = {Wish.SWITCHOVER: "target", Wish.SWITCHBACK: "source"}
API_BUDGET = 0.5
"""Seconds: shorter than a fence may be left behind, so some requests are told to come again."""

Point = tuple[int, bool]
"""The number of a call from 1, and whether the process is killed after it rather than before."""


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
    child = os.fork()
    if child == 0:
        status = 3
        try:
            stage.dynamodb = stage.connect("dynamodb")  # sockets are not shared with the parent
            with act:
                stage.move(wish)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


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
    status = run_apart(stage, wish, killing(*point))
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0
    outcome = go_on(stage, wish)
    assert outcome.writer == WRITER[wish]
    clients.served()
    assert stage.writers() == [WRITER[wish]]
    assert stage.journal().writer().side == fold(stage.journal().entries()).writer == WRITER[wish]
    assert stage.ahead(WRITER[wish])
    clients.prove(WRITER[wish])
    return killed


def points_of(make, tmp_path) -> dict[Wish, list[Point]]:
    """Count the calls of a command of each kind, undisturbed, and return every point of each."""
    found = {}
    with make() as (stage, _):
        for wish in WRITER:
            assert run_apart(stage, wish, counted(tmp_path / wish)) == 0
            calls = len((tmp_path / wish).read_text().splitlines())
            found[wish] = [(call, after) for call in range(1, calls + 1) for after in (False, True)]
    return found


def test_killed_at_any_call_it_is_completed_by_another(make, tmp_path, capsys):
    seed = int(os.environ.get("PAYMIG_SEED") or random.randrange(10**6))
    share = 1 if PROFILE == "campaign" else 10
    chosen = {wish: some(each, share, f"{seed} {wish}") for wish, each in points_of(make, tmp_path).items()}
    counts = ", ".join(f"{len(each)} points of a {wish}" for wish, each in chosen.items())
    say(capsys, f"seed {seed} (PAYMIG_SEED repeats it): {counts}")
    killed, failures = 0, []
    for number, each in enumerate(zip_longest(*chosen.values(), fillvalue=(0, False)), start=1):
        try:
            with make() as (stage, clients):
                for wish, point in zip(chosen, each, strict=True):
                    killed += play(stage, clients, wish, point)
        except Exception:
            failures.append(each)
            say(capsys, f"failed at {each}: {traceback.format_exc()}")
        if number % 50 == 0:
            say(capsys, f"{number} switchovers and switchbacks, {killed} killed, {len(failures)} failures")
    say(capsys, f"{killed} killed")
    assert failures == []
    assert killed > 0.8 * sum(map(len, chosen.values()))


def some(points: list[Point], share: int, seed: str) -> list[Point]:
    """Choose one in so many points, in any order; a run with a call more or less chooses nearly the same."""
    shuffled = sorted(points, key=lambda point: random.Random(f"{seed} {point}").random())
    return shuffled[: len(points) // share]


def say(capsys, words: str) -> None:
    """Print, whatever pytest captures."""
    with capsys.disabled():
        sys.stdout.write(f"\n{words}\n")
        sys.stdout.flush()
