"""What can go wrong with whoever types the commands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from paymig.rehearsal.operator import Operator, Typed
from paymig.rehearsal.play import BrokenPromise, Play

_SKEW = 600
_SILENT, _MOMENT = 0.45, 0.3
"""Seconds: a command is struck a moment after its first line, or after so long a silence."""


@contextmanager
def operator_killed(play: Play) -> Iterator[None]:
    """The command that runs is killed, as by a laptop that dies."""
    spoken = threading.Event()
    wait = Random(f"{play.options.seed} {len(play.typed)}").uniform(0, _MOMENT)  # noqa: S311 - repeats with the seed

    def strike() -> None:
        spoken.wait(_SILENT)
        time.sleep(wait)
        play.operator.kill()

    with _hearing(play, lambda _: spoken.set()):
        striking = threading.Thread(target=strike)
        striking.start()
        try:
            yield
        finally:
            striking.join()


@contextmanager
def operator_killed_in_the_pause(play: Play) -> Iterator[None]:
    """The command that moves the writer is killed as soon as it has fenced the old one."""
    with once_fenced(play, play.operator.kill):
        yield


@contextmanager
def once_fenced(play: Play, act: Callable[[], None]) -> Iterator[None]:
    """Act as soon as a command that moves the writer has said that the old one is fenced."""

    def hear(line: str) -> None:
        if line.split()[:2] == ["done", "fence"]:
            act()

    with _hearing(play, hear):
        yield


@contextmanager
def _hearing(play: Play, hear: Callable[[str], None]) -> Iterator[None]:
    play.listeners.append(hear)
    try:
        yield
    finally:
        play.listeners.remove(hear)


@contextmanager
def two_operators(play: Play) -> Iterator[None]:
    """Somebody else types the same command at the same time; exactly one of both may act, the other is told."""
    ended: list[Typed] = []

    def other(*arguments: str) -> None:
        rival = Operator(play.workplace, play.stage.embedded.environment(), lambda _: None)
        rival.variables = play.operator.variables
        ended.append(rival.type(*arguments))

    play.rival = other
    try:
        yield
    finally:
        play.rival = None
    if not ended or ended[0].exit_code not in (0, 3):
        raise BrokenPromise(f"the second operator's command ended with {[one.exit_code for one in ended]}, not 0 or 3")


@contextmanager
def clock_skew(play: Play) -> Iterator[None]:
    """The operator's clock is ten minutes ahead of everybody's."""
    play.operator.variables["PAYMIG_REHEARSED_SKEW"] = str(_SKEW)
    try:
        yield
    finally:
        del play.operator.variables["PAYMIG_REHEARSED_SKEW"]
