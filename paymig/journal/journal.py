"""A migration's journal and lease, as commands use them."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from paymig.aws import bootstrap
from paymig.aws.session import Aws
from paymig.errors import Refused
from paymig.journal import lease as leases
from paymig.journal.entry import Entry, Kind
from paymig.journal.lease import Lease, LeaseHeld, LeaseLost
from paymig.journal.place import Place
from paymig.journal.table import CONTROL, LEASE, Conflict, Table


class Journal:
    """One migration's journal in the hands of one operator.

    Args:
        table: where it stands.
        who: the operator's ARN.
    """

    def __init__(self, table: Table, who: str) -> None:
        self._table = table
        self.who = who

    @classmethod
    def open(cls, aws: Aws, migration: str) -> "Journal":
        """Find the journal of a migration.

        Raises:
            Refused: there is none yet.
        """
        name = bootstrap.journal_table(aws)
        if name is None:
            raise Refused(
                f"there is no journal in this account's {aws.region}: nothing of {migration} was deployed here yet",
                "paymig deploy makes it; --profile and --region choose where to look",
            )
        return cls(Table(aws, name, migration), aws.caller())

    def entries(self) -> Iterator[Entry]:
        """Read all entries, oldest first."""
        return self._table.entries()

    def lease(self) -> Lease | None:
        """Read the lease as it is now; None before the first."""
        item = self._table.read(LEASE)
        return leases.from_item(item) if item else None

    def writer(self) -> str:
        """Read which database accepts writes, `source` or `target`.

        Raises:
            Refused: the control item names none.
        """
        item = self._table.read(CONTROL)
        if item is None:
            return "source"  # nothing has been switched yet
        side = str(item.get("writer", {}).get("S"))
        if side not in ("source", "target"):
            raise Refused(f"the control item names {side!r} as the writer", "restore it to `source` or `target`")
        return side

    def append(
        self,
        verb: str,
        step: str,
        kind: Kind,
        why: str,
        evidence: Mapping[str, Any],
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
        while True:
            entry = Entry(
                sequence=self._table.last_sequence() + 1,
                time=_now(),
                who=self.who,
                verb=verb,
                step=step,
                kind=kind,
                why=why,
                evidence=evidence,
                token=under.token if under else 0,
            )
            try:
                self._table.append(entry, (under.token, under.id) if under else None)
            except Conflict as conflict:
                if conflict.lease:
                    raise LeaseLost(self.lease()) from conflict
                continue  # somebody appended at the same moment: take the next number
            return entry

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
            gone = found is not None and found.held and found.place.is_gone()
            if found is not None and not over and not leases.available(found, _now(), gone):
                raise LeaseHeld(found, _now())
            former = found if found is not None and found.held else None
            wanted = leases.successor(found, mine, self.who, Place.here(), verb, _now(), leases.LIFE)
            try:
                self._table.put_lease(leases.to_item(wanted), (found.token, found.id) if found else None)
            except Conflict:
                continue
            return wanted, former

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
