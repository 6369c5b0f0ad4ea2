"""A campaign kills a process at its calls, one after the other: which points there are, and which are chosen."""

import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.profiles import PROFILE

SHARE = 1 if PROFILE == "campaign" else 10
"""One in so many points is chosen."""

Point = tuple[int, bool]
"""The number of a call from 1, and whether the process is killed after it rather than before."""


def apart(run: Callable[[], object], act: AbstractContextManager[object]) -> int:
    """Run something in a process of its own, with `act` around its calls; return the process's exit status."""
    child = os.fork()
    if child == 0:
        status = 3
        try:
            with act:
                run()
            status = 0
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def killed(status: int) -> bool:
    """Tell from its exit status whether a process was killed at its point; otherwise it has to have ended well."""
    found = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert found or status == 0
    return found


def points_in(file) -> list[Point]:
    """Return every point of what `counted` wrote to a file."""
    calls = len(file.read_text().splitlines())
    return [(call, after) for call in range(1, calls + 1) for after in (False, True)]


def some(points: list[Point], share: int, seed: str) -> list[Point]:
    """Choose one in so many points, in any order; a run with a call more or less chooses nearly the same."""
    shuffled = sorted(points, key=lambda point: random.Random(f"{seed} {point}").random())
    return shuffled[: len(points) // share]


def say(capsys, words: str) -> None:
    """Print, whatever pytest captures."""
    with capsys.disabled():
        sys.stdout.write(f"\n{words}\n")
        sys.stdout.flush()
