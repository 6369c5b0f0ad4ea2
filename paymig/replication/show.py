"""Replication as an operator sees it: a bar for each table while it loads, and a table of how it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from paymig.console import Console
from runtime_lambdas.runtime.replication.engine import Progress, TableProgress

if TYPE_CHECKING:
    from paymig.replication.status import Report

_MOST_BARS = 30  # tables under way come first; more would not fit a screen


class Bars:
    """Shows a load while the block runs: bars on a terminal, a line for each table elsewhere, JSON to programs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console.err, refresh_per_second=4) if console.err.is_terminal else None
        self._begun = time.monotonic()
        self._first: dict[str, int] = {}
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def update(self, progress: Progress) -> None:
        """Show the load as it is now."""
        made = {one.table: one.rows - self._first.setdefault(one.table, one.rows) for one in progress.tables}
        if self._live:
            self._live.update(_bars(progress, Pace(made, time.monotonic() - self._begun)))
        for one in progress.tables:
            if self._told.get(one.table) != one.state:
                self._told[one.table] = one.state
                self._console.event({"event": "table", **vars(one)})
                if not self._live and one.state != "waiting":
                    self._console.say(f"  {one.table:<40} {one.state}  {one.rows:,} of {one.rows_expected:,} rows")


@dataclass(frozen=True)
class Pace:
    """How fast a load is.

    Attributes:
        rows: that were loaded while it was watched, by table.
        seconds: for which it was watched.
    """

    rows: Mapping[str, int]
    seconds: float

    @classmethod
    def between(cls, before: Progress, after: Progress, seconds: float) -> Pace:
        """Return the pace from one look to another, so many seconds later."""
        had = {one.table: one.rows for one in before.tables}
        return cls({one.table: one.rows - had.get(one.table, 0) for one in after.tables}, seconds)

    def left(self, tables: Sequence[TableProgress]) -> float | None:
        """Estimate how many seconds these tables still take; None while nothing moves."""
        missing = sum(max(0, one.rows_expected - one.rows) for one in tables if one.state != "replicating")
        if not missing:
            return 0.0
        made = sum(self.rows.get(one.table, 0) for one in tables)
        return missing * self.seconds / made if made > 0 and self.seconds > 0 else None


def table(report: Report) -> RenderableType:
    """Draw how replication is."""
    parts: list[RenderableType] = [_bars(report.progress, report.pace)] if report.progress.tables else []
    parts += _lines(report)
    if report.back is not None:
        parts += ["", "the way back, from the target to the source", *_lines(report.back)]
    return Group(*parts)


def _lines(report: Report) -> list[str]:
    lines = []
    lag = report.lag
    if lag is not None:
        behind = "" if lag.bytes is None else f", {size(lag.bytes)} of log not confirmed"
        took = f"{lag.seconds * 1000:.1f} ms" if lag.arrived else f"[red]more than {lag.seconds:g} s[/]"
        lines.append(f"lag        a beat took {took}{behind}")
    lines += [f"[red]problem[/]    {text}" for text in report.problems]
    colour = "green" if report.follows else "yellow" if report.progress.state in ("loading", "paused") else "red"
    return [*lines, f"state      [{colour}]{report.progress.state}[/]"]


def _bars(progress: Progress, pace: Pace | None) -> RenderableType:
    """Draw the tables, with the time that each and all of them still take."""
    drawn = Table(box=None, pad_edge=False)
    headings = {"table": "left", "": "left", "rows": "right", "size": "right", "state": "left", "left": "right"}
    for heading, justify in headings.items():
        drawn.add_column(heading, justify=justify, header_style="dim")  # type: ignore[arg-type]
    order = sorted(progress.tables, key=lambda one: (one.state not in ("loading", "catching up"), one.table))
    for one in order[:_MOST_BARS]:
        rows, sizes = f"{one.rows:,}/{one.rows_expected:,}", f"{size(one.bytes)}/{size(one.bytes_expected)}"
        takes = pace.left([one]) if pace else None
        drawn.add_row(one.table, _bar(one), rows, sizes, one.state, f"{takes:,.0f} s" if takes else "")
    rest = len(order) - _MOST_BARS
    caption = f"and {rest} more tables" if rest > 0 else ""
    if left := pace.left(progress.tables) if pace else None:
        caption = f"{caption}  about {left:,.0f} s left".strip()
    return Group(drawn, caption) if caption else drawn


def _bar(one: TableProgress) -> ProgressBar:
    done = 1 if one.state == "replicating" else one.rows
    return ProgressBar(total=max(1, one.rows_expected) if done != 1 else 1, completed=done, width=30)


def size(count: float) -> str:
    """Write a number of bytes, as "1.5 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
