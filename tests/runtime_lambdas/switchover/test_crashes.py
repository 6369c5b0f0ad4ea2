"""The process of an operator is killed at every call it makes, under load, and another operator goes on.

A call is one to the journal or one statement to a database: SIGKILL comes right before it, or right after it took
effect. `make campaign` runs every point; as a rule a random tenth is run, and its seed is printed.
"""

import os
import random
import signal
import sys
import time

from runtime_lambdas.switchover.actions import GivenUp
from runtime_lambdas.switchover.decide import Wish
from tests.profiles import PROFILE
from tests.runtime_lambdas.replication.pair import until
from tests.runtime_lambdas.switchover.calls import counted, killing
from tests.runtime_lambdas.switchover.stage import Clients

WRITER = {Wish.SWITCHOVER: "target", Wish.SWITCHBACK: "source"}


def run_apart(stage, wish, act) -> int:
    """Run a command in a process of its own, with `act` around its calls; return the process's exit status."""
    child = os.fork()
    if child == 0:
        status = 3
        try:
            stage.dynamodb = stage.connect()  # sockets are not shared with the parent
            with act:
                stage.move(wish)
            status = 0
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def calls_of(stage, wish, tmp_path) -> int:
    """Count the calls of one undisturbed command."""
    file = tmp_path / "calls"
    assert run_apart(stage, wish, counted(file)) == 0
    return int(file.read_text())


def go_on(stage, wish):
    """Another operator types the same command until it is through."""
    for _ in range(5):
        try:
            return stage.move(wish, over=True)
        except GivenUp:
            time.sleep(0.2)
    raise AssertionError(f"the {wish} did not go through in five attempts")


def play(stage, clients, wish, point, after) -> None:
    status = run_apart(stage, wish, killing(point, after))
    assert os.WIFSIGNALED(status) or status == 0
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
    outcome = go_on(stage, wish)
    assert outcome.writer == WRITER[wish]
    assert stage.writers() == [WRITER[wish]]
    assert stage.journal().writer().side == WRITER[wish]
    before = len(clients.promised)
    until(lambda: len(clients.promised) > before)  # the clients are served


def test_killed_at_any_call_it_is_completed_by_another(stage, tmp_path):
    stage.load()
    whole = PROFILE == "campaign"
    seed = int(os.environ.get("PAYMIG_SEED") or random.randrange(10**6))
    sys.stdout.write(f"seed {seed}: set PAYMIG_SEED to repeat it\n")
    chance = random.Random(seed)
    with Clients(stage, number=1, pause=0.004) as clients:
        numbers = {wish: calls_of(stage, wish, tmp_path) for wish in WRITER}
        points = [(point, after) for point in range(1, max(numbers.values()) + 1) for after in (False, True)]
        for point, after in points if whole else chance.sample(points, max(3, len(points) // 40)):
            for wish in WRITER:
                try:
                    play(stage, clients, wish, point, after)
                except BaseException:
                    when = "after" if after else "before"
                    sys.stdout.write(f"{wish}: killed {when} call {point} of {numbers[wish]}\n")
                    raise
    clients.prove("source")
    assert clients.errors == []
