"""The journal as a run sees it: read once, then appended to only where nobody else has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from runtime_lambdas.runtime.journal.control import WriterMoved
from runtime_lambdas.runtime.journal.entry import Draft, Entry
from runtime_lambdas.runtime.journal.journal import Journal, Overtaken
from runtime_lambdas.runtime.journal.lease import Lease
from runtime_lambdas.runtime.writer import Side


class Moved(Exception):
    """Somebody else appended: nothing was written, and the ledger has been read again."""


class NoAnswer(RuntimeError):
    """The journal does not answer; whether an entry was written is not known."""


class Contradicted(RuntimeError):
    """The journal and the control item name different writers: somebody changed one of them by hand."""


class Ledger(Protocol):
    """A journal under a lease."""

    @property
    def token(self) -> int:
        """The lease's token, which grows whenever the lease changes hands."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """All entries, as of the last `read` or `append`."""
        ...

    def read(self) -> None:
        """Read all entries.

        Raises:
            NoAnswer: the journal is out of reach.
        """

    def append(self, drafts: Sequence[Draft], commit: tuple[int, Side] | None = None) -> None:
        """Append to exactly the entries that are known, all of it or nothing.

        A call whose answer was lost can therefore never take effect after a later one did.

        Args:
            drafts: what to append.
            commit: in the same transaction, the epoch to set out from and the side that becomes the writer.

        Raises:
            Moved: there are more entries than are known.
            Contradicted: the control item names another epoch or writer than `commit` sets out from.
            LeaseLost: the lease is another's by now.
            NoAnswer: it may have been written, or not.
        """


class JournalLedger:
    """The ledger of a real journal."""

    def __init__(self, journal: Journal, lease: Lease) -> None:
        self._journal = journal
        self._lease = lease
        self.token = lease.token
        self.entries: list[Entry] = []

    def read(self) -> None:
        """As the interface says."""
        try:
            self.entries = list(self._journal.entries())
        except (BotoCoreError, ClientError) as error:
            raise NoAnswer(str(error)) from error

    def append(self, drafts: Sequence[Draft], commit: tuple[int, Side] | None = None) -> None:
        """As the interface says."""
        last = self.entries[-1].sequence if self.entries else 0
        try:
            self.entries += self._journal.append_after(last, drafts, self._lease, commit)
        except Overtaken as conflict:
            self.read()
            raise Moved from conflict
        except WriterMoved as conflict:
            self.read()
            if self.entries and self.entries[-1].sequence > last:
                raise Moved from conflict
            raise Contradicted(str(conflict)) from conflict
        except (BotoCoreError, ClientError) as error:
            raise NoAnswer(str(error)) from error
