"""Who may write: what a fence takes away, what it gives back, and who could still get past it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor

from runtime_lambdas.runtime.refused import Refused

# What reaches the rows of the selected tables: their partitions and children, the views and rules that write through
# to them with the rights of their owner, and the tables whose rows take theirs along by a foreign key.
_CLOSURE = """
WITH RECURSIVE reach(oid) AS (
    SELECT unnest(%(tables)s::text[])::regclass::oid
    UNION
    SELECT found.oid FROM reach JOIN LATERAL (
        SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = reach.oid
        UNION ALL
        SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = reach.oid
        UNION ALL
        SELECT f.confrelid FROM pg_constraint f
        WHERE f.contype = 'f' AND f.conrelid = reach.oid
          AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd'))
    ) found(oid) ON true
), relations AS (
    SELECT c.oid, c.relowner AS owner, c.relacl AS acl, format('%%I.%%I', n.nspname, c.relname) AS name
    FROM reach JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'f')
), kept AS (
    SELECT oid FROM pg_roles WHERE rolsuper OR rolreplication OR rolname = ANY (%(keep)s)
)
"""

_GRANTS = f"""{_CLOSURE}
, acls AS (
    SELECT 'TABLE' AS kind, name, '' AS columns, owner, coalesce(acl, acldefault('r', owner)) AS acl FROM relations
    UNION ALL
    SELECT 'TABLE', name, format('(%%I)', a.attname), owner, a.attacl
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT 'SEQUENCE', format('%%I.%%I', n.nspname, c.relname), '', c.relowner,
           coalesce(c.relacl, acldefault('s', c.relowner))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (%(sequences)s::text[]::regclass[]::oid[])
    UNION ALL
    SELECT 'ROUTINE', p.oid::regprocedure::text, '', p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND p.provolatile = 'v'
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'paymig')
      AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
      AND NOT EXISTS (
          SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e')
      AND (p.proowner IN (SELECT oid FROM kept)
           OR EXISTS (SELECT FROM relations r WHERE pg_has_role(p.proowner, r.owner, 'MEMBER')))
)
SELECT kind, name, columns, pg_get_userbyid(a.grantor)::text,
       CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type, a.is_grantable,
       a.grantor <> acls.owner
FROM acls CROSS JOIN LATERAL aclexplode(acls.acl) a
WHERE a.grantee <> acls.owner AND a.grantee NOT IN (SELECT oid FROM kept)
  AND (kind, a.privilege_type) IN (
      ('TABLE', 'INSERT'), ('TABLE', 'UPDATE'), ('TABLE', 'DELETE'), ('TABLE', 'TRUNCATE'),
      ('SEQUENCE', 'USAGE'), ('SEQUENCE', 'UPDATE'), ('ROUTINE', 'EXECUTE'))
