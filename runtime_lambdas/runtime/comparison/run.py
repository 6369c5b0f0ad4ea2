"""The comparison of two databases, from the patterns of a spec to a report."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from psycopg2.extensions import cursor

from runtime_lambdas.runtime import catalogue
from runtime_lambdas.runtime.catalogue import Table
from runtime_lambdas.runtime.journal.control import Side

from . import changes
from .changes import Cut
from .chunks import Chunk, as_key
from .engine import Engine, Work
from .invariants import Invariant, check
from .kept import Kept, State
from .lag import Wait
from .options import DEFAULTS, Options, Patterns, Watch
from .report import InvariantResult, Report, TableResult
from .server import Server
from .session import Open
from .shape import Shape, alone, match

_KEEP_EVERY = 2.0  # seconds between two savings
_FORMAT = 2  # of what is kept; a change in what it means refuses what was kept before
_HELD = 5_000  # suspects of all tables together that are held until the end


class NothingToCompare(ValueError):
    """The patterns select no table on either side."""


class KeptElsewhere(ValueError):
    """What was kept is of another comparison: other tables, databases or options."""


def compare(
    source: Open,
    target: Open,
    tables: Patterns,
    options: Options = DEFAULTS,
    *,
    invariants: Sequence[Invariant] = (),
    since: Cut | None = None,
    kept: Kept | None = None,
    watch: Watch | None = None,
    wait: Wait | None = None,
) -> Report:
    """Compare the tables of two databases.

    Args:
        source: Opens a connection to the source; its login needs SELECT, nothing else.
        target: The same for the target.
        tables: Which tables.
        options: How.
        invariants: Queries that must hold on both sides.
        since: Compares the keys of all rows, and the content of those that were written since on either side; all of
            a table that was not compared then as it is now.
        kept: Where to keep how far it is; what is found there is continued.
        watch: Is told how far it is.
        wait: Waits for what was committed on the leader; by default for somebody's heartbeat.

    Raises:
        NothingToCompare: The patterns select nothing.
        KeptElsewhere: What was kept belongs to another comparison.
        CutOutdated: Changes since the cut can't be told any more.
        SnapshotLost: With `snapshot`: a connection broke.
        psycopg2.Error: A database is unreachable or refused a query.
    """
    began = time.monotonic()
    with servers(source, target, options) as (ours, theirs):
        clock, cut = begin(ours, theirs)
        if since is not None:
            changes.check(since.source, cut.source)
            changes.check(since.target, cut.target)
        works, results = lay_out(ours, theirs, tables)
        cut = cut.of(work.shape for work in works)
        memory = Memory(kept, works, cut, clock, since, options)
        engine = Engine(ours, theirs, options, None, watch, wait)
        changed = engine if since is None else Engine(ours, theirs, options, since, watch, wait)
        with ExitStack() as held:
            snapshots: dict[Side, str] | None = None
            if options.snapshot:
                snapshots = {
                    "source": held.enter_context(ours.snapshot()),
                    "target": held.enter_context(theirs.snapshot()),
                }
            for work in works:
                if not work.read and not engine.out_of_time:
                    known = since is not None and since.knows(work.shape)
                    (changed if known else engine).scan(work, snapshots, memory.keep)
                    if sum(len(each.suspects) for each in works) > _HELD:
                        _settle(engine, works)
                    memory.keep(force=True)
        _settle(engine, works)
        for work in works:
            work.result.finished = work.read and not work.suspects
        memory.keep(force=True, finished=all(work.result.finished or work.result.differences for work in works))
        results += [work.result for work in works]
        return Report(
            "full" if since is None else "changes",
            memory.started,
            time.monotonic() - began,
            memory.cut.to_json(),
            "shown" if options.show_values else "masked",
            sorted(results, key=lambda result: result.table),
            [InvariantResult(each.name, "unfinished", [], []) for each in invariants]
            if engine.out_of_time
            else check(ours, theirs, invariants, options, wait),
        )


def _settle(engine: Engine, works: Sequence[Work]) -> None:
    for work in works:
        if not engine.out_of_time:
            engine.settle(work)


@contextmanager
def servers(source: Open, target: Open, options: Options) -> Iterator[tuple[Server, Server]]:
    """Open both sides."""
    with (
        Server(source, options.connections, options.max_load) as ours,
        Server(target, options.connections, options.max_load) as theirs,
    ):
        yield ours, theirs


def begin(source: Server, target: Server) -> tuple[str, Cut]:
    """Return the time on the source's clock in ISO 8601, and the cut that later comparisons may start from."""
    return source.run(_clock), Cut(source.run(changes.now), target.run(changes.now))


