"""The fence: a database refuses every write of an application, and this is proved before anything is built on it."""

from __future__ import annotations

from typing import Any

from psycopg2 import errors
from psycopg2.extensions import connection, cursor

from . import barrier, guard, privileges, probe
from .pause import Pause
from .privileges import Grant, NotFenced, Scope, Writer
from .probe import Applications

_BUSY = 5

# Superusers, and whoever owns the tables, pass every fence: no session of theirs may be there that is not our own. DMS
# logs in to the source as the owner, under no name of ours: its machine is the one that reads a slot by test_decoding.
_BEYOND = """
SELECT a.pid, a.usename::text, a.application_name
FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND (r.rolsuper OR r.rolname = current_user)
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND a.application_name NOT IN (current_setting('application_name'), 'paymig') AND a.application_name !~ '^paymig_'
  AND a.pid NOT IN (SELECT pid FROM pg_stat_replication)
  AND NOT EXISTS (
    SELECT FROM pg_replication_slots s JOIN pg_stat_replication w ON w.pid = s.active_pid
    WHERE s.plugin = 'test_decoding' AND w.usesysid = a.usesysid AND w.client_addr IS NOT DISTINCT FROM a.client_addr)
ORDER BY a.pid
"""


def rehearse(opened: connection, scope: Scope) -> dict[str, Any]:
    """Find out whether a fence would hold, by building it in a transaction that is rolled back.

    Raises:
        NotFenced: it would not: says who could still write, and what to do.
    """
    with opened.cursor() as running:
        try:
            running.execute("BEGIN")
            before = privileges.writers(running, scope)
            found = privileges.grants(running, scope)
            privileges.revoke(running, found)
            _check_roles(running, scope)
            _check_functions(running, scope)
        except errors.InsufficientPrivilege as error:
            raise NotFenced(
                f"the login that fences may not take these privileges away: {str(error).strip()}",
                "make it a member of the role that gave them, or of the tables' owner",
            ) from error
        finally:
            running.execute("ROLLBACK")
        _check_sessions(running)
        writing = {writer.role for writer in before}
        if not writing:
            raise NotFenced(
                "no application role may write to the selected tables, so a fence would stop nobody",
                "the applications' role must not own the tables: give it INSERT, UPDATE and DELETE instead",
            )
        return {"roles": sorted(writing), "privileges": len(found)}


def raise_(
    opened: connection, scope: Scope, applications: Applications, act: tuple[int, int], pause: Pause
) -> dict[str, Any]:
    """Fence the database, and prove it.

    Args:
        opened: a connection of the tables' owner in autocommit mode.
        scope: what to fence.
        applications: who could write before.
        act: the lease's token and the act's number, for the guard.
        pause: how long it may take.

    Returns:
        Evidence: how many privileges were taken, and the roles that tried to write and were refused.

    Raises:
        NotFenced: somebody could still write.
        WriterInFlight: a transaction that wrote before does not end.
        Superseded: another operator has taken over.
    """
    with opened.cursor() as running:
        taken = _take(running, scope, act)
        skipped = barrier.wait(running, scope.tables, pause)
        _check_roles(running, scope)
        _check_functions(running, scope)
        _check_sessions(running)
        recorded = privileges.recorded(running)
        tables = [grant.object for grant in recorded if grant.kind == "TABLE"]
        tried = applications._replace(roles={*applications.roles, *(grant.grantee for grant in recorded)})
        probed = probe.refused(running, tried, tables[0]) if tables else []
    return {
        "privileges": len(taken),
        "tables": len(scope.tables),
        "locked": len(scope.tables) - skipped,
        "refused": probed,
    }


def _take(running: cursor, scope: Scope, act: tuple[int, int]) -> list[Grant]:
    for attempt in range(_BUSY):
        running.execute("BEGIN")
        try:
            guard.enter(running, *act)
            found = privileges.grants(running, scope)
            # What is taken is written down in the transaction that takes it: opening gives back exactly that.
            privileges.revoke(running, found)
            running.execute("COMMIT")
        except errors.InternalError_:  # "tuple concurrently updated": somebody else grants at the same moment
            running.execute("ROLLBACK")
            if attempt == _BUSY - 1:
                raise
        except BaseException:
            if not running.connection.closed:
                running.execute("ROLLBACK")
            raise
        else:
            return found
    raise AssertionError("the loop returns or raises")


def lower(opened: connection, act: tuple[int, int]) -> dict[str, Any]:
    """Open the database again: give back exactly what the fence took. Nothing is done where there is no fence.

    Raises:
        Superseded: another operator has taken over.
    """
    with opened, opened.cursor() as running:
        guard.enter(running, *act)
        found = privileges.restore(running)
    return {"privileges": len(found), "roles": sorted({grant.grantee or "PUBLIC" for grant in found})}


def _check_roles(running: cursor, scope: Scope) -> None:
    if left := privileges.writers(running, scope):
        raise NotFenced(
            "; ".join(map(_words, left[:5])) + (f"; and {len(left) - 5} roles more" if len(left) > 5 else ""),
            "give these roles privileges of their own on the tables, and neither ownership nor membership",
        )


def _words(writer: Writer) -> str:
    how = f"as a member of {writer.by}" if writer.by else "as the owner, or by a privilege that nobody granted"
    more = f" and {writer.tables - 1} more" if writer.tables > 1 else ""
    return f"{writer.role} could still write to {writer.example}{more}, {how}"


def _check_functions(running: cursor, scope: Scope) -> None:
    left = [grant for grant in privileges.grants(running, scope) if grant.kind == "ROUTINE"]
    if left:
        names = ", ".join(sorted({grant.object for grant in left}))
        raise NotFenced(
            f"{names} may be called by applications and write with the rights of their owner (SECURITY DEFINER), and "
            "the login that fences may not forbid it",
            "REVOKE EXECUTE on them yourself, make them STABLE if they only read, or let their owner be the tables'",
        )


def _check_sessions(running: cursor) -> None:
    running.execute(_BEYOND)
    if found := running.fetchall():
        who = ", ".join(f"{pid} of {role}" + (f" ({name})" if name else "") for pid, role, name in found[:5])
        raise NotFenced(
            f"no fence stops a superuser or the tables' owner, and there are sessions of them: {who}",
            "end them; monitoring needs no more than the role pg_monitor",
        )
