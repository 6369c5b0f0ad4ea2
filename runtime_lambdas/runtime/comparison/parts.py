"""A comparison in parts, each small enough for one invocation of a function: plan, compare each part, gather.

What goes from one step to the next is JSON, so a state machine can carry it and run the parts at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import chunks
from .chunks import Chunk, as_key
from .engine import Engine, Work
from .kept import Kept
from .options import DEFAULTS, Options, Patterns, Watch
from .report import Report, TableResult
from .run import Memory, NothingToCompare, begin, fingerprint, lay_out, servers
from .server import Server
from .session import Open
from .shape import Shape

ROWS = 2_000_000
"""Rows of a part: about half a minute of two cores on each side. Where rows are wide, a part gets fewer."""


class PartOutdated(ValueError):
    """A part is of a table, a database or a writer that is no longer as it was: plan again."""


@dataclass(frozen=True)
class Part:
    """A range of a table's key, or the whole of it.

    Attributes:
        fingerprint: Of what it was planned for: the table's columns on both sides, both databases, who leads.
    """

    table: str
    range: Chunk
    fingerprint: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "table": self.table,
            "low": self.range.low,
            "high": self.range.high,
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Part:
        """Return what `to_json` wrote."""
        return cls(data["table"], Chunk(as_key(data["low"]), as_key(data["high"])), data["fingerprint"])


def plan(
    source: Open,
    target: Open,
    tables: Patterns,
    options: Options = DEFAULTS,
    rows: int = ROWS,
    known: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Cut the tables into parts.

    Args:
        source: Opens a connection to the source.
        target: The same for the target.
        tables: Which tables.
        options: How.
        rows: Rows of a part.
        known: An earlier plan, which is returned where it fits: results of its parts are then worth keeping.

    Returns:
        `{"fingerprint": ..., "started": ISO 8601, "cut": ..., "parts": [...], "results": [...]}`: the parts are what
        `compare_part` takes, the results those of tables that one side lacks.

    Raises:
        NothingToCompare: The patterns select nothing.
        psycopg2.Error: A database is unreachable or refused a query.
    """
    with servers(source, target, options) as (ours, theirs):
        started, cut = begin(ours, theirs)
        works, lonely = lay_out(ours, theirs, tables)
        whole = fingerprint([work.shape for work in works], cut, None, options)
        results = [result.to_json() for result in lonely]
        if known is not None and known["fingerprint"] == whole and known["results"] == results:
            return known
        cut = cut.of(work.shape for work in works)
        parts = [
            Part(work.shape.full_name, each, fingerprint([work.shape], cut, None, options)).to_json()
            for work in works
            for each in _cut(ours, theirs, work.shape, chunks.size(work.shape, rows))
        ]
    return {"fingerprint": whole, "started": started, "cut": cut.to_json(), "parts": parts, "results": results}


def compare_part(
    source: Open,
    target: Open,
    part: Mapping[str, Any],
    options: Options = DEFAULTS,
    watch: Watch | None = None,
    kept: Kept | None = None,
) -> dict[str, Any]:
    """Compare one part of a plan, suspects settled.

    Args:
        source: Opens a connection to the source.
        target: The same for the target.
        part: As it stands in the plan.
        options: How; where `seconds` do not suffice, the result says that it is not finished.
        watch: Is told how far it is.
        kept: Where to keep how far it is; what is found there is continued.

    Returns:
        The `TableResult` of the part as JSON values.

    Raises:
        PartOutdated: The table was dropped or changed, or the database or the writer is another one.
        psycopg2.Error: A database is unreachable or refused a query.
    """
    chosen = Part.from_json(part)
    with servers(source, target, options) as (ours, theirs):
        started, cut = begin(ours, theirs)
        try:
            works, _ = lay_out(ours, theirs, Patterns([chosen.table]))
        except NothingToCompare:
            works = []
        found = [work for work in works if work.shape.full_name == chosen.table]
        if not found or fingerprint([found[0].shape], cut, None, options) != chosen.fingerprint:
            raise PartOutdated(f"{chosen.table} is no longer as it was when the comparison was planned: plan again")
        work = Work(found[0].shape, chosen.range, found[0].result)
        memory = Memory(kept, [work], cut, started, None, options)
        engine = Engine(ours, theirs, options, watch=watch)
        if not work.read and not engine.out_of_time:
            engine.scan(work, keep=memory.keep)
        if not engine.out_of_time:
            engine.settle(work)
        work.result.finished = work.read and not work.suspects
        memory.keep(force=True, finished=over(work.result))
    return work.result.to_json()


def over(result: TableResult) -> bool:
    """Return whether there is nothing left to do: it was read, or stopped at what differs."""
    return result.finished or result.differences > 0


def gather(planned: Mapping[str, Any], results: Iterable[Mapping[str, Any]], options: Options = DEFAULTS) -> Report:
    """Put the results of a plan's parts together.

    A table with a part that has no result is unfinished, never equal.
    """
    tables = {data["table"]: TableResult.from_json(data) for data in planned["results"]}
    missing: dict[str, int] = {}
    for part in planned["parts"]:
        missing[part["table"]] = missing.get(part["table"], 0) + 1
    for data in results:
        result = TableResult.from_json(data)
        missing[result.table] -= 1
        if result.table in tables:
            tables[result.table].add(result)
        else:
            tables[result.table] = result
    for name, count in missing.items():
        if count:
            table = tables.setdefault(name, TableResult(name))
            table.finished, table.note = False, f"{count} parts of it have no result"
    for table in tables.values():
        del table.examples[options.examples :]
    ended = sorted(tables.values(), key=lambda table: table.table)
    return Report(
        "full",
        planned["started"],
        time.time() - datetime.fromisoformat(planned["started"]).timestamp(),
        planned["cut"],
        "shown" if options.show_values else "masked",
        ended,
    )


def _cut(source: Server, target: Server, shape: Shape, rows: int) -> list[Chunk]:
    if not shape.ranged:
        return [Chunk()]
    # A part has millions of rows: to pass over those of several takes longer than one statement may.
    cuts = list(chunks.cut(source, shape, rows, Chunk(), together=1))
    fit = (target.run(chunks.fits(shape, "target", part)) for part in cuts)
    return cuts if all(fit) else [Chunk()]