def lay_out(source: Server, target: Server, tables: Patterns) -> tuple[list[Work], list[TableResult]]:
    """Read both catalogues and return the tables that both have, and a result for each that one side lacks.

    Raises:
        NothingToCompare: The patterns select nothing.
    """

    def read(running: cursor) -> tuple[list[Table], tuple[str, ...]]:
        return catalogue.read_tables(running, tables.include, tables.exclude), _collation(running)

    (ours, our_order), (theirs, their_order) = source.run(read), target.run(read)
    if not ours and not theirs:
        raise NothingToCompare(
            f"no table on either side matches include {list(tables.include)} without exclude {list(tables.exclude)}. "
            "Correct replication.tables in the migration's spec, as [public.%]."
        )
    found = {"source": {t.full_name: t for t in ours}, "target": {t.full_name: t for t in theirs}}
    works, lonely = [], []
    for name in sorted({*found["source"], *found["target"]}):
        here, there = found["source"].get(name), found["target"].get(name)
        if here is not None and there is not None:
            shape = match(here, there, our_order == their_order)
            works.append(Work(shape, Chunk(), TableResult(name, disagreements=list(shape.disagreements))))
        elif here is not None:
            lonely.append(TableResult(name, disagreements=[alone(here, "source")], finished=True))
        elif there is not None:
            lonely.append(TableResult(name, disagreements=[alone(there, "target")], finished=True))
    return works, lonely


def _collation(running: cursor) -> tuple[str, ...]:
    running.execute(
        "SELECT to_jsonb(d) ->> 'datlocprovider', datcollate, coalesce(to_jsonb(d) ->> 'datlocale', "
        "to_jsonb(d) ->> 'daticulocale') FROM pg_database d WHERE datname = current_database()"
    )
    [found] = running.fetchall()
    return tuple(str(value) for value in found)


def _clock(running: cursor) -> str:
    running.execute("SELECT clock_timestamp()")
    [(now,)] = running.fetchall()
    return str(now.isoformat())


class Memory:
    """Keeps the works of a comparison, and takes up what an earlier process kept."""

    def __init__(
        self, kept: Kept | None, works: list[Work], cut: Cut, started: str, since: Cut | None, options: Options
    ) -> None:
        self.cut, self.started = cut, started
        self._kept, self._works, self._since = kept, works, since
        self._print = fingerprint([work.shape for work in works], cut, since, options)
        self._last = time.monotonic()
        state = kept.load() if kept is not None else None
        if state is not None:
            self._take_up(state)

    def keep(self, force: bool = False, finished: bool = False) -> None:
        """Save, unless that was done a moment ago; what is finished is forgotten."""
        if self._kept is not None and finished:
            self._kept.clear()
            return
        if self._kept is None or (not force and time.monotonic() - self._last < _KEEP_EVERY):
            return
        self._kept.save(
            {
                "fingerprint": self._print,
                "started": self.started,
                "cut": self.cut.to_json(),
                "tables": {
                    work.shape.full_name: {
                        "frontier": work.frontier,
                        "unlike": [[chunk.low, chunk.high, rows] for chunk, rows in work.unlike],
                        "read": work.read,
                        "suspects": work.suspects,
                        "result": work.result.to_json(),
                    }
                    for work in self._works
                },
            }
        )
        self._last = time.monotonic()

    def _take_up(self, state: State) -> None:
        if state.get("fingerprint") != self._print:
            raise KeptElsewhere(
                "what was kept belongs to a comparison of other tables, databases or options; "
                "name another place for this one"
            )
        self.cut, self.started = Cut.from_json(state["cut"]), state["started"]
        for work in self._works:
            one = state["tables"][work.shape.full_name]
            work.frontier = as_key(one["frontier"])
            work.unlike = [(Chunk(as_key(low), as_key(high)), rows) for low, high, rows in one.get("unlike", ())]
            work.read = one["read"]
            work.suspects = [tuple(key) for key in one["suspects"]]
            work.result = TableResult.from_json(one["result"])


def fingerprint(shapes: list[Shape], cut: Cut, since: Cut | None, options: Options) -> str:
    """Return what tells one comparison from another; wherever it was begun."""
    text = json.dumps(
        [
            _FORMAT,
            [shape.fingerprint for shape in shapes],
            [cut.source.database, cut.target.database],
            since and since.to_json(),
            [options.leader, options.show_values, options.hash],
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()
