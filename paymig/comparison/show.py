"""A comparison on the screen: how far it is, and what it found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from paymig.console import Console
    from runtime_lambdas.runtime.comparison import Progress, Report, TableResult
    from runtime_lambdas.runtime.comparison.options import Watch
    from runtime_lambdas.runtime.comparison.report import RowDifference

_EVERY = 10.0  # seconds between two lines where there is no terminal
_COLORS = {"equal": "green", "different": "red", "unsettled": "yellow", "unfinished": "yellow"}
_MEANING = {
    "equal": "Both sides hold the same.",
    "different": "The two sides differ.",
    "unsettled": "Some rows could not be told: they kept changing, or replication has not brought them. Not equal yet.",
    "unfinished": "It was not finished. Not equal yet.",
}


@contextmanager
def progress(console: Console) -> Iterator[Watch]:
    """Show a bar for each table on a terminal, and lines elsewhere, for as long as the block runs."""
    if not console.err.is_terminal:
        yield _lines(console)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, TextColumn("{task.fields[note]}"), console=console.err) as bars:
        tasks: dict[str, object] = {}

        def watch(seen: Progress) -> None:
            if seen.table not in tasks:
                tasks[seen.table] = bars.add_task(seen.table, total=max(seen.expected, 1), note="")
            total = max(seen.rows, 1) if seen.finished else max(seen.expected, seen.rows, 1)
            done = total if seen.finished else seen.rows
            note = f"{seen.suspects} to look at again" if seen.suspects else ""
            bars.update(tasks[seen.table], completed=done, total=total, note=note)  # type: ignore[arg-type]

        yield watch


def _lines(console: Console) -> Watch:
    last: dict[str, float] = {}

    def watch(seen: Progress) -> None:
        now = time.monotonic()
        if not seen.finished and now - last.setdefault(seen.table, now) < _EVERY:
            return
        last[seen.table] = now
        note = f", {seen.suspects} to look at again" if seen.suspects else ""
        console.say(f"  {seen.table}: {seen.rows} of about {max(seen.expected, seen.rows)} rows{note}")

    return watch


def render(report: Report) -> RenderableType:
    """Return what a person reads."""
    parts: list[RenderableType] = [_tables(report)]
    for table in report.tables:
        parts += [Text(f"  {table.table}: {line}") for line in _findings(table)]
    for each in report.invariants:
        if each.verdict != "equal":
            parts.append(Text(f"  invariant {each.name}: source {each.source}, target {each.target}"))
    parts += [Text(f"  schema: {each.message}") for each in report.schema or ()]
    if not report.same_schema:
        parts.append(Text("The target's schema is not the source's.", style="red"))
    return Group(*parts, Text(_MEANING[report.verdict], style=_COLORS[report.verdict]))


def _tables(report: Report) -> Table:
    shown = Table(box=None, pad_edge=False)
    for heading in ("table", "verdict", "rows", "missing", "extra", "different", "unsettled"):
        shown.add_column(heading, header_style="dim", justify="left" if heading in ("table", "verdict") else "right")
    for table in report.tables:
        counts = (table.rows_source, table.missing, table.extra, table.different, table.unsettled)
        shown.add_row(table.table, Text(table.verdict, style=_COLORS[table.verdict]), *map(str, counts))
    for each in report.invariants:
        shown.add_row(f"invariant {each.name}", Text(each.verdict, style=_COLORS[each.verdict]))
    return shown


def _findings(table: TableResult) -> Iterator[str]:
    for each in table.disagreements:
        yield (
            f"{each.what} {each.column}".rstrip() + f": source {each.source or 'none'}, target {each.target or 'none'}"
        )
    for row in table.examples:
        yield _row(row)
    left = table.differences - len(table.examples)
    if left > 0:
        yield f"and {left} more"
    if table.note:
        yield table.note


def _row(row: RowDifference) -> str:
    key = ", ".join(f"{name}={value}" for name, value in row.key.items())
    if row.copies:
        key += f" ({row.copies[0]} on the source, {row.copies[1]} on the target)"
    values = [
        each.name if each.source is None and each.target is None else f"{each.name} {each.source!r} / {each.target!r}"
        for each in row.columns
    ]
    return f"{row.kind} {key}" + (f": {', '.join(values)}" if values else "")
