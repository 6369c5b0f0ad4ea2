"""What a caller may choose about a comparison, and how it learns how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runtime_lambdas.runtime.journal.control import Side

from . import chunks, lag
from .digest import Hash


@dataclass(frozen=True)
class Patterns:
    """Which tables, as in the spec's `replication.tables`; `%` stands for any text."""

    include: Sequence[str]
    exclude: Sequence[str] = ()


@dataclass(frozen=True)
class Options:
    """How to compare.

    Attributes:
        connections: To each server, at once.
        chunk_rows: Rows of a range; fewer are taken where rows are wide.
        max_load: The share of the time, above 0 and at most 1, that each connection may keep its server busy.
        snapshot: Read each side in one view of the whole database instead of chunk by chunk.
        show_values: Put the values of rows that differ into the report; without it they never leave the servers.
        hash: Digests a chunk. MD5 is no defence against somebody who makes two rows with the same hash; SHA-256 is, and
            is used where a server refuses MD5.
        leader: The side that is written to; replication writes to the other one.
        patience: Seconds to go on looking at rows that replication may still bring.
        pause: Seconds between two looks where no heartbeat is written.
        examples: Rows of each table that are reported one by one.
        limit: Rows of a table that differ, after which the rest of it is not read.
        seconds: When to stop and keep what was done; None is never.
    """

    connections: int = 2
    chunk_rows: int = chunks.ROWS
    max_load: float = 1.0
    snapshot: bool = False
    show_values: bool = False
    hash: Hash = "md5"
    leader: Side = "source"
    patience: float = 60.0
    pause: float = lag.PAUSE
    examples: int = 100
    limit: int = 10_000
    seconds: float | None = None


DEFAULTS = Options()


@dataclass(frozen=True)
class Progress:
    """How far a table is.

    Attributes:
        rows: Rows of the source that were read.
        expected: Rows that the source's statistics expect.
        suspects: Rows that are not the same yet and will be looked at again.
        finished: Whether it is done.
    """

    table: str
    rows: int
    expected: int
    suspects: int
    finished: bool


Watch = Callable[[Progress], None]
"""Is told about progress, a few times a second at most."""
