"""One operator's connections to the two databases, as who owns the tables, and the guard before each act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import psycopg2
from botocore.exceptions import BotoCoreError, ClientError
from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from runtime_lambdas.runtime.catalogue import SequenceState, Table, read_sequences, read_tables
from runtime_lambdas.runtime.database import NotConfigured
from runtime_lambdas.runtime.logins import Logins, Role
from runtime_lambdas.runtime.refused import Refused
from runtime_lambdas.runtime.writer import SIDES, Side

from . import guard
from .privileges import Scope
from .settings import Settings

Result = TypeVar("Result")
Sessions = dict[str, connection]
"""Connections by their role's name in the database."""

OWNER: Mapping[Side, Role] = {"source": "admin", "target": "control"}
"""Who owns the tables on each side."""
REPLICATOR: Mapping[Side, Role] = {"source": "admin", "target": "replication"}
"""Whom the other server logs in as, and who may create slots."""
APPLICATION: Mapping[Side, Role] = {"source": "application", "target": "api"}
"""Who makes the payments."""

_SESSION = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s'"


class Unclaimed(RuntimeError):
    """A side was out of reach when this run began, so nothing may be done to it."""


class Sides:
    """Both databases in the hands of one run.

    Args:
        logins: finds the logins.
        settings: which tables.
    """

    def __init__(self, logins: Logins, settings: Settings) -> None:
        self.logins = logins
        self._settings = settings
        self._open: dict[Side, connection] = {}
        self._applications: dict[Side, Sessions] = {}
        self._unclaimed: dict[Side, Exception] = {}
        self._token = 0
        self._act = 0

    def claim(self, token: int) -> None:
        """Raise the guard of both databases to the token; a side that is out of reach stays out of bounds.

        Raises:
            Superseded: another operator has taken over.
            psycopg2.OperationalError: neither side can be reached.
        """
        self._token = token
        self._unclaimed.clear()
        for side in SIDES:
            try:
                self.transact(side, guard.make)
                self.transact(side, lambda running: guard.enter(running, *self.next_act()))
            except psycopg2.OperationalError as error:
                self._unclaimed[side] = error
        if len(self._unclaimed) == len(SIDES):
            raise self._unclaimed["source"]

    def next_act(self) -> tuple[int, int]:
        """Number an act for the guard."""
        self._act += 1
        return self._token, self._act

    def connection(self, side: Side) -> connection:
        """Return the kept connection in autocommit mode, or a new one where it broke.

        Raises:
            Unclaimed: the side was out of reach when the run began.
        """
        if side in self._unclaimed:
            raise Unclaimed(f"the {side} was out of reach when this command began: {self._unclaimed[side]}")
        opened = self._open.get(side)
        if opened is None or opened.closed:
            opened = self.logins.login(side, OWNER[side]).open()
            opened.autocommit = True
            with opened.cursor() as running:
                running.execute(_SESSION)
            self._open[side] = opened
        return opened

    def transact(self, side: Side, work: Callable[[cursor], Result]) -> Result:
        """Run `work` in one transaction."""
        opened = self.connection(side)
        with opened.cursor() as running:
            running.execute("BEGIN")
            try:
                result = work(running)
                running.execute("COMMIT")
            except BaseException:
                if not opened.closed:
                    running.execute("ROLLBACK")
                raise
            return result

    def user(self, side: Side, role: Role) -> str:
        """Return a login's name in its database."""
        return self.logins.login(side, role).user

    def applications(self, side: Side) -> Sessions:
        """Return a session of the application's own login by its role; none where it cannot log in from here.

        It is opened anew by each call, and kept: at the fence it is one of those that were there before.
        """
        self._close_applications(side)
        found: Sessions = {}
        self._applications[side] = found
        with suppress(psycopg2.Error, BotoCoreError, ClientError, NotConfigured, Refused):
            login = self.logins.login(side, APPLICATION[side])
            found[login.user] = login.open()
            found[login.user].autocommit = True
        return found

    def _close_applications(self, side: Side) -> None:
        for opened in self._applications.pop(side, {}).values():
            opened.close()

    def tables(self, side: Side) -> list[Table]:
        """Read the tables that move."""
        settings = self._settings
        return self.transact(side, lambda running: read_tables(running, settings.include, settings.exclude))

    def sequences(self, side: Side) -> list[SequenceState]:
        """Read the sequences that move with them, as they stand now."""
        settings = self._settings

        def read(running: cursor) -> list[SequenceState]:
            return read_sequences(running, read_tables(running, settings.include, settings.exclude))

        return self.transact(side, read)

    def scope(self, side: Side) -> Scope:
        """Return what a fence of this side closes, and whom it lets through."""
        tables, sequences = self.tables(side), self.sequences(side)
        opened = self.connection(side)

        def quoted(schema: str, name: str) -> str:
            return str(sql.Identifier(schema, name).as_string(opened))

        keep = {self.user(side, OWNER[side]), self.user(side, REPLICATOR[side])}
        return Scope(
            [quoted(table.schema, table.name) for table in tables],
            [quoted(sequence.schema, sequence.name) for sequence in sequences],
            sorted(keep),
        )

    def close(self) -> None:
        """Close the connections."""
        for side in SIDES:
            self._close_applications(side)
        for opened in self._open.values():
            opened.close()
        self._open.clear()
