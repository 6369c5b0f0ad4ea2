"""A migration's journal and lease, as commands use them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from runtime_lambdas.runtime.journal import control
from runtime_lambdas.runtime.journal import lease as leases
from runtime_lambdas.runtime.journal.control import Side, Writer, WriterMoved
from runtime_lambdas.runtime.journal.entry import Draft, Entry, Kind
from runtime_lambdas.runtime.journal.lease import Lease, LeaseHeld, LeaseLost
from runtime_lambdas.runtime.journal.place import Place
from runtime_lambdas.runtime.journal.table import CONTROL, LEASE, Conflict, Table


class Overtaken(Exception):
    """Somebody else appended first: what was decided on older entries was not written."""


class Journal:
    """One migration's journal in the hands of one operator.

    Args:
        client: a DynamoDB client of boto3.
        table: the name of the table.
        migration: the migration's full name.
        who: the operator's ARN.
        alone: whether Lambda runs one call at a time of the function that this is: a lease that another call of it
            holds is a dead one's.
    """

    def __init__(self, client: Any, table: str, migration: str, who: str, alone: bool = False) -> None:
        self._table = Table(client, table, migration)
        self._last: int | None = None
        self.migration = migration
        self.who = who
        self._alone = alone

    @property
    def table(self) -> str:
        """The table's name."""
        return self._table.name

    def entries(self) -> Iterator[Entry]:
        """Read all entries, oldest first."""
        return self._table.entries()

    def lease(self) -> Lease | None:
        """Read the lease as it is now; None before the first."""
        item = self._table.read(LEASE)
        return leases.from_item(item) if item else None

    def writer(self) -> Writer:
        """Read which database accepts writes, as it is now.

        Raises:
            WriterUnknown: the control item names none.
        """
        return control.from_item(self._table.read(CONTROL))

    def append(
        self,
        verb: str,
        step: str,
        kind: Kind,
        why: str = "",
        evidence: Mapping[str, Any] | None = None,
        under: Lease | None = None,
    ) -> Entry:
        """Append an entry.

        Args:
            verb: the command.
            step: what of it.
            kind: before the act, after it, or a note.
            why: the operator's words.
            evidence: what was found or reached.
            under: the lease that has to be ours still; None for a note that needs no lease.

        Raises:
            LeaseLost: it is another's by now.
        """
        return self.append_all([Draft(verb, step, kind, why, evidence or {})], under)[0]

    def append_all(self, drafts: Sequence[Draft], under: Lease | None = None) -> list[Entry]:
        """Append several entries in one transaction, such as the outcome of one step and the intent of the next.

        It costs one call while nobody else appends.

        Raises:
            LeaseLost: the lease is another's by now; nothing was appended.
        """
        return self._append(drafts, under)

    def append_after(
        self, last: int, drafts: Sequence[Draft], under: Lease, commit: tuple[int, Side] | None = None
    ) -> list[Entry]:
        """Append in one transaction, on condition that `last` is still the latest entry.

        For what is decided on the entries up to `last`: a call whose answer was lost cannot take effect any more once
        another entry was appended.

        Args:
            last: the sequence number of the latest entry that is known; 0 for none.
            drafts: what to append.
            under: the lease that has to be ours still.
            commit: in the same transaction, the epoch to set out from and the side that becomes the writer.

        Raises:
            Overtaken: there is a later entry; nothing was written.
            LeaseLost: the lease is another's by now; nothing was written.
            WriterMoved: the epoch is another by now, or the side is the writer already; nothing was written.
            botocore.exceptions.BotoCoreError, ClientError: whether it was written is not known.
        """
        now = _now()
        entries = [Entry.of(draft, last + n, now, self.who, under.token) for n, draft in enumerate(drafts, start=1)]
        try:
            self._table.append(entries, (under.token, under.id), commit)
        except Conflict as conflict:
            if conflict.what == "lease":
                raise LeaseLost(self.lease()) from conflict
            if conflict.what == "control" and commit is not None:
                raise WriterMoved(self.writer(), commit[0]) from conflict
            raise Overtaken from conflict
        self._last = last + len(entries)
        return entries

    def commit_writer(self, lease: Lease, from_epoch: int, to_writer: Side, entry: Draft) -> Entry:
        """Move the writer to a side: the point of no return.

        One transaction checks the lease, changes the control item from `from_epoch` to the next epoch, and appends the
        entry: all of it or nothing.

        Args:
            lease: has to be ours still.
            from_epoch: the epoch it sets out from, in which the other side is the writer.
            to_writer: the side that becomes the writer.
            entry: what the journal keeps of it.

        Raises:
            LeaseLost: the lease is another's by now; nothing was committed.
            WriterMoved: the epoch is another by now, or the side is the writer already; nothing was committed.
            botocore.exceptions.BotoCoreError, ClientError: whether it was committed is not known: `writer` tells.
        """
        return self._append([entry], lease, (from_epoch, to_writer))[0]

    def _append(
        self, drafts: Sequence[Draft], under: Lease | None, commit: tuple[int, Side] | None = None
    ) -> list[Entry]:
        while True:
            # Only we append as a rule, so the number after our last one is free; where it is not, the table tells.
            last = self._table.last_sequence() if self._last is None else self._last
            token, now = under.token if under else 0, _now()
            entries = [Entry.of(draft, last + n, now, self.who, token) for n, draft in enumerate(drafts, start=1)]
            try:
                self._table.append(entries, (under.token, under.id) if under else None, commit)
            except Conflict as conflict:
                if conflict.what == "lease":
                    raise LeaseLost(self.lease()) from conflict
                if conflict.what == "control" and commit is not None:
                    raise WriterMoved(self.writer(), commit[0]) from conflict
                self._last = None
                continue
            self._last = last + len(entries)
            return entries

    def acquire(self, verb: str, over: bool = False) -> tuple[Lease, Lease | None]:
        """Take the lease.

        Args:
            verb: the command that wants it.
            over: take it from a holder who is alive, too.

        Returns:
            The new lease, and the one it was taken over from, if any.

        Raises:
            LeaseHeld: somebody else has it.
        """
        mine = uuid.uuid4().hex
        former: Lease | None = None
        while True:
            found = self.lease()
            if found is not None and found.id == mine:
                return found, former  # a call whose answer was lost had taken effect
            gone = found is not None and found.held and self._is_gone(found.place)
            if found is not None and not over and not leases.available(found, _now(), gone):
                raise LeaseHeld(found, _now())
            former = found if found is not None and found.held else None
            wanted = leases.successor(found, mine, self.who, Place.here(), verb, _now(), leases.LIFE)
            try:
                self._table.put_lease(leases.to_item(wanted), (found.token, found.id) if found else None)
            except Conflict:
                continue
            return wanted, former

    def _is_gone(self, place: Place) -> bool:
        return place.is_gone() or (self._alone and place.is_this_function())

    def renew(self, lease: Lease) -> None:
        """Let the lease live on.

        Raises:
            LeaseLost: it is another's by now.
        """
        self._replace(lease, leases.renewed(lease, _now(), leases.LIFE))

    def release(self, lease: Lease) -> None:
        """Give the lease back.

        Raises:
            LeaseLost: it is another's by now.
        """
        self._replace(lease, leases.released(lease))

    def break_lease(self, lease: Lease) -> None:
        """End somebody's lease: whatever that command still tries is refused.

        Raises:
            LeaseLost: it changed hands meanwhile.
        """
        self._replace(lease, leases.broken(lease))

    def check(self, lease: Lease) -> None:
        """Make sure that the lease is still ours.

        Raises:
            LeaseLost: it is another's by now.
        """
        found = self.lease()
        if found is None or (found.token, found.id) != (lease.token, lease.id):
            raise LeaseLost(found)

    def _replace(self, lease: Lease, new: Lease) -> None:
        try:
            self._table.put_lease(leases.to_item(new), (lease.token, lease.id))
        except Conflict as conflict:
            found = self.lease()
            if found == new:
                return  # a call whose answer was lost had taken effect
            raise LeaseLost(found) from conflict


def _now() -> datetime:
    return datetime.now(UTC)
