"""The gates for a person's eyes."""

from collections.abc import Iterable
from datetime import timedelta

from rich.table import Table
from rich.text import Text

from paymig.gates.gate import Gate


def table(gates: Iterable[Gate]) -> Table:
    """Draw the gates with value, limit, verdict and age."""
    drawn = Table(box=None, pad_edge=False)
    for heading in ("gate", "value", "limit", "passed", "age"):
        drawn.add_column(heading, header_style="dim", overflow="fold")
    for gate in gates:
        drawn.add_row(gate.name, Text(gate.value), Text(gate.limit), verdict(gate), age(gate.age))
    return drawn


def verdict(gate: Gate) -> str:
    """Say whether a gate passed, in colour."""
    if gate.passed:
        return "[green]yes[/]"
    return "[yellow]not yet[/]" if gate.waiting else "[red]no[/]"


def age(old: timedelta | None) -> str:
    """Write an age shortly; a dash where there is none."""
    if old is None:
        return "-"
    seconds = int(old.total_seconds())
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
