"""What one side offers to the other: the tables of the migration and the heartbeat."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor

from runtime_lambdas.runtime.catalogue import Table
from runtime_lambdas.runtime.replication import heartbeat
from runtime_lambdas.runtime.replication.engine import NotReady

_OPTIONS = sql.SQL("publish_via_partition_root = true")
# The table itself and its partitions, each of which logs by an identity of its own. A key that is checked late is none.
_LOGGING = """
SELECT n.nspname, c.relname, c.relreplident::text, c.relpersistence::text,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = %(table)s::regclass
   OR c.oid IN (SELECT relid FROM pg_partition_tree(%(table)s::regclass) WHERE isleaf) AND c.relkind = 'r'
"""


def refused(tables: Sequence[Table]) -> list[str]:
    """Say which tables can't be replicated, and why; empty where all can."""
    found = []
    for table in tables:
        if table.persistence == "unlogged":
            found.append(f"{table.full_name} is unlogged, so its changes are in no log: ALTER TABLE ... SET LOGGED")
        elif not _identified(table) and (columns := [one.name for one in table.columns if one.type in ("json", "xml")]):
            found.append(
                f"{table.full_name} has no primary key, and its columns {', '.join(columns)} have no equality by which "
                "a row could be found: give it a primary key, or make them jsonb or text"
            )
    return found


def _identified(table: Table) -> bool:
    return bool(table.key) or table.replica_identity == "index"


def identify(running: cursor, tables: Sequence[Table]) -> None:
    """Let the log tell which row an UPDATE or DELETE meant, also in tables without a key.

    Before the table is published: the application's own UPDATE would fail otherwise.

    Raises:
        NotReady: the changes of a partition are in no log.
    """
    for table in tables:
        name = sql.Identifier(table.schema, table.name).as_string(running)
        running.execute(_LOGGING, {"table": name})
        for schema, part, identity, persistence, keyed in running.fetchall():
            if persistence == "u":
                raise NotReady(f"{schema}.{part} is unlogged, so its changes are in no log: ALTER TABLE ... SET LOGGED")
            wanted = "DEFAULT" if keyed else "FULL"
            if identity not in ("i", wanted[0].lower()):
                statement = sql.SQL("ALTER TABLE {} REPLICA IDENTITY " + wanted)
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
