"""Calls that must succeed, because writes are refused until they do."""

from __future__ import annotations

from collections.abc import Callable

from .actions import Evidence, Superseded
from .ledger import NoAnswer
from .pause import Clock

_ATTEMPTS = 20
_PATIENCE = 60.0  # seconds

Sleep = Callable[[float], object]


def insist(act: Callable[[], Evidence], sleep: Sleep) -> Evidence:
    """Act, again when it fails, more and more slowly, for some 15 seconds.

    Raises:
        Superseded: another operator has taken over: it is his to do.
        Exception: the last failure.
    """
    for attempt in range(_ATTEMPTS - 1):
        try:
            return act()
        except Superseded:
            raise
        except Exception:
            sleep(min(1.0, 0.05 * 2**attempt))
    return act()


def until_answered(read: Callable[[], None], clock: Clock, sleep: Sleep) -> None:
    """Read the journal, again while it is silent, for a minute.

    Raises:
        NoAnswer: it stays silent.
    """
    deadline = clock() + _PATIENCE
    while True:
        try:
            read()
        except NoAnswer:
            if clock() > deadline:
                raise
            sleep(0.2)
        else:
            return
