"""Where two catalogues differ: everything an application can see of a schema, except the rows.

Read-only, on PostgreSQL 13 to 18. Left out are the system's schemas, paymig's and DMS's own, and what belongs to an
extension. Owners and privileges differ on purpose and are no difference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from psycopg2.extensions import cursor

Kind = Literal[
    "schema",
    "extension",
    "type",
    "table",
    "column",
    "sequence",
    "function",
    "view",
    "constraint",
    "index",
    "trigger",
    "rule",
    "policy",
    "statistics",
    "event trigger",
]

PRE_DATA: frozenset[Kind] = frozenset(
    {"schema", "extension", "type", "table", "column", "sequence", "function", "view"}
)
"""What has to be there before rows are loaded; the other kinds come after them."""


@dataclass(frozen=True, order=True)
class Difference:
    """One object that is not the same on both sides.

    Attributes:
        name: with its schema, and its table where it belongs to one.
        source: its definition; None where it exists on the target only.
        target: its definition; None where it is missing there.
    """

    kind: Kind
    name: str
    source: str | None
    target: str | None

    @property
    def message(self) -> str:
        """One line for people."""
        if self.target is None:
            return f"the {self.kind} {self.name} is missing on the target"
        if self.source is None:
            return f"the {self.kind} {self.name} exists on the target only"
        return f"the {self.kind} {self.name} is {self.source!r} on the source and {self.target!r} on the target"


def diff_catalogues(source: cursor, target: cursor, kinds: Collection[Kind] | None = None) -> list[Difference]:
    """Return every difference, by kind and name; an empty list says that both schemas are the same.

    Definitions that each major version writes in its own way (views, rules, SQL-standard function bodies) are compared
    where both sides have the same version, and by their columns or their presence otherwise.

    Args:
        source: A cursor in a transaction, whose `search_path` is changed until its end.
        target: Likewise.
        kinds: What to compare; None for everything.

    Raises:
        psycopg2.Error: A side refused.
    """
    same_version = source.connection.server_version // 10000 == target.connection.server_version // 10000
    found: list[Difference] = []
    for kind in _QUERIES:
        if kinds is not None and kind not in kinds:
            continue
        ours, theirs = (definitions(side, kind, same_version) for side in (source, target))
        found += [
            Difference(kind, name, ours.get(name), theirs.get(name))
            for name in sorted(ours.keys() | theirs.keys())
            if ours.get(name) != theirs.get(name)
        ]
    return found


def definitions(running: cursor, kind: Kind, exact: bool) -> Mapping[str, str]:
    """Return the definitions of one kind by name; `exact` includes what only servers of one version write alike."""
    running.execute("SET LOCAL search_path = pg_catalog")  # every other name is written with its schema
    running.execute(_COMMON + _QUERIES[kind], {"exact": exact})
    return dict(running.fetchall())


_COMMON = """
WITH ours AS (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'paymig', 'awsdms_control')
), member AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
), relation AS (
    SELECT c.*, format('%%I.%%I', n.nspname, c.relname) AS ident FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
    WHERE c.relpersistence <> 't' AND c.relname !~ '^awsdms_'
      AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_class'::regclass AND objid = c.oid)
)
"""

# The names have to be the same on every version: casts to text, no oids.
_QUERIES: Mapping[Kind, str] = {
    "schema": "SELECT quote_ident(nspname), '' FROM ours",
    "extension": "SELECT quote_ident(extname), '' FROM pg_extension",
    "type": """
