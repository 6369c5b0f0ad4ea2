"""Which rows were written on one side: a temporary replication slot tells exactly that, deleted ones too."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future

import psycopg2
from psycopg2.extensions import cursor, quote_ident

from runtime_lambdas.runtime.journal.control import Side
from runtime_lambdas.runtime.refused import Refused
from runtime_lambdas.runtime.unfinished import in_the_way

from .canonical import Key
from .decoding import written
from .server import Server
from .session import Open

Found = Mapping[str, set[Key | None]]
"""Keys of the rows that were written to, by the full name of their table; None where its rows can't be told."""


class RecordLost(Refused):
    """The session that recorded what was written ended, and the record with it: says why, and how to mend it."""


class StillOpen(Refused):
    """A transaction that had written before does not end: says whose it is, and how to mend it."""


class NotPublished(ValueError):
    """A publication does not tell of all writes: says of which tables."""


class Record:
    """What is written on one side from the moment on at which it begins.

    A slot lives as long as its session, so it has one of its own.

    Args:
        side: Which one.
        open_: Opens a connection.
        publication: Tells of all writes.
    """

    def __init__(self, side: Side, open_: Open, publication: str) -> None:
        self._side = side
        self._server = Server(open_, 1)
        self._publication = publication
        self._slot = ""
        self._keys: Mapping[str, Sequence[str]] = {}

    def check(self, tables: Iterable[str]) -> None:
        """Make sure that the publication tells of everything that is done to these tables.

        Raises:
            NotPublished: It does not.
        """

        def ask(running: cursor) -> None:
            running.execute(
                "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication WHERE pubname = %s",
                (self._publication,),
            )
            if running.fetchall() != [(True,)]:
                raise NotPublished(
                    f"there is no publication {self._publication} of inserts, updates, deletes and truncates"
                )
            running.execute(
                "SELECT schemaname || '.' || tablename FROM pg_publication_tables p"
                " WHERE pubname = %s AND to_jsonb(p) ->> 'rowfilter' IS NULL",
                (self._publication,),
            )
            if missing := sorted(set(tables) - {name for (name,) in running.fetchall()}):
                raise NotPublished(
                    f"the publication {self._publication} does not tell of every row of {', '.join(missing)}. Add the "
                    "tables to it, without a filter; partitioned ones need publish_via_partition_root."
                )

        self._server.run(ask)

    def begin(self, keys: Mapping[str, Sequence[str]]) -> Future[None]:
        """Begin, once every transaction that has written has ended.

        The result raises `StillOpen` where one does not end within ten seconds.

        Args:
            keys: The columns of each table's key, by its full name.
        """
        self._keys = keys

        def ask(running: cursor) -> None:
            self._slot = self._create(running)

        return self._server.submit(ask)

    def read(self, renew: bool) -> Future[Found]:
        """Read what was written since it began, and where `renew`, begin anew here.

        A slot reads the log again from some place before its last call, at worst a quarter of a minute of it.

        The result raises `RecordLost` where the session ended, and `StillOpen` as that of `begin`.
        """

        def ask(running: cursor) -> Found:
            try:
                return self._read(running, renew)
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                if not running.connection.closed:
                    raise
                # Not asked again on a new connection, for which writes may be paused: the slot is gone with this one.
                raise self._lost(f"its server restarted, or ended the session ({_words(error)})") from error
            except psycopg2.errors.UndefinedObject as error:
                raise self._lost("an earlier error of that session ended it") from error

        return self._server.submit(ask)

    def close(self) -> None:
        """Drop the slot and close the connection."""
        self._server.close()

    def _read(self, running: cursor, renew: bool) -> Found:
        # The new slot first: what is committed between the two is told of by both.
        after = self._create(running) if renew else self._slot
        # Decoding ends where the log is on disk, and a commit that did not wait for that may lie behind: this one
        # waits, and takes it along.
        running.execute("SELECT pg_logical_emit_message(true, 'paymig', '')")
        running.execute(
            "SELECT data FROM pg_logical_slot_get_binary_changes(%s, NULL, NULL,"
            " 'proto_version', '1', 'publication_names', %s)",
            (self._slot, quote_ident(self._publication, running)),
        )
        found: dict[str, set[Key | None]] = {}
        for table, key in written((bytes(data) for (data,) in running), self._keys):
            found.setdefault(table, set()).add(key)
        if renew:
            running.execute("SELECT pg_drop_replication_slot(%s)", (self._slot,))
        self._slot = after
        return found

    def _lost(self, why: str) -> RecordLost:
        return RecordLost(
            f"the session that recorded what is written on the {self._side} is gone, so nobody knows which rows are to "
            f"be compared: {why}",
            f"run the command again once the {self._side} takes connections: it begins a new record",
        )

    def _create(self, running: cursor) -> str:
        slot = f"paymig_recent_{secrets.token_hex(8)}"
        running.execute("SET synchronous_commit = 'local'")
        try:
            running.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput', true)", (slot,))
        except psycopg2.errors.LockNotAvailable as error:
            who, mend = in_the_way(running)
            raise StillOpen(
                f"what is written on the {self._side} can't be recorded: that begins once every transaction that has "
                f"written ends, and one did not ({who})",
                mend,
            ) from error
        return slot


def _words(error: psycopg2.Error) -> str:
    return str(error).strip().partition("\n")[0]
