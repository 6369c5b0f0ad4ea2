"""The target's roles: made with their secrets' passwords, each with the least that it needs.

Works on PostgreSQL with a superuser as master, and on RDS, where `rds_replication` and `rds_superuser` stand for what
only a superuser may give away; which of the two it is shows in the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor, encrypt_password

from runtime_lambdas.runtime.catalogue import SequenceState, Table
from runtime_lambdas.runtime.logins import Login, Logins, Role
from runtime_lambdas.runtime.replication import heartbeat

TARGET_ROLES: tuple[Role, ...] = ("api", "control", "validation", "replication")

WRITES = "INSERT, UPDATE, DELETE, TRUNCATE"
"""What a writer may do to a table and nobody else."""


class RolesError(RuntimeError):
    """The roles can't be made as they have to be: says why, and what to do."""


@dataclass(frozen=True)
class _Known:
    superuser: bool
    rds: bool
    subscribers: bool  # whether there is pg_create_subscription: 16 and newer


def make_target_roles(running: cursor, logins: Logins, *, subscribes: bool = True) -> None:
    """Make the roles, or give those that exist their attributes and passwords; in a transaction of the master.

    control owns what moves; replication is who the source, or DMS, logs in as for the way back.

    Args:
        running: the transaction.
        logins: name the roles and their passwords.
        subscribes: whether control subscribes to the source, as the logical engine has it do.

    Raises:
        RolesError: The server lets nobody but a superuser subscribe.
    """
    known = _look(running)
    for role in TARGET_ROLES:
        _make(running, logins.login("target", role))
    control, replication = (logins.login("target", role).user for role in ("control", "replication"))
    _make_replicate(running, replication, known)
    _grant(running, "pg_monitor", control)
    if subscribes:
        _let_subscribe(running, control, known)
    running.execute("SELECT current_database(), current_user")
    database, master = running.fetchone() or ("", "")
    running.execute(
        sql.SQL("GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {} TO {}").format(
            sql.Identifier(database), sql.Identifier(control)
        )
    )
    if not known.superuser:
        _grant(running, control, master)  # to hand over what it made


def _let_subscribe(running: cursor, control: str, known: _Known) -> None:
    if known.subscribers:
        _grant(running, "pg_create_subscription", control)
    elif known.rds:
        _grant(running, "rds_superuser", control)
    else:
        raise RolesError("a target below PostgreSQL 16 lets only superusers subscribe; choose 16 or newer")


def hand_over(running: cursor, logins: Logins, tables: Sequence[Table], sequences: Sequence[SequenceState]) -> None:
    """Make control the owner of what moves, whoever restored it; in a transaction of the master."""
    control = sql.Identifier(logins.login("target", "control").user)
    for schema in _schemas(tables, sequences):
        # The schema stays the master's; control has to let the others in.
        granting = sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {} WITH GRANT OPTION")
        running.execute(granting.format(sql.Identifier(schema), control))
    for table in tables:
        for schema, name in _with_partitions(running, table):
            running.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(schema, name), control))
    for sequence in sequences:
        if sequence.owned_by is None:  # the others follow their table
            owned = sql.Identifier(sequence.schema, sequence.name)
            running.execute(sql.SQL("ALTER SEQUENCE {} OWNER TO {}").format(owned, control))


def _schemas(tables: Sequence[Table], sequences: Sequence[SequenceState]) -> list[str]:
    return sorted({table.schema for table in tables} | {sequence.schema for sequence in sequences})


def _with_partitions(running: cursor, table: Table) -> list[tuple[str, str]]:
    if table.kind == "plain":
        return [(table.schema, table.name)]
    running.execute(
        "SELECT n.nspname, c.relname FROM pg_partition_tree(%s::regclass) p JOIN pg_class c ON c.oid = p.relid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace",
        (sql.Identifier(table.schema, table.name).as_string(running),),
    )
    return running.fetchall()


def grant_reading(running: cursor, logins: Logins, tables: Sequence[Table], sequences: Sequence[SequenceState]) -> None:
    """Let api and validation read what moves, and validation beat; in a transaction of control, who owns it.

    Nothing is taken away: the writes of a target that is open stay.
    """
    api, validation, replication = (
        sql.Identifier(logins.login("target", role).user) for role in ("api", "validation", "replication")
    )
    readers = sql.SQL(", ").join([api, validation])
    for schema in _schemas(tables, sequences):
        _run(running, "GRANT USAGE ON SCHEMA {} TO {}, {}", sql.Identifier(schema), readers, replication)
    for table in tables:
        _run(running, "GRANT SELECT ON {} TO {}", sql.Identifier(table.schema, table.name), readers)
    for sequence in sequences:
        _run(running, "GRANT SELECT ON SEQUENCE {} TO {}", sql.Identifier(sequence.schema, sequence.name), readers)
    grant_beating(running, logins.login("target", "validation").user)