SELECT format('%%I.%%I', n.nspname, t.typname),
       CASE t.typtype
           WHEN 'e' THEN 'enum ' || (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                                     FROM pg_enum e WHERE e.enumtypid = t.oid)
           WHEN 'd' THEN concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod),
                                   CASE WHEN t.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || t.typdefault,
                                   (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname)
                                    FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))
           WHEN 'c' THEN 'composite ' || (SELECT string_agg(quote_ident(a.attname) || ' '
                                              || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
                                          FROM pg_attribute a
                                          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
           ELSE 'range ' || (SELECT format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid)
       END
FROM pg_type t JOIN ours n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_type'::regclass AND objid = t.oid)
""",
    "table": """
SELECT c.ident, concat_ws(' ',
    CASE c.relpersistence WHEN 'u' THEN 'unlogged' END, CASE c.relkind WHEN 'f' THEN 'foreign' END, 'table',
    CASE c.relkind WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(c.oid) END,
    CASE WHEN c.relispartition THEN (SELECT 'partition of ' || i.inhparent::regclass::text FROM pg_inherits i
                                     WHERE i.inhrelid = c.oid) || ' ' || pg_get_expr(c.relpartbound, c.oid) END,
    CASE WHEN c.relrowsecurity THEN 'with row security' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END)
FROM relation c WHERE c.relkind IN ('r', 'p', 'f')
""",
    "column": """
SELECT format('%%s.%%I', c.ident, a.attname), concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN 'NOT NULL' END,
    CASE WHEN a.attgenerated = 's' THEN 'STORED' WHEN a.attgenerated = 'v' THEN 'VIRTUAL'
         WHEN a.atthasdef THEN 'DEFAULT' END,
    pg_get_expr(d.adbin, d.adrelid), CASE a.attidentity WHEN 'a' THEN 'ALWAYS IDENTITY' WHEN 'd' THEN 'IDENTITY' END,
    (SELECT 'COLLATE ' || format('%%I.%%I', ln.nspname, l.collname) FROM pg_collation l
     JOIN pg_namespace ln ON ln.oid = l.collnamespace WHERE l.oid = a.attcollation AND l.collname <> 'default'))
FROM relation c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'f')
""",
    "sequence": """
SELECT c.ident, format('%%s INCREMENT %%s MINVALUE %%s MAXVALUE %%s START %%s CACHE %%s%%s',
                       format_type(s.seqtypid, NULL), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
                       CASE WHEN s.seqcycle THEN ' CYCLE' END)
    || coalesce((SELECT ' OWNED BY ' || d.refobjid::regclass::text || '.' || quote_ident(a.attname)
                 FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                   AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 LIMIT 1), '')
FROM relation c JOIN pg_sequence s ON s.seqrelid = c.oid
""",
    "function": """
SELECT format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       concat_ws(' ', p.prokind, 'RETURNS ' || pg_get_function_result(p.oid), l.lanname, p.provolatile, p.proparallel,
                 CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' END, CASE WHEN p.proisstrict THEN 'STRICT' END,
                 CASE WHEN p.proleakproof THEN 'LEAKPROOF' END, p.proconfig::text, p.probin, p.prosrc)
FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
""",
    "view": """
SELECT c.ident, concat_ws(' ', CASE c.relkind WHEN 'm' THEN 'materialized' END, 'view (' ||
    (SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
     FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) || ')',
    c.reloptions::text, CASE WHEN %(exact)s THEN pg_get_viewdef(c.oid) END)
FROM relation c WHERE c.relkind IN ('v', 'm')
""",
    # NOT NULL is the column's: only version 18 makes constraints of it.
    "constraint": """
SELECT format('%%s.%%I', c.ident, k.conname), pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN relation c ON c.oid = k.conrelid WHERE k.contype IN ('c', 'f', 'p', 'u', 'x')
""",
    "index": """
SELECT format('%%s.%%I', c.ident, x.relname), CASE WHEN NOT i.indisvalid THEN 'invalid ' ELSE '' END
       || pg_get_indexdef(x.oid)
FROM pg_index i JOIN relation c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))
""",
    "trigger": """
SELECT format('%%s.%%I', c.ident, t.tgname), concat_ws(' ', t.tgenabled, pg_get_triggerdef(t.oid))
FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
""",
    "rule": """
SELECT format('%%s.%%I', c.ident, w.rulename), concat_ws(' ', w.ev_enabled, CASE WHEN %(exact)s THEN
    pg_get_ruledef(w.oid) END)
FROM pg_rewrite w JOIN relation c ON c.oid = w.ev_class WHERE w.rulename <> '_RETURN'
""",
    "policy": """
SELECT format('%%s.%%I', c.ident, p.polname), concat_ws(' ', p.polcmd, CASE WHEN p.polpermissive THEN 'PERMISSIVE' END,
    'USING ' || pg_get_expr(p.polqual, p.polrelid), 'CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p JOIN relation c ON c.oid = p.polrelid
""",
    "statistics": """
SELECT format('%%I.%%I', n.nspname, s.stxname), CASE WHEN %(exact)s THEN pg_get_statisticsobjdef(s.oid) ELSE '' END
FROM pg_statistic_ext s JOIN ours n ON n.oid = s.stxnamespace
""",
    "event trigger": """
SELECT quote_ident(evtname), concat_ws(' ', evtenabled, evtevent, evtfoid::regproc::text, evttags::text)
FROM pg_event_trigger WHERE evtname !~ '^awsdms_'
""",
}
