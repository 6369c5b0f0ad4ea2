"""What one side offers to the other: the tables of the migration and the heartbeat."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor

from runtime_lambdas.runtime.catalogue import IDENTITY, Table
from runtime_lambdas.runtime.replication import heartbeat
from runtime_lambdas.runtime.replication.engine import NotReady

_OPTIONS = sql.SQL("publish_via_partition_root = true")
_WHOLE = 18
"""The major version from which on a generated column is forbidden in what tells a row, a whole row among it."""
_MEND = "let a primary key that is not DEFERRABLE and holds no generated column be its REPLICA IDENTITY"

# The table itself and its partitions, each of which logs by an identity of its own. A key that is checked late is none.
_LOGGING = f"""
SELECT n.nspname, c.relname, {IDENTITY}, c.relpersistence::text,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = %(table)s::regclass
   OR c.oid IN (SELECT relid FROM pg_partition_tree(%(table)s::regclass) WHERE isleaf) AND c.relkind = 'r'
"""  # noqa: S608 - a constant


def refused(tables: Sequence[Table], major: int) -> list[str]:
    """Say which tables can't be replicated, and why; empty where all can.

    Args:
        tables: of the side that publishes them.
        major: its version.
    """
    found = []
    for table in tables:
        if table.persistence == "unlogged":
            found.append(f"{table.full_name} is unlogged, so its changes are in no log: ALTER TABLE ... SET LOGGED")
        elif why := _forbidden(table, major) or _not_found(table):
            found.append(f"{table.full_name} {why}")
    return found


def forbidden(tables: Sequence[Table], major: int) -> list[str]:
    """Say which tables' UPDATE and DELETE their server refuses once they are published, also after `identify`."""
    return [f"{table.full_name} {why}" for table in tables if (why := _forbidden(table, major))]


def _forbidden(table: Table, major: int) -> str | None:
    by = _known_by(table)
    made = [column for column in _generated(table) if not by or column in by]
    if major < _WHOLE or not made:
        return None
    known = f"is known by {', '.join(made)}" if by else f"has {_key(table)} and a generated column, {', '.join(made)}"
    return f"{known}: once it is published, PostgreSQL {major} refuses every UPDATE and DELETE of it: {_MEND}"


def _not_found(table: Table) -> str | None:
    """Say why the other side could not find the row that an UPDATE or DELETE is about."""
    if by := _known_by(table):
        made = [column for column in _generated(table) if column in by]
        return f"is known by {', '.join(made)}, which is generated and so not sent: {_MEND}" if made else None
    blind = [column.name for column in table.columns if not (column.equality or column.generated)]
    if not blind:
        return None
    return (
        f"has {_key(table)}, and its columns {', '.join(blind)} have no equality by which a row could be found: "
        f"{_MEND}, or make them jsonb or text"
    )


def _known_by(table: Table) -> tuple[str, ...]:
    """Return the columns that tell a row once `identify` has run; none where all of them do."""
    return table.identity if table.replica_identity == "index" else () if table.late else table.key


def _key(table: Table) -> str:
    return "a primary key that is checked late" if table.late else "no primary key"


def _generated(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.generated]


def identify(running: cursor, tables: Sequence[Table]) -> None:
    """Let the log tell which row an UPDATE or DELETE meant, also in tables without a key.

    Before the table is published: the application's own UPDATE would fail otherwise. What does as it is stays as it is.

    Args:
        running: outside a transaction: a table is locked while it is altered, and no longer.
        tables: which.

    Raises:
        NotReady: the changes of a partition are in no log; nothing was changed.
    """
    wanted: list[tuple[str, str, str]] = []
    for table in tables:
        name = sql.Identifier(table.schema, table.name).as_string(running)
        running.execute(_LOGGING, {"table": name})
        for schema, part, identity, persistence, keyed in running.fetchall():
            if persistence == "u":
                raise NotReady(f"{schema}.{part} is unlogged, so its changes are in no log: ALTER TABLE ... SET LOGGED")
            whole = identity == "f" and not (keyed and _generated(table))
            if not whole and identity != "i" and (identity != "d" or not keyed):
                wanted.append((schema, part, "DEFAULT" if keyed else "FULL"))
    for schema, part, identity in wanted:
        statement = sql.SQL("ALTER TABLE {} REPLICA IDENTITY " + identity)
        running.execute(statement.format(sql.Identifier(schema, part)))


def publish(running: cursor, name: str, tables: Sequence[Table]) -> None:
    """Publish exactly these tables and the heartbeat."""
    names = [(table.schema, table.name) for table in tables] + [(heartbeat.SCHEMA, heartbeat.NAME)]
    listed = sql.SQL(", ").join(sql.Identifier(*each) for each in names)
    running.execute("SELECT FROM pg_publication WHERE pubname = %s", (name,))
    if running.fetchone() is None:
        statement = sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH ({})")
        running.execute(statement.format(sql.Identifier(name), listed, _OPTIONS))
        return
    running.execute("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s", (name,))
    if set(running.fetchall()) != set(names):
        running.execute(sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(sql.Identifier(name), listed))
    running.execute(sql.SQL("ALTER PUBLICATION {} SET ({})").format(sql.Identifier(name), _OPTIONS))


def published(running: cursor, name: str) -> bool:
    """Tell whether the publication exists."""
    running.execute("SELECT FROM pg_publication WHERE pubname = %s", (name,))
    return running.fetchone() is not None


def withdraw(running: cursor, name: str) -> None:
    """Remove the publication."""
    running.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name)))
