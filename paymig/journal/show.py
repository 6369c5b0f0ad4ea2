"""The journal for a person's eyes."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.journal.lease import Lease

_COLOURS = {"intent": "dim", "done": "green", "failed": "red", "note": "cyan"}


def table(entries: Iterable[Entry]) -> Table:
    """Draw entries, oldest first; times are UTC."""
    drawn = Table(box=None, pad_edge=False)
    for heading in ("no", "time (UTC)", "who", "what", "", "evidence"):
        drawn.add_column(heading, header_style="dim", overflow="fold")
    for entry in entries:
        drawn.add_row(
            str(entry.sequence),
            f"{entry.time:%Y-%m-%d %H:%M:%S}",
            Text(_short(entry.who)),
            Text(f"{entry.verb}: {entry.step}" + (f" ({entry.why})" if entry.why else "")),
            f"[{_COLOURS[entry.kind]}]{entry.kind}[/]",
            Text(", ".join(f"{name} {_short(str(value))}" for name, value in entry.evidence.items())),
        )
    return drawn


def _short(text: str) -> str:
    """Leave of an ARN what tells it from its like: `user/alice` of `arn:aws:iam::111122223333:user/alice`."""
    return text.rpartition(":")[2] if text.startswith("arn:") else text


def lease_line(lease: Lease | None) -> Text:
    """Say who holds the lease."""
    return Text(f"lease: held by {lease}" if lease and lease.held else "lease: free")


def lease_json(lease: Lease | None) -> dict[str, Any] | None:
    """Give a held lease as JSON's types; None when nobody holds it."""
    if lease is None or not lease.held:
        return None
    return {
        "holder": lease.holder,
        "host": lease.place.host,
        "process": lease.place.pid,
        "verb": lease.verb,
        "since": lease.since.isoformat(),
        "expires": lease.expires.isoformat(),
        "token": lease.token,
    }
