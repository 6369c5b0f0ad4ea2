"""A stack operation as it is seen while it runs: a table on a terminal, lines elsewhere, JSON to programs."""

from collections.abc import Iterable, Iterator

from rich.live import Live
from rich.table import Table

from paymig.aws.events import Event
from paymig.aws.stack import NESTED
from paymig.console import Console


def show(console: Console, root: str, events: Iterable[Event]) -> list[Event]:
    """Show events until they end.

    Returns:
        All of them, in order.
    """
    seen = _stream(console, root, events) if console.stream else events
    return list(_live(console, root, seen) if console.err.is_terminal else _lines(console, seen))


def _stream(console: Console, root: str, events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        console.event(
            {
                "event": "resource",
                "time": event.time.isoformat(),
                "stack": root,
                "component": event.component,
                "logical_id": event.logical_id,
                "physical_id": event.physical_id,
                "type": event.type,
                "status": event.status,
                "reason": event.reason,
            }
        )
        yield event


def _lines(console: Console, events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        if event.failed or (_is_component(event) and not event.status.endswith("_IN_PROGRESS")):
            reason = f"  {event.reason}" if event.reason else ""
            console.say(f"  {event.time:%H:%M:%S}  {_place(event):<28} {event.status}{reason}")
        yield event


def _live(console: Console, root: str, events: Iterable[Event]) -> Iterator[Event]:
    states: dict[str, dict[str, Event]] = {}
    with Live(console=console.err, refresh_per_second=8) as live:
        for event in events:
            states.setdefault(event.component or root, {})[event.logical_id] = event
            live.update(_table(root, states))
            yield event


def _table(root: str, states: dict[str, dict[str, Event]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("stack", "done", "now"):
        table.add_column(heading, header_style="dim")
    for stack, resources in states.items():
        own = [e for e in resources.values() if stack == root or e.type != NESTED]
        done = sum(not e.status.endswith("_IN_PROGRESS") for e in own)
        failed = next((e for e in own if e.failed), None)
        busy = [e.logical_id for e in own if e.status.endswith("_IN_PROGRESS")]
        now = f"[red]{failed.logical_id}: {failed.reason}" if failed else ", ".join(busy[:3])
        table.add_row(stack, f"{done}/{len(own)}", now)
    return table


def _is_component(event: Event) -> bool:
    """Whether the event is the root's own, or tells of a nested stack as the root sees it."""
    return event.type == NESTED and not event.component


def _place(event: Event) -> str:
    return f"{event.component}/{event.logical_id}" if event.component else event.logical_id
