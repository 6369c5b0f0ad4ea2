"""The connections of one engine: one for each login, kept open, and opened again where they broke."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection, cursor

from runtime_lambdas.runtime.logins import Login, Logins, Role
from runtime_lambdas.runtime.writer import Side

Result = TypeVar("Result")

# Waiting in a lock's queue makes payments wait behind. A beat is sent once it is on disk, and with it all before it:
# where the server lets commits not wait for the disk, this one does.
_SESSION = "SET lock_timeout = '5s'; SET synchronous_commit = 'local'"

_ADMIN: dict[Side, Role] = {"source": "admin", "target": "control"}
_PEER: dict[Side, Role] = {"source": "admin", "target": "replication"}


class Connections:
    """Runs work on either side, as who owns its tables or as who replicates.

    Args:
        logins: finds the logins.
    """

    def __init__(self, logins: Logins) -> None:
        self._logins = logins
        self._open: dict[tuple[Side, Role], connection] = {}

    def admin(self, side: Side, work: Callable[[cursor], Result]) -> Result:
        """Run `work` in a transaction, as the owner of the tables."""
        return self._run(side, _ADMIN[side], work, at_once=False)

    def admin_at_once(self, side: Side, work: Callable[[cursor], Result]) -> Result:
        """Run `work` outside a transaction, each statement for itself."""
        return self._run(side, _ADMIN[side], work, at_once=True)

    def peer(self, side: Side, work: Callable[[cursor], Result]) -> Result:
        """Run `work` outside a transaction, as who may create slots and who the other server logs in as."""
        return self._run(side, _PEER[side], work, at_once=True)

    def peer_login(self, side: Side) -> Login:
        """Return the login that the other server uses."""
        return self._logins.login(side, _PEER[side])

    def major(self, side: Side) -> int:
        """Return a server's major version."""
        version: int = self._connection(side, _ADMIN[side]).server_version
        return version // 10_000

    def close(self) -> None:
        """Close every connection."""
        for opened in self._open.values():
            opened.close()
        self._open.clear()

    def _run(self, side: Side, role: Role, work: Callable[[cursor], Result], at_once: bool) -> Result:
        """Run `work`, once more on a new connection where the kept one turned out to be broken."""
        kept = (side, role) in self._open
        try:
            return self._once(side, role, work, at_once)
        except psycopg2.Error:
            if not kept or not self._open[side, role].closed:
                raise
        return self._once(side, role, work, at_once)

    def _once(self, side: Side, role: Role, work: Callable[[cursor], Result], at_once: bool) -> Result:
        opened = self._connection(side, role)
        opened.autocommit = at_once
        if at_once:
            with opened.cursor() as running:
                return work(running)
        with opened, opened.cursor() as running:
            return work(running)

    def _connection(self, side: Side, role: Role) -> connection:
        opened = self._open.get((side, role))
        if opened is None or opened.closed:
            opened = self._logins.login(side, role).open()
            opened.autocommit = True
            with opened.cursor() as running:
                running.execute(_SESSION)
            self._open[side, role] = opened
        return opened