ORDER BY 8 DESC, 1, 2, 3, 4, 5, 6
"""  # noqa: S608 - constants

# A role writes with what it has itself, inherits, or takes on by SET ROLE; what a superuser could do, so could who may
# become one.
_WRITERS = f"""{_CLOSURE}
, able AS (
    SELECT g.oid, g.rolname, g.rolsuper, r.name
    FROM pg_roles g CROSS JOIN relations r
    WHERE g.rolsuper OR has_table_privilege(g.oid, r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
       OR has_any_column_privilege(g.oid, r.oid, 'INSERT, UPDATE')
)
SELECT l.rolname, min(able.rolname) FILTER (WHERE able.oid <> l.oid), min(able.name), count(DISTINCT able.name)
FROM pg_roles l JOIN able ON pg_has_role(l.oid, able.oid, 'MEMBER')
WHERE l.rolcanlogin AND l.oid NOT IN (SELECT oid FROM kept)
GROUP BY l.rolname ORDER BY l.rolname
"""  # noqa: S608 - constants


_RECORDED = """
SELECT kind, object, columns, grantor, grantee, privilege, grantable, onward FROM paymig.revoked
WHERE (grantee = '' OR to_regrole(quote_ident(grantee)) IS NOT NULL)
  AND CASE kind WHEN 'ROUTINE' THEN to_regprocedure(object) IS NOT NULL ELSE to_regclass(object) IS NOT NULL END
ORDER BY onward, kind, object, columns, grantor, grantee, privilege
"""


class NotFenced(Refused):
    """Somebody could still write past the fence."""


class Scope(NamedTuple):
    """What is fenced and who is not.

    Attributes:
        tables: as "schema.table", each part quoted where it must be.
        sequences: likewise.
        keep: the logins that must go on writing: the one that fences, and that of replication.
    """

    tables: Sequence[str]
    sequences: Sequence[str]
    keep: Sequence[str]


class Grant(NamedTuple):
    """A privilege as it was given.

    Attributes:
        columns: as "(amount)"; empty for the whole table.
        grantee: empty is PUBLIC.
        onward: it was given by somebody who is not the owner, and had been given it to give on.
    """

    kind: str
    object: str
    columns: str
    grantor: str
    grantee: str
    privilege: str
    grantable: bool
    onward: bool


class Writer(NamedTuple):
    """A login role that may write.

    Attributes:
        by: another role by whose rights it may; None where they are its own.
        example: a table it may write to, of `tables`.
    """

    role: str
    by: str | None
    example: str
    tables: int


def writers(running: cursor, scope: Scope) -> list[Writer]:
    """Return every login role that may write to a table, apart from superusers and those that are kept."""
    running.execute(_WRITERS, scope._asdict())
    return [Writer(*row) for row in running.fetchall()]


def grants(running: cursor, scope: Scope) -> list[Grant]:
    """Return the privileges by which others than the owner write, those given on by a grantee first."""
    running.execute(_GRANTS, scope._asdict())
    return [Grant(*row) for row in running.fetchall()]


def revoke(running: cursor, found: Sequence[Grant]) -> None:
    """Take privileges away, and keep what was taken, in one transaction."""
    if not found:
        return
    rows = sql.SQL(", ").join(sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, grant))) for grant in found)
    running.execute(sql.SQL("INSERT INTO paymig.revoked VALUES {} ON CONFLICT DO NOTHING").format(rows))
    _change(running, found, "REVOKE {} ON {} FROM {}")


def recorded(running: cursor) -> list[Grant]:
    """Return what was taken away, in the order in which it is given back; what was dropped since is left out."""
    running.execute(_RECORDED)
    return [Grant(*row) for row in running.fetchall()]


def restore(running: cursor) -> list[Grant]:
    """Give back exactly what was taken away, in one transaction."""
    found = recorded(running)
    _change(running, found, "GRANT {} ON {} TO {}")
    running.execute("DELETE FROM paymig.revoked")
    return found


def _change(running: cursor, found: Iterable[Grant], pattern: str) -> None:
    """Run one statement for each object, grantee and grantor, all of them in one round trip."""
    together: dict[tuple[str, ...], list[str]] = {}
    for grant in found:
        ending = " WITH GRANT OPTION" if grant.grantable and pattern.startswith("GRANT") else ""
        key = (f"{grant.kind} {grant.object}", grant.grantee, grant.grantor if grant.onward else "", ending)
        together.setdefault(key, []).append(grant.privilege + grant.columns)
    statements: list[sql.Composable] = []
    for (on, grantee, grantor, ending), privileges in together.items():
        whom = sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC")
        # Names of objects and columns come quoted from the server.
        statement = sql.SQL(pattern).format(sql.SQL(", ".join(privileges)), sql.SQL(on), whom) + sql.SQL(ending)
        if grantor:  # what a grantee gave on is his to take and to give
            statement = sql.SQL("SET LOCAL ROLE {}; {}; RESET ROLE").format(sql.Identifier(grantor), statement)
        statements.append(statement)
    if statements:
        running.execute(sql.SQL("; ").join(statements))
