"""Polling at a pace that suits both an emulator and AWS."""

import time
from collections.abc import Iterator

_FIRST, _LONGEST, _GROWTH = 0.05, 2.0, 1.5


def paces(timeout: float | None = None) -> Iterator[float]:
    """Yield the seconds waited so far, sleeping a little longer before each: 0.05 s at first, 2 s at most.

    Args:
        timeout: stop after this many seconds; None for never.
    """
    started = time.monotonic()
    pause = _FIRST
    while True:
        waited = time.monotonic() - started
        if timeout is not None and waited > timeout:
            return
        yield waited
        time.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST)
