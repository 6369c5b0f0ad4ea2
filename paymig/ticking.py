"""Lines at the foot of a terminal that are drawn anew several times a second, so that the clocks in them tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from paymig.console import Console

_TIMES_A_SECOND = 8


class Ticking:
    """What is said meanwhile is printed above the lines; they are gone in the end.

    Args:
        console: where; nothing is drawn on what is no terminal.
        lines: are asked for whenever they are drawn, in a thread of their own.
    """

    def __init__(self, console: Console, lines: Callable[[], Sequence[str]]) -> None:
        self._lines = lines
        self._live = Live(
            console=console.err,
            get_renderable=self._now,
            refresh_per_second=_TIMES_A_SECOND,
            transient=True,
            redirect_stdout=False,  # a result is not to be printed elsewhere than it is looked for
        )
        self._shown = console.err.is_terminal and not console.json

    def __enter__(self) -> Self:
        if self._shown:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._live.stop()

    def redraw(self) -> None:
        """Draw them now: what is printed next would else be followed by the lines of a moment ago."""
        if self._shown:
            self._live.refresh()

    def _now(self) -> RenderableType:
        return Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in self._lines()))
