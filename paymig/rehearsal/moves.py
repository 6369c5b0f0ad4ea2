"""From the journal and the load to what each move of the writer was for clients: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.measure import Pause, pause_over
from runtime_lambdas.switchover.phases import WAYS, Step


@dataclass(frozen=True)
class Move:
    """One attempt to move the writer that paused writes. Times are seconds of the wall clock.

    Attributes:
        verb: "switchover" or "switchback".
        to: the side that became the writer, or should have.
        fenced: when the fence began to be built.
        opened: when a database took writes again; the end of what is known where nobody came back to open it.
        committed: when the writer moved; None where it was given up.
        server: the pause in seconds, as measured by whoever moved it; None where he did not live to tell.
        clients: the longest time over it in which no write was acknowledged to any client.
        held: writes that were under way in it and succeeded at the first attempt.
        retried: those that succeeded after more than one.
        failed: those that failed.
        steps: the seconds of each step in the pause.
        comparison: what the comparison at the fence found.
        error: why it was given up.
    """

    verb: str
    to: str
    fenced: float
    opened: float
    committed: float | None
    server: float | None
    clients: Pause
    held: int
    retried: int
    failed: int
    steps: Mapping[str, float] = field(default_factory=dict)
    comparison: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


def moves(journal: Iterable[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> list[Move]:
    """Tell every move, the oldest first.

    Args:
        journal: its entries as JSON.
        outcomes: of the load.
    """
    attempts: list[list[Mapping[str, Any]]] = []
    for entry in journal:
        if entry["verb"] not in WAYS:
            continue
        if (entry["step"], entry["kind"]) == ("begin", "note") or not attempts:
            attempts.append([])
        attempts[-1].append(entry)
    return [move for attempt in attempts if (move := _move(attempt, outcomes)) is not None]


def _move(attempt: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> Move | None:
    found = {(entry["step"], entry["kind"]): entry for entry in attempt}
    fence = found.get((Step.FENCE, "intent"))
    if fence is None:
        return None
    fenced = _time(fence)
    end = found.get((Step.OPEN, "done")) or found.get(("undo", "done"))
    opened = _time(end) if end else max((outcome.done for outcome in outcomes), default=fenced)
    commit = found.get((Step.COMMIT, "done"))
    failure = next((entry for entry in attempt if entry["kind"] == "failed"), None)
    pause = (end or {}).get("evidence", {}).get("pause", (failure or {}).get("evidence", {}).get("pause"))
    under_way = [o for o in outcomes if o.request.writes and o.sent <= opened and o.done >= fenced]
    compared = found.get((Step.COMPARE, "done"))
    return Move(
        fence["verb"],
        WAYS[fence["verb"]].new,
        fenced,
        opened,
        _time(commit) if commit else None,
        pause,
        pause_over(outcomes, fenced, opened),
        sum(o.ok and o.attempts == 1 for o in under_way),
        sum(o.ok and o.attempts > 1 for o in under_way),
        sum(not o.ok for o in under_way),
        {e["step"]: e["evidence"]["seconds"] for e in attempt if e["kind"] == "done" and "seconds" in e["evidence"]},
        compared["evidence"] if compared else {},
        str(failure["evidence"].get("error", "")) if failure else "",
    )


def _time(entry: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(entry["time"]).timestamp()


def words(move: Move) -> str:
    """Say in a sentence what a move was."""
    seen = f"no client's write was acknowledged for {move.clients.seconds * 1000:.0f} ms"
    served = "" if move.server is None else f" (server: {move.server * 1000:.0f} ms)"
    if move.committed is None:
        return f"the {move.verb} was given up, and {seen}{served}"
    return f"the {move.to} became the writer, and {seen}{served}"
