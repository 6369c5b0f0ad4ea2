"""What whoever rehearses sees meanwhile."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from paymig.console import Console
from paymig.rehearsal.report import Phase, Report


class View:
    """Lines, one for each phase.

    Args:
        console: where they go.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self, migration: str, title: str) -> None:
        """Say what is rehearsed."""
        self._console.say(f"[bold]Rehearsing {migration}[/] on this machine: {title}")

    def start(self, name: str) -> None:
        """A phase begins."""

    def hear(self, line: str) -> None:
        """A command printed a line."""

    def pulse(self, summary: dict[str, Any]) -> None:
        """The load sums up."""

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
