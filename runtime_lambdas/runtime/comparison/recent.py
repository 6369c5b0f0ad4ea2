"""Comparing what was written in the last moments, for the pause of a switchover.

A temporary replication slot on each side tells exactly which rows were written, deleted ones too, so what is read in
the pause is a few rows and no table. Needs a login with REPLICATION on each side, and a publication of the tables.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self

from runtime_lambdas.runtime.journal.control import SIDES, Side

from . import rows
from .canonical import Key
from .engine import Engine, Work
from .invariants import Invariant, check
from .lag import Wait, stopped
from .options import Options, Patterns
from .record import Record
from .report import Report, TableResult
from .rows import Version
from .run import lay_out
from .server import Server
from .session import Open


@dataclass
class _Pending:
    """What is to be compared of a table: some rows, or the whole of it."""

    keys: set[Key] = field(default_factory=set)
    whole: bool = False


class Recent:
    """Knows which rows were written on either side since it was opened, and compares them.

    Everything before it was opened is left to `compare` with its cut, which is called while this is open:

        with Recent(...) as recent:
            report = compare(..., since=cut)  # before the pause
            recent.settle()                   # before the pause: what was written meanwhile
            ...                               # writes are stopped, replication has brought the last one
            report = recent.compare()         # in the pause

    Args:
        source: Opens a connection to the source.
        target: The same for the target.
        tables: Which tables.
        publications: The publication of these tables on each side.
        options: As for `compare`.
        wait: As for `compare`.

    Raises:
        psycopg2.errors.InsufficientPrivilege: A login lacks REPLICATION.
        StillOpen: A transaction that had written before did not end within ten seconds.
        NotPublished: A publication leaves something out.
        NothingToCompare: The patterns select nothing.
    """

    def __init__(
        self,
        source: Open,
        target: Open,
        tables: Patterns,
        publications: Mapping[Side, str],
        options: Options,
        wait: Wait | None = None,
    ) -> None:
        self._options = options
        opens: dict[Side, Open] = {"source": source, "target": target}
        self._readers = {side: Server(opens[side], options.connections, options.max_load) for side in SIDES}
        self._records = {side: Record(side, opens[side], publications[side]) for side in SIDES}
        try:
            works, _ = lay_out(self._readers["source"], self._readers["target"], tables)
            self._works = {work.shape.full_name: work for work in works}
            keys = {name: [each.name for each in work.shape.key] for name, work in self._works.items()}
            self._pending: dict[str, _Pending] = {}
            for side in SIDES:
                self._records[side].check(self._works)
            sides = self._readers["source"], self._readers["target"]
            self._live, self._still = (Engine(*sides, options, wait=each) for each in (wait, stopped))
            for begun in [self._records[side].begin(keys) for side in SIDES]:
                begun.result()
        except BaseException:
            self.close()
            raise

    def settle(self) -> int:
        """Compare what was written so far, and forget what is the same; for the time before the pause.

        Returns:
            How many rows are left to be looked at again; a table whose rows can't be told counts as one.

        Raises:
            StillOpen: A transaction that had written before did not end within ten seconds.
        """
        self._record(renew=True)
        for name, pending in list(self._pending.items()):
            if pending.whole:
                # What is written from here on is recorded, so the table is done when it is the same now.
                pending.keys, pending.whole = set(), self._whole(name, self._live).verdict != "equal"
            pending.keys = self._unlike(name, pending.keys)
            if not pending.keys and not pending.whole:
                del self._pending[name]
        return sum(1 if pending.whole else len(pending.keys) for pending in self._pending.values())

    def compare(self, invariants: Sequence[Invariant] = ()) -> Report:
        """Compare what was written since, while nobody writes and replication has brought everything.

        Args:
            invariants: Queries that must hold on both sides, to be checked as well.

        Returns:
            A report whose tables are those that were written to, with the rows that were looked at.

        Raises:
            RecordLost: A session that recorded ended.
            psycopg2.Error: A database is unreachable or refused a query.
        """
        began, started = time.monotonic(), datetime.now(UTC)
        self._record()
        results = [
            self._whole(name, self._still) if pending.whole else self._rows(name, pending.keys)
            for name, pending in sorted(self._pending.items())
        ]
        checked = check(self._readers["source"], self._readers["target"], invariants, self._options, stopped)
        values: Literal["masked", "shown"] = "shown" if self._options.show_values else "masked"
        return Report("recent", started.isoformat(), time.monotonic() - began, None, values, results, checked)

    def close(self) -> None:
        """Drop the slots and close the connections."""
        for record in self._records.values():
            record.close()
        for reader in self._readers.values():
            reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def _record(self, renew: bool = False) -> None:
        """Note what was written until now, and where `renew`, go on with records that begin here."""
        told = {side: self._records[side].read(renew) for side in SIDES}
        for side in SIDES:
            for name, keys in told[side].result().items():
                pending = self._pending.setdefault(name, _Pending())
                pending.whole = pending.whole or None in keys
                pending.keys |= {key for key in keys if key is not None}

    def _whole(self, name: str, engine: Engine) -> TableResult:
        work = self._work(name)
        engine.scan(work)
        return _settled(work, engine)

    def _rows(self, name: str, keys: set[Key]) -> TableResult:
        work = self._work(name)
        work.suspects, work.read = sorted(self._unlike(name, keys)), True
        work.result.rows_source = work.result.rows_target = len(keys)
        return _settled(work, self._still)

    def _work(self, name: str) -> Work:
        known = self._works[name]
        return Work(known.shape, known.whole, TableResult(name, disagreements=list(known.shape.disagreements)))

    def _unlike(self, name: str, keys: set[Key]) -> set[Key]:
        shape, wanted = self._works[name].shape, sorted(keys)
        asked = [self._readers[side].submit(rows.by_key(shape, side, wanted)) for side in SIDES]
        source, target = (future.result() for future in asked)
        return {key for key in keys if _content(source.get(key)) != _content(target.get(key))}


def _settled(work: Work, engine: Engine) -> TableResult:
    engine.settle(work)
    work.result.finished = work.read and not work.suspects
    return work.result


def _content(version: Version | None) -> bytes | int | None:
    return None if version is None else version.content
