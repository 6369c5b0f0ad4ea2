"""What an operator sees of a move of the writer: a line for each step, and on a terminal the clock of the pause."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.text import Text

from paymig.console import Console
from paymig.ticking import Ticking
from runtime_lambdas.switchover.history import UNDO
from runtime_lambdas.switchover.phases import Step


class MoveView:
    """Shows a move while it is made.

    Args:
        console: where.
        budget: seconds after which a pause is given up, before the point of no return.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(self, console: Console, budget: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._budget, self._clock = console, budget, clock
        self._step, self._since = "", clock()
        self._paused: float | None = None
        self._ticking = Ticking(console, self.lines)

    def __enter__(self) -> Self:
        self._ticking.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._ticking.__exit__()

    def begins(self, step: str, pause: float | None = None) -> None:
        """A step begins; `pause` says for how many seconds writes have been refused."""
        self._step, self._since = step, self._clock()
        if pause is not None:
            self._paused = self._clock() - pause

    def ended(self, step: str, what: str, seconds: float | None = None, pause: float | None = None) -> None:
        """A step was done, has failed, or was undone."""
        self._step = ""
        if (step, what) in _OPEN_AGAIN:
            self._paused = None
        self._ticking.redraw()
        took = "" if seconds is None else f" {seconds:8.3f} s"
        clock = "" if pause is None else f"  writes paused for {pause:.3f} s"
        self._console.say(Text(f"{what:7} {step:10}{took}{clock}".rstrip()))

    def lines(self) -> list[str]:
        """Return what is shown below the steps that are over."""
        now, shown = self._clock(), []
        if self._step:
            shown.append(f"..      {self._step:10} {now - self._since:8.1f} s")
        if self._paused is not None:
            shown.append(f"writes are refused for {now - self._paused:.1f} s, of at most {self._budget:g} s")
        return shown


_OPEN_AGAIN = ((Step.OPEN, "done"), (Step.FENCE, "undone"), (f"{UNDO} {Step.FENCE}", "done"))
"""Of this process, and as the journal has it."""
