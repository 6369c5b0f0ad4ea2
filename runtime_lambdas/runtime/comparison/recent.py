"""Comparing what was written in the last moments, for the pause of a switchover.

A temporary replication slot on each side tells exactly which rows were written, deleted ones too, so what is read in
the pause is a few rows and no table. Needs a login with REPLICATION on each side, and a publication of the tables.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Literal, Self

import psycopg2
from psycopg2.extensions import cursor, quote_ident

from runtime_lambdas.runtime.journal.control import SIDES, Side
from runtime_lambdas.runtime.refused import Refused
from runtime_lambdas.runtime.unfinished import in_the_way

from . import rows
from .canonical import Key
from .decoding import written
from .engine import Engine, Work
from .invariants import Invariant, check
from .lag import Wait, stopped
from .options import Options, Patterns
from .report import Report, TableResult
from .rows import Version
from .run import lay_out
from .server import Ask, Server
from .session import Open


class RecordLost(RuntimeError):
    """A connection broke, and with it the record of what was written: open another one."""


class StillOpen(Refused):
    """A transaction that had written before does not end: says whose it is, and how to mend it."""


class NotPublished(ValueError):
    """A publication does not tell of all writes: says of which tables."""


@dataclass
class _Pending:
    """What is to be compared of a table: some rows, or the whole of it."""

    keys: set[Key] = field(default_factory=set)
    whole: bool = False


_Found = dict[str, set[Key | None]]


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
        self._publications = publications
        opens: dict[Side, Open] = {"source": source, "target": target}
        self._readers = {side: Server(opens[side], options.connections, options.max_load) for side in SIDES}
        # A slot lives as long as its session, so it has one of its own.
        self._decoders = {side: Server(opens[side], 1) for side in SIDES}
        try:
            works, _ = lay_out(self._readers["source"], self._readers["target"], tables)
            self._works = {work.shape.full_name: work for work in works}
            self._keys = {name: [each.name for each in work.shape.key] for name, work in self._works.items()}
            self._pending: dict[str, _Pending] = {}
            for side in SIDES:
                self._decoders[side].run(partial(_check, publication=publications[side], tables=self._works))
            sides = self._readers["source"], self._readers["target"]
            self._live, self._still = (Engine(*sides, options, wait=each) for each in (wait, stopped))
            made = {side: self._decoders[side].submit(partial(_create, side=side)) for side in SIDES}
            self._slots = {side: made[side].result() for side in SIDES}
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
            RecordLost: A connection broke.
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
        for server in (*self._decoders.values(), *self._readers.values()):
            server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def _record(self, renew: bool = False) -> None:
        """Note what was written until now, and where `renew`, go on with slots that begin here.

        A slot reads the log again from some place before its last call, at worst a quarter of a minute of it.
        """
        asked = {side: self._decoders[side].submit(self._consume(side, renew)) for side in SIDES}
        for side in SIDES:
            try:
                self._slots[side], found = asked[side].result()
            except psycopg2.errors.UndefinedObject as error:
                raise RecordLost(f"the record of what was written is gone: {error}".strip()) from error
            for name, keys in found.items():
                pending = self._pending.setdefault(name, _Pending())
                pending.whole = pending.whole or None in keys
                pending.keys |= {key for key in keys if key is not None}

    def _consume(self, side: Side, renew: bool) -> Ask[tuple[str, _Found]]:
        slot, publication = self._slots[side], self._publications[side]

        def ask(running: cursor) -> tuple[str, _Found]:
            # The new slot first: what is committed between the two is told of by both.
            after = _create(running, side) if renew else slot
            # Decoding ends where the log is on disk, and a commit that did not wait for that may lie behind: this one
            # waits, and takes it along.
            running.execute("SELECT pg_logical_emit_message(true, 'paymig', '')")
            running.execute(
                "SELECT data FROM pg_logical_slot_get_binary_changes(%s, NULL, NULL,"
                " 'proto_version', '1', 'publication_names', %s)",
                (slot, quote_ident(publication, running)),
            )
            found: _Found = {}
            for table, key in written((bytes(data) for (data,) in running), self._keys):
                found.setdefault(table, set()).add(key)
            if renew:
                running.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
            return after, found

        return ask

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


def _create(running: cursor, side: Side) -> str:
    slot = f"paymig_recent_{secrets.token_hex(8)}"
    running.execute("SET synchronous_commit = 'local'")
    try:
        running.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput', true)", (slot,))
    except psycopg2.errors.LockNotAvailable as error:
        who, mend = in_the_way(running)
        raise StillOpen(
            f"what is written on the {side} can't be recorded: that begins once every transaction that has written "
            f"ends, and one did not ({who})",
            mend,
        ) from error
    return slot


def _check(running: cursor, publication: str, tables: Iterable[str]) -> None:
    """Raise `NotPublished` unless the publication tells of everything that is done to these tables."""
    running.execute(
        "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication WHERE pubname = %s",
        (publication,),
    )
    if running.fetchall() != [(True,)]:
        raise NotPublished(f"there is no publication {publication} of inserts, updates, deletes and truncates")
    running.execute(
        "SELECT schemaname || '.' || tablename FROM pg_publication_tables p"
        " WHERE pubname = %s AND to_jsonb(p) ->> 'rowfilter' IS NULL",
        (publication,),
    )
    if missing := sorted(set(tables) - {name for (name,) in running.fetchall()}):
        raise NotPublished(
            f"the publication {publication} does not tell of every row of {', '.join(missing)}. Add the tables to it, "
            "without a filter; partitioned ones need publish_via_partition_root."
        )


def _settled(work: Work, engine: Engine) -> TableResult:
    engine.settle(work)
    work.result.finished = work.read and not work.suspects
    return work.result


def _content(version: Version | None) -> bytes | int | None:
    return None if version is None else version.content
