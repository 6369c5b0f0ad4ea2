"""The proof of a fence: every application role that can be taken on tries to write, and is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection, cursor

from .privileges import NotFenced

_TAKEN_ON = """
SELECT rolname FROM pg_roles
WHERE rolname = ANY (%s) AND (pg_has_role(oid, {}) OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))
ORDER BY rolname
"""
_SET_IS_A_RIGHT_OF_ITS_OWN = 160_000  # since this version membership alone does not let a role be taken on


class Applications(NamedTuple):
    """Who wrote before the fence.

    Attributes:
        roles: the login roles that could.
        sessions: the applications' own sessions, opened before the fence, by their role.
    """

    roles: Collection[str] = ()
    sessions: Mapping[str, connection] = {}


def refused(running: cursor, applications: Applications, table: str) -> list[str]:
    """Try to write as every role, in its own session where there is one, else by SET ROLE.

    Args:
        running: the fence's own, outside a transaction.
        applications: who is to be refused.
        table: one that they could write to; quoted where it must be.

    Returns:
        The roles that were refused. Of the others, which cannot be taken on, the catalogue says that they may not.

    Raises:
        NotFenced: one was not.
    """
    found = [role for role, session in applications.sessions.items() if _in_its_session(role, session, table)]
    right = "'SET'" if running.connection.server_version >= _SET_IS_A_RIGHT_OF_ITS_OWN else "'MEMBER'"
    running.execute(sql.SQL(_TAKEN_ON).format(sql.SQL(right)), (sorted({*applications.roles} - {*found}),))
    for (role,) in running.fetchall():
        take_on = sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role))
        _demand_refusal(role, running, take_on, table)
        found.append(role)
    return sorted(found)


def _in_its_session(role: str, session: connection, table: str) -> bool:
    """Tell whether a session was refused; one that broke says nothing."""
    try:
        with session.cursor() as running:
            # What a session or a role has set for itself is no fence: it can be set back.
            _demand_refusal(role, running, sql.SQL("SET TRANSACTION READ WRITE"), table)
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        return False
    return True


def _demand_refusal(role: str, running: cursor, before: sql.Composable, table: str) -> None:
    running.execute(sql.SQL("BEGIN; ") + before)
    try:
        running.execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(sql.SQL(table)))
    except errors.InsufficientPrivilege:
        return
    except errors.IntegrityError:
        pass  # the row was judged, so the privilege was there
    finally:
        if not running.connection.closed:
            running.execute("ROLLBACK")
    raise NotFenced(f"{role} could still write to {table}", "the fence is taken down; paymig history says more")
