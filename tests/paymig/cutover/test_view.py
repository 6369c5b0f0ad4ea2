"""What an operator sees of a move: on a real terminal the clock of the pause ticks; elsewhere there are plain lines."""

import re
import subprocess
import sys
from contextlib import closing

import psycopg2
import pytest

from paymig.console import Console
from paymig.cutover.view import MoveView
from runtime_lambdas.switchover.phases import Step
from schemas.load import load
from tests.paymig.held import KEY, held_spec
from tests.paymig.paying import may_pay
from tests.paymig.terminal import Terminal, clock


@pytest.fixture
def file(tmp_path):
    return held_spec(tmp_path)


@pytest.fixture
def spec(file):
    return load(file)


def test_the_clock_of_the_pause_ticks_while_nothing_else_happens(stage, file, replicating):
    refused = clock(r"writes are refused for ([0-9.]+) s, of at most 25 s")
    paymig = [sys.executable, "-m", "paymig"]
    with closing(psycopg2.connect(stage.target_dsn)) as holding, holding.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (KEY,))
        with Terminal([*paymig, "switchover", str(file), "--yes"]) as terminal:
            # Nothing is told of while the comparison waits; the clock is drawn all the same.
            terminal.read_until(lambda text: len(refused(text)) >= 8 and "compare" in text)
            assert refused(terminal.text) == sorted(refused(terminal.text))
            assert not may_pay(replicating, "source", "fenced")
            cursor.execute("SELECT pg_advisory_unlock(%s)", (KEY,))
            assert terminal.end() == 0, terminal.text
    after = terminal.text[terminal.text.rindex("done    open") :]
    assert "writes are refused" not in after, "the pause is over, and so is its clock"
    assert re.search(r"The target is the writer, in epoch 1; writes were paused for [0-9.]+ s", after)

    # Where there is no terminal each step is a plain line, and nothing is drawn twice.
    plain = subprocess.run([*paymig, "rollback", str(file), "--yes"], capture_output=True, text=True)
    assert plain.returncode == 0, plain.stderr
    assert re.findall(r"^done +(\w+)", plain.stderr, re.MULTILINE) == [
        "check", "prepare", "fence", "drain", "compare", "sequences", "reverse", "open", "retire",
    ]  # fmt: skip
    assert "\x1b" not in plain.stderr and "are refused" not in plain.stderr


def test_the_pause_is_over_where_it_was_undone():
    now = [100.0]
    shown = MoveView(Console(), 5.0, lambda: now[0])
    shown.begins(Step.PREPARE)
    now[0] += 2
    assert shown.lines() == ["..      prepare         2.0 s"]
    shown.begins(Step.FENCE, 0.25)
    now[0] += 1
    assert shown.lines()[-1] == "writes are refused for 1.2 s, of at most 5 s"
    shown.ended(Step.FENCE, "failed", 1.0, 1.25)
    now[0] += 1
    assert shown.lines() == ["writes are refused for 2.2 s, of at most 5 s"], "until it is undone"
    shown.ended(Step.FENCE, "undone", 0.1)
    assert shown.lines() == []
