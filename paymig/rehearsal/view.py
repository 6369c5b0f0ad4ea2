"""What whoever rehearses sees meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

from rich.table import Table
from rich.text import Text

from paymig.console import Console
from paymig.rehearsal.report import Phase, Report
from paymig.ticking import Ticking


class View:
    """Lines, one for each phase.

    Args:
        console: where they go.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, migration: str, title: str) -> None:
        """Say what is rehearsed."""
        self._console.say(f"[bold]Rehearsing {migration}[/] on this machine: {title}")

    def remark(self, sentence: str) -> None:
        """Something is not here as it will be."""
        self._console.say(Text(sentence))

    def start(self, name: str) -> None:
        """A phase begins."""

    def hear(self, line: str) -> None:
        """A command printed a line."""

    def pulse(self, summary: dict[str, Any]) -> None:
        """The load sums up."""

    def lag(self, milliseconds: float | None) -> None:
        """The other database was so far behind; None: a beat did not arrive."""

    def end(self, phase: Phase) -> None:
        """A phase has ended."""
        self._console.say(f"[green]ok[/] {phase.name:<16} {phase.seconds:6.2f} s  {phase.result}")


def table(report: Report) -> Table:
    """Draw the summary."""
    drawn = Table(title=f"Rehearsal of {report.migration}", title_justify="left", box=None, pad_edge=False)
    for heading, justify in (("step", "left"), ("seconds", "right"), ("result", "left")):
        drawn.add_column(heading, justify=justify, header_style="dim")  # type: ignore[arg-type]
    for phase in report.phases:
        drawn.add_row(phase.name, f"{phase.seconds:.2f}", phase.result)
    drawn.add_section()
    colour = "green" if report.kept else "red"
    drawn.add_row("[bold]all[/]", f"[bold]{report.seconds:.2f}[/]", f"[bold {colour}]{report.verdict}[/]")
    return drawn


class LiveView(View):
    """The same lines, and below them what goes on now: the phase, the traffic, rate, latency, and the pause clock."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._name, self._started, self._said = "", time.monotonic(), ""
        self._summary: dict[str, Any] = {}
        self._lag: float | None = None
        self._measured: float | None = None
        self._ticking = Ticking(console, self.lines)

    def __enter__(self) -> Self:
        self._ticking.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._ticking.__exit__()

    def start(self, name: str) -> None:
        """A phase begins."""
        self._name, self._started, self._said = name, time.monotonic(), ""

    def hear(self, line: str) -> None:
        """A command printed a line."""
        self._said = line.strip() or self._said

    def pulse(self, summary: dict[str, Any]) -> None:
        """The load sums up."""
        if "weights" in summary:
            self._summary = summary

    def lag(self, milliseconds: float | None) -> None:
        """The other database was so far behind."""
        self._lag, self._measured = milliseconds, time.monotonic()

    def lines(self) -> list[str]:
        """Return what is shown below the phases that are over."""
        shown = [f".. {self._name:<16} {time.monotonic() - self._started:6.2f} s  {self._said}"]
        if self._summary:
            shown += load_lines(self._summary)
        clocks = []
        if self._summary:
            clocks.append(f"{max(0.0, time.time() - self._summary['last_write']):.1f} s since the last write")
        if self._measured is not None:
            lag = "more than 5 s" if self._lag is None else f"{self._lag:.0f} ms"
            clocks.append(f"replication lag {lag}, {time.monotonic() - self._measured:.1f} s ago")
        return [*shown, f"   {'   '.join(clocks)}"] if clocks else shown


def load_lines(summary: Mapping[str, Any]) -> list[str]:
    """Say in two lines of at most 80 columns what the load looks like, by its summary of about half a second."""
    old, new = summary["weights"]
    wanted = 100 * new / (old + new) if old + new else 50.0
    requests = summary["requests"]
    seen = 100 * summary["new"] / requests if requests else 0.0
    filled = round(seen / 100 * _BAR)
    return [
        f"   on AWS [{'#' * filled}{'.' * (_BAR - filled)}] {seen:3.0f} % seen, {wanted:3.0f} % wanted",
        f"   {requests * 2} requests/s, p50 {summary['p50'] * 1000:.0f} ms, p99 {summary['p99'] * 1000:.0f} ms; "
        f"{summary['failed']} failed, {summary['retried']} retried, {summary['waiting']} waiting",
    ]


_BAR = 40


def view(console: Console) -> View:
    """Return the view that fits: a live one on a terminal, plain lines elsewhere."""
    return LiveView(console) if console.err.is_terminal else View(console)