def let_apply(running: cursor, logins: Logins) -> None:
    """Let the replication role write without setting off triggers and foreign keys; in a transaction of the master.

    DMS logs in as this role. What it may write is `grant_applying`'s matter.

    Raises:
        RolesError: The server lets nobody but a superuser do so.
    """
    known, role = _look(running), logins.login("target", "replication").user
    if known.rds:
        _grant(running, "rds_superuser", role)
    elif running.connection.server_version >= 150000:
        _run(running, "GRANT SET ON PARAMETER session_replication_role TO {}", sql.Identifier(role))
    else:
        raise RolesError("a target below PostgreSQL 15 lets only superusers keep triggers from firing")
    running.execute("SELECT current_database()")
    (database,) = running.fetchone() or ("",)
    _run(running, "GRANT CREATE ON DATABASE {} TO {}", sql.Identifier(database), sql.Identifier(role))


def grant_applying(running: cursor, logins: Logins, tables: Sequence[Table]) -> None:
    """Let the replication role write what moves; in a transaction of control, who owns it."""
    role = logins.login("target", "replication").user
    names = [(table.schema, table.name) for table in tables] + [(heartbeat.SCHEMA, heartbeat.NAME)]
    for schema in sorted({schema for schema, _ in names}):
        _run(running, "GRANT USAGE ON SCHEMA {} TO {}", sql.Identifier(schema), sql.Identifier(role))
    for name in names:
        _run(
            running,
            "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {} TO {}",
            sql.Identifier(*name),
            sql.Identifier(role),
        )


def grant_beating(running: cursor, role: str) -> None:
    """Let a role write the heartbeat, and nothing else of paymig's."""
    name = sql.Identifier(role)
    _run(running, "GRANT USAGE ON SCHEMA {} TO {}", sql.Identifier(heartbeat.SCHEMA), name)
    table = sql.Identifier(heartbeat.SCHEMA, heartbeat.NAME)
    _run(running, "GRANT SELECT, INSERT, UPDATE ON {} TO {}", table, name)


def open_writer(
    running: cursor, roles: Sequence[str], tables: Sequence[Table], sequences: Sequence[SequenceState]
) -> None:
    """Let roles write: rows of the tables, and numbers of the sequences."""
    names = _names(roles)
    for table in tables:
        name = sql.Identifier(table.schema, table.name)
        _run(running, "GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}", name, names)
    for sequence in sequences:
        name = sql.Identifier(sequence.schema, sequence.name)
        _run(running, "GRANT USAGE, SELECT ON SEQUENCE {} TO {}", name, names)


def close_writer(
    running: cursor, roles: Sequence[str], tables: Sequence[Table], sequences: Sequence[SequenceState]
) -> None:
    """Take from roles what `open_writer` gives, and TRUNCATE; writers in flight are not waited for."""
    names = _names(roles)
    for table in tables:
        name = sql.Identifier(table.schema, table.name)
        _run(running, "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {} FROM {}", name, names)
    for sequence in sequences:
        name = sql.Identifier(sequence.schema, sequence.name)
        _run(running, "REVOKE USAGE, UPDATE ON SEQUENCE {} FROM {}", name, names)


def _look(running: cursor) -> _Known:
    running.execute(
        "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
        " to_regrole('rds_superuser') IS NOT NULL, to_regrole('pg_create_subscription') IS NOT NULL"
    )
    return _Known(*(running.fetchone() or (False, False, False)))


def _make(running: cursor, login: Login) -> None:
    """Make a role that may log in; the server receives a SCRAM verifier, so no log holds the password."""
    running.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (login.user,))
    row = running.fetchone()
    if row == (True,):
        raise RolesError(f"{login.user} is a superuser, whom no fence stops: name another role in its secret")
    verb = "CREATE" if row is None else "ALTER"
    verifier = encrypt_password(login.secret["password"], login.user, running.connection, "scram-sha-256")
    _run(running, verb + " ROLE {} LOGIN PASSWORD {}", sql.Identifier(login.user), sql.Literal(verifier))


def _make_replicate(running: cursor, role: str, known: _Known) -> None:
    if known.rds:
        _grant(running, "rds_replication", role)
    else:
        _run(running, "ALTER ROLE {} REPLICATION", sql.Identifier(role))


def _grant(running: cursor, role: str, member: str) -> None:
    _run(running, "GRANT {} TO {}", sql.Identifier(role), sql.Identifier(member))


def _names(roles: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, roles))


def _run(running: cursor, statement: str, *parts: sql.Composable) -> None:
    running.execute(sql.SQL(statement).format(*parts))
