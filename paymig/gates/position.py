"""Where the traffic stands and since when, as the journal tells."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from paymig.aws.weights import Weights
from paymig.gates.gate import Position
from runtime_lambdas.runtime.journal.entry import Entry
from schemas.migration import Migration


def wanted(entries: Iterable[Entry]) -> str | None:
    """Tell where the journal's last move of the traffic ended, as `Weights` are written; None for none."""
    return next((str(entry.evidence["live"]) for entry in reversed(list(entries)) if "live" in entry.evidence), None)


def reached(entries: Iterable[Entry], live: Weights) -> Entry | None:
    """Find the entry of the move that brought the traffic to where it is.

    Returns:
        None where the journal does not know: the last move it tells of ended elsewhere.
    """
    last: Entry | None = None
    for entry in entries:
        if entry.kind in ("done", "note") and "live" in entry.evidence:
            there = entry.evidence["live"] == str(live)
            # A move that found the traffic there already begins nothing.
            stays = there and last is not None and last.evidence["live"] == str(live)
            last = last if stays else entry
    return last if last is not None and last.evidence["live"] == str(live) else None


def position(
    migration: Migration, live: Weights, entries: Iterable[Entry], speed: float = 1.0, baking: bool = False
) -> Position:
    """Say where the traffic stands.

    Args:
        migration: names how long each share has to bake.
        live: the weights.
        entries: of the journal, oldest first.
        speed: how much faster than the spec says a bake passes, for a rehearsal.
        baking: as of `Position`.
    """
    move = reached(entries, live)
    since: datetime | None = move.time if move else None
    return Position(live.share, since, bake_of(migration, live.share) / speed, baking)


def bake_of(migration: Migration, share: float) -> timedelta:
    """How long a share has to bake; a share that is no step of the spec needs none."""
    return next((step.bake for step in migration.cutover.steps if float(step.to) == share), timedelta(0))
