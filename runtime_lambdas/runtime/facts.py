"""What a preflight has to know of one database, as one JSON document: facts only, judged elsewhere.

Read-only, on PostgreSQL 13 to 18. What the login may not see is missing from the document rather than guessed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from runtime_lambdas.runtime.catalogue import IDENTITY, Table, read_tables

Row = Mapping[str, Any]

_COLLATION_VERSIONS = 150_000  # before that version a database does not know its own
_SAMPLE = 32 * 2**20  # bytes that are read to measure the way; smaller databases are loaded before anybody looks
_BEGIN = """
SET TRANSACTION READ ONLY;
SET LOCAL statement_timeout = '60s';
SET LOCAL lock_timeout = '2s';
SET LOCAL search_path = pg_catalog;
"""


@dataclass(frozen=True)
class Facts:
    """One database.

    Attributes:
        server: version, settings, encodings, the login; one object.
        known: every table, view and foreign table outside the system's schemas: schema, name, kind, extension.
        tables: the chosen ones, as `catalogue.Table`, with `ident`, the quoted name, and so their columns.
        relations: the chosen tables and all their partitions, each with what it has of its own.
        sample: `{"bytes", "rows", "seconds"}` of a read of the largest table; empty where it was too small.
    """

    server: Row
    known: list[Row]
    tables: list[Row]
    relations: list[Row]
    foreign_keys: list[Row]
    triggers: list[Row]
    event_triggers: list[Row]
    rules: list[Row]
    sequences: list[Row]
    extensions: list[Row]
    available: list[str]
    collations: list[Row]
    slots: list[Row]
    prepared: list[Row]
    transactions: list[Row]
    roles: list[Row]
    functions: list[Row]
    references: list[Row]
    domains: list[Row]
    sample: Row = field(default_factory=dict)


def read_facts(opened: connection, include: Iterable[str], exclude: Iterable[str], sample: bool = True) -> Facts:
    """Read everything in one transaction of at most a minute a query.

    Args:
        opened: A connection outside a transaction; it is left so.
        include: Patterns of the tables that move, as in the spec.
        exclude: Patterns of those that stay.
        sample: Whether to measure how fast the largest table can be read, with at most 32 MiB of it.

    Raises:
        psycopg2.Error: The database refused, or a lock was held for too long.
    """
    with opened, opened.cursor() as running:
        running.execute(_BEGIN)
        tables = read_tables(running, include, exclude)
        where = {
            "schemas": [table.schema for table in tables],
            "names": [table.name for table in tables],
            "settings": list(_SETTINGS),
        }
        found: dict[str, Any] = {name: _rows(running, query, where) for name, query in _QUERIES.items()}
        idents = {(row["schema"], row["name"]): row["ident"] for row in found["relations"]}
        found["server"] = found["server"][0]
        if opened.server_version >= _COLLATION_VERSIONS:
            found["collations"] += _rows(running, _DATABASE_COLLATION, where)
        found["available"] = [row["name"] for row in found["available"]]
        found["tables"] = [{**asdict(table), "ident": idents[table.schema, table.name]} for table in tables]
        _quote_columns(running, found["tables"])
        if sample:
            found["sample"] = _read_some(running, tables)
        return Facts(**found)


def _rows(running: cursor, query: str, where: Mapping[str, Any]) -> list[Row]:
    running.execute(f"{_COMMON} SELECT to_jsonb(fact) FROM ({query}) fact", where)  # noqa: S608 - constants
    return [row[0] for row in running.fetchall()]


def _quote_columns(running: cursor, tables: list[dict[str, Any]]) -> None:
    names = list({column["name"] for table in tables for column in table["columns"]})
    running.execute("SELECT name, quote_ident(name) FROM unnest(%s::text[]) name", (names,))
    quoted = dict(running.fetchall())
    for table in tables:
        for column in table["columns"]:
            column["ident"] = quoted[column["name"]]


class _Sink:
    """A file that counts what is written to it."""

    size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)


def _read_some(running: cursor, tables: list[Table]) -> Row:
    largest = max(tables, key=lambda table: table.bytes, default=None)
    if largest is None or largest.bytes < _SAMPLE or not largest.rows:
        return {}
    rows = max(1, _SAMPLE * largest.rows // largest.bytes)
    copy = sql.SQL("COPY (SELECT * FROM {} LIMIT {}) TO STDOUT (FORMAT binary)").format(
        sql.Identifier(largest.schema, largest.name), sql.Literal(rows)
    )
    sink, start = _Sink(), time.perf_counter()
    running.copy_expert(copy, sink)
    return {"bytes": sink.size, "rows": rows, "seconds": time.perf_counter() - start}


_SETTINGS = (
    "wal_level",
    "max_replication_slots",
    "max_wal_senders",
    "max_logical_replication_workers",
    "max_worker_processes",
    "wal_sender_timeout",
    "max_slot_wal_keep_size",
    "idle_replication_slot_timeout",
    "statement_timeout",
    "transaction_timeout",
    "default_transaction_read_only",
    "ssl",
    "ssl_min_protocol_version",
    "password_encryption",
)

_COMMON = """
WITH chosen AS MATERIALIZED (
    SELECT c.oid, n.nspname, c.relname FROM unnest(%(schemas)s::text[], %(names)s::text[]) picked (schema, name)
    JOIN pg_namespace n ON n.nspname = picked.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = picked.name
), relation AS MATERIALIZED (
    SELECT chosen.oid AS root, coalesce(tree.relid::oid, chosen.oid) AS oid
    FROM chosen LEFT JOIN LATERAL pg_partition_tree(chosen.oid) tree ON true
), ours AS (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'paymig', 'awsdms_control')
), member AS (
    SELECT d.classid, d.objid, e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
), power AS (
    SELECT oid, rolname::text FROM pg_roles WHERE rolname IN ('pg_write_all_data', 'rds_superuser')
), owner AS (
    SELECT DISTINCT c.relowner AS oid FROM relation JOIN pg_class c ON c.oid = relation.oid
), leave AS (
    SELECT r.oid AS role, m.roleid AS of, format('REVOKE %%s FROM %%s', m.roleid::regrole, m.member::regrole)
        || CASE WHEN current_setting('server_version_num')::int >= 160000
                THEN format(' GRANTED BY %%s', m.grantor::regrole) ELSE '' END AS statement
    FROM pg_auth_members m JOIN pg_roles r ON pg_has_role(r.oid, m.member, 'MEMBER') AND NOT r.rolsuper
    WHERE m.member NOT IN (SELECT oid FROM owner)
)
"""

_QUERIES: Mapping[str, str] = {
    # `slots_used` and `senders_used` by others: once replication runs, it has what it needs.
    "server": """
SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
       current_database() AS database, quote_ident(current_database()) AS database_ident,
       pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
       current_user AS login, quote_ident(current_user) AS login_ident, r.rolsuper AS superuser,
       r.rolreplication OR r.rolsuper
           OR EXISTS (SELECT FROM pg_roles p WHERE p.rolname = 'rds_replication' AND pg_has_role(p.oid, 'USAGE'))
           AS may_replicate,
       r.rolsuper OR EXISTS (SELECT FROM pg_roles p WHERE pg_has_role(p.oid, 'USAGE')
                             AND p.rolname IN ('pg_create_subscription', 'rds_superuser')) AS may_subscribe,
       has_database_privilege(current_database(), 'CREATE') AS may_create, pg_is_in_recovery() AS in_recovery,
       EXISTS (SELECT FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid() AND s.ssl) AS encrypted,
       coalesce(inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() <<= '::1', true) AS loopback,
       (SELECT count(*) FROM pg_replication_slots WHERE slot_name !~ '^(paymig_|pg_[0-9]+_sync_)') AS slots_used,
       (SELECT count(*) FROM pg_stat_replication WHERE application_name !~ '^(paymig_|pg_[0-9]+_sync_)')
           AS senders_used,
       (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
       EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_superuser') AS managed,
       (SELECT jsonb_object_agg(s.name, jsonb_build_object('value', s.reset_val, 'unit', s.unit))
        FROM pg_settings s WHERE s.name = ANY (%(settings)s::text[])) AS settings
FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user
""",
    "known": """
SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, format('%%I.%%I', n.nspname, c.relname) AS ident,
       member.extname AS extension
FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
LEFT JOIN member ON member.classid = 'pg_class'::regclass AND member.objid = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND c.relname !~ '^awsdms_'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
""",
    # `has_key`: one that is checked at once; `late_key`: one that is not, and so tells no row apart. `candidate`: a
    # unique index on NOT NULL columns alone, none of them generated, which could be the replica identity, and the key
    # unless it `constrains` already or is `odd`.
    "relations": f"""
SELECT n.nspname AS schema, c.relname AS name, rn.nspname AS root_schema, r.relname AS root_name,
       format('%%I.%%I', n.nspname, c.relname) AS ident, c.relkind AS kind, c.relpersistence AS persistence,
       {IDENTITY} AS replica_identity, o.rolname AS owner, quote_ident(o.rolname) AS owner_ident,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate) AS has_key,
       (SELECT jsonb_build_object('name', quote_ident(k.conname), 'columns', ARRAY(
                   SELECT quote_ident(a.attname) FROM unnest(k.conkey) WITH ORDINALITY o(attnum, place)
                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = o.attnum ORDER BY o.place))
        FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p' AND k.condeferrable) AS late_key,
       pg_has_role(c.relowner, 'USAGE') AS may_own, has_table_privilege(c.oid, 'SELECT') AS may_select,
       row_security_active(c.oid) AS rows_hidden, c.relrowsecurity AS row_security,
       coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) AS toast_bytes,
       (SELECT to_jsonb(best) FROM (
            SELECT quote_ident(x.relname) AS index,
                   EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid) AS constrains,
                   EXISTS (SELECT FROM unnest(i.indkey, i.indclass, i.indcollation) o(attnum, opclass, collating)
                           JOIN pg_opclass p ON p.oid = o.opclass
                           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = o.attnum
                           WHERE NOT p.opcdefault OR a.attcollation <> o.collating) AS odd,
                   ARRAY(SELECT quote_ident(a.attname) FROM unnest(i.indkey) WITH ORDINALITY k(attnum, place)
                         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                         WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns
            FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
            JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND NOT i.indisprimary
              AND NOT 0 <> ANY (i.indoption::int2[]) AND i.indpred IS NULL AND i.indexprs IS NULL
              AND i.indnatts = i.indnkeyatts
              AND NOT EXISTS (SELECT FROM unnest(i.indkey) k(attnum)
                              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                              WHERE NOT a.attnotnull OR a.attgenerated <> '')
            ORDER BY i.indnkeyatts, x.relname LIMIT 1) best) AS candidate,
       EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0
               AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')) AS public_writes
FROM relation
JOIN pg_class c ON c.oid = relation.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = relation.root
JOIN pg_namespace rn ON rn.oid = r.relnamespace
JOIN pg_roles o ON o.oid = c.relowner
ORDER BY rn.nspname COLLATE "C", r.relname COLLATE "C", n.nspname COLLATE "C", c.relname COLLATE "C"
""",  # noqa: S608 - a constant
    "foreign_keys": """
SELECT quote_ident(k.conname) AS name, n.nspname AS schema, c.relname AS table, format('%%I.%%I', n.nspname, c.relname)
       AS ident, tn.nspname AS to_schema, t.relname AS to_table, k.convalidated AS validated,
       EXISTS (SELECT FROM chosen WHERE chosen.oid = coalesce(pg_partition_root(t.oid)::oid, t.oid)) AS to_chosen,
       EXISTS (SELECT FROM chosen WHERE chosen.oid = coalesce(pg_partition_root(c.oid)::oid, c.oid)) AS from_chosen
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
  AND (k.conrelid IN (SELECT oid FROM relation) OR k.confrelid IN (SELECT oid FROM relation))
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", k.conname COLLATE "C"
""",
    "triggers": """
SELECT quote_ident(t.tgname) AS name, rn.nspname AS schema, r.relname AS table, format('%%I.%%I', n.nspname, c.relname)
       AS ident, t.tgenabled AS enabled
FROM relation
JOIN pg_trigger t ON t.tgrelid = relation.oid AND NOT t.tgisinternal
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = relation.root JOIN pg_namespace rn ON rn.oid = r.relnamespace
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", t.tgname COLLATE "C"
""",
    "event_triggers": """
SELECT quote_ident(evtname) AS name, evtevent AS event, evtenabled AS enabled
FROM pg_event_trigger WHERE evtname !~ '^awsdms_' ORDER BY evtname COLLATE "C"
""",
    "rules": """
SELECT quote_ident(w.rulename) AS name, rn.nspname AS schema, r.relname AS table, format('%%I.%%I', n.nspname,
       c.relname) AS ident, w.ev_enabled AS enabled
FROM relation
JOIN pg_rewrite w ON w.ev_class = relation.oid AND w.ev_type <> '1'
JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = relation.root JOIN pg_namespace rn ON rn.oid = r.relnamespace
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", w.rulename COLLATE "C"
""",
    # A column owns the sequence, or its default calls it; `last` is null before the first number.
    "sequences": """
SELECT n.nspname AS schema, c.relname AS name, format('%%I.%%I', n.nspname, c.relname) AS ident,
       format_type(s.seqtypid, NULL) AS type, s.seqincrement AS increment, s.seqmin AS minimum, s.seqmax AS maximum,
       s.seqcycle AS cycle, s.seqstart AS start,
       v.last_value AS last, owner.ident AS owned_by, caller.ident AS called_by, coalesce(owner.type, caller.type) AS
       fed_type, caller.may_belong, pg_get_userbyid(c.relowner)::text AS owner,
       quote_ident(pg_get_userbyid(c.relowner)) AS owner_ident, pg_has_role(c.relowner, 'USAGE') AS may_own,
       n.nspname = ANY (%(schemas)s::text[]) AS in_chosen_schema,
       owner.relation IN (SELECT oid FROM relation) OR caller.relation IN (SELECT oid FROM relation) AS feeds_chosen
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid JOIN ours n ON n.oid = c.relnamespace
LEFT JOIN pg_sequences v ON v.schemaname = n.nspname AND v.sequencename = c.relname
LEFT JOIN LATERAL (
    SELECT t.oid AS relation, format('%%I.%%I.%%I', tn.nspname, t.relname, a.attname) AS ident,
           format_type(a.atttypid, NULL) AS type
    FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
      AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 LIMIT 1) owner ON true
LEFT JOIN LATERAL (
    SELECT t.oid AS relation, format('%%I.%%I.%%I', tn.nspname, t.relname, a.attname) AS ident,
           format_type(a.atttypid, NULL) AS type,
           t.relowner = c.relowner AND t.relnamespace = c.relnamespace AS may_belong
    FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid JOIN pg_class t ON t.oid = f.adrelid
    JOIN pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = f.adnum
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
    ORDER BY t.oid, a.attnum LIMIT 1) caller ON true
WHERE c.relpersistence <> 't'
  AND NOT EXISTS (SELECT FROM member WHERE member.classid = 'pg_class'::regclass AND member.objid = c.oid)
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
""",
    "extensions": """
SELECT e.extname AS name, quote_ident(e.extname) AS ident, e.extversion AS version, n.nspname AS schema
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY e.extname COLLATE "C"
""",
    "available": "SELECT name FROM pg_available_extensions ORDER BY name",
    # Each with the version that it was made with and the one that it is run with; `by_chosen`: the tables that move, or
    # their indexes, use it.
    "collations": """
SELECT format('%%I.%%I', n.nspname, l.collname) AS ident, n.nspname AS schema, l.collname AS name, l.collprovider AS
       provider, l.collisdeterministic AS deterministic, l.collversion AS version,
       pg_collation_actual_version(l.oid) AS actual, used.by_chosen
FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
LEFT JOIN LATERAL (SELECT true AS by_chosen FROM pg_attribute a WHERE a.attcollation = l.oid AND NOT a.attisdropped
                   AND a.attrelid IN (SELECT oid FROM relation UNION ALL SELECT i.indexrelid FROM pg_index i
                                      WHERE i.indrelid IN (SELECT oid FROM relation)) LIMIT 1) used ON true
WHERE l.collencoding IN (-1, (SELECT encoding FROM pg_database WHERE datname = current_database()))
  AND (used.by_chosen OR l.collname NOT LIKE '%%-x-icu')
ORDER BY n.nspname COLLATE "C", l.collname COLLATE "C"
""",
    "slots": """
SELECT slot_name AS name, quote_literal(slot_name) AS literal, active, slot_type AS type,
       CASE WHEN pg_is_in_recovery() THEN 0
            ELSE coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0) END::bigint AS kept_bytes
FROM pg_replication_slots ORDER BY slot_name
""",
    "prepared": """
SELECT gid, quote_literal(gid) AS literal, owner, database, database = current_database() AS here,
       extract(epoch FROM clock_timestamp() - prepared)::float8 AS age
FROM pg_prepared_xacts ORDER BY prepared
""",
    "transactions": """
SELECT pid, usename AS role, state, application_name AS application, backend_xid IS NOT NULL AS has_written,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start
""",
    # `writes` counts the chosen tables that a role may write, by its own grants or by others' that it has. A membership
    # may be another role's that it has: `leave_...` take it from whoever was given it, as whoever gave it.
    "roles": """
SELECT r.rolname AS name, quote_ident(r.rolname) AS ident, r.rolsuper AS superuser, r.rolcanlogin AS login,
       r.oid < 16384 AS builtin, r.rolname = current_user AS own,
       (SELECT count(*) FROM relation JOIN pg_class c ON c.oid = relation.oid WHERE c.relowner = r.oid) AS owns,
       (SELECT count(*) FROM chosen JOIN pg_class c ON c.oid = chosen.oid
        WHERE NOT r.rolsuper AND pg_has_role(r.oid, c.relowner, 'MEMBER') AND c.relowner <> r.oid) AS member_of_owner,
       ARRAY(SELECT statement FROM leave WHERE leave.role = r.oid AND leave.of IN (SELECT oid FROM owner))
           AS leave_owners,
       ARRAY(SELECT statement FROM leave WHERE leave.role = r.oid AND leave.of IN (SELECT oid FROM power))
           AS leave_powers,
       (SELECT count(*) FROM relation WHERE has_table_privilege(r.oid, relation.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
           OR has_any_column_privilege(r.oid, relation.oid, 'INSERT, UPDATE')) AS writes,
       ARRAY(SELECT jsonb_build_object('table', format('%%I.%%I', n.nspname, c.relname), 'from', (
                 SELECT string_agg(CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', ')
                 FROM aclexplode(c.relacl) a WHERE a.privilege_type = 'TRUNCATE' AND a.grantee <> c.relowner
                   AND CASE a.grantee WHEN 0 THEN true ELSE pg_has_role(r.oid, a.grantee, 'MEMBER') END))
             FROM chosen JOIN pg_class c ON c.oid = chosen.oid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE NOT r.rolsuper AND c.relowner <> r.oid AND has_table_privilege(r.oid, c.oid, 'TRUNCATE'))
           AS truncates,
       ARRAY(SELECT power.rolname FROM power WHERE NOT r.rolsuper AND pg_has_role(r.oid, power.oid, 'MEMBER')
             AND r.oid <> power.oid) AS powers
FROM pg_roles r WHERE r.rolname !~ '^pg_' AND r.rolname <> 'rdsadmin'
ORDER BY r.rolname COLLATE "C"
""",
    # Functions that run with their owner's rights, which a REVOKE from the caller does not touch.
    "functions": """
SELECT p.oid::regprocedure::text AS ident, quote_ident(o.rolname) AS owner_ident, o.rolname AS owner, l.lanname AS
       language, p.provolatile AS volatile, p.prokind AS kind,
       p.prosrc ~* '\\m(insert|update|delete|truncate|merge|copy|execute)\\M' OR l.lanname NOT IN ('sql', 'plpgsql')
           OR p.prosrc = '' AS may_write,
       pg_has_role(p.proowner, 'USAGE') AS may_own,
       has_function_privilege('public', p.oid, 'EXECUTE') AS public_executes,
       ARRAY(SELECT DISTINCT quote_ident(g.rolname) FROM aclexplode(p.proacl) a JOIN pg_roles g ON g.oid = a.grantee
             WHERE a.privilege_type = 'EXECUTE' AND g.oid <> p.proowner) AS granted
FROM pg_proc p
JOIN ours n ON n.oid = p.pronamespace
JOIN pg_roles o ON o.oid = p.proowner
JOIN pg_language l ON l.oid = p.prolang
WHERE p.prosecdef
  AND NOT EXISTS (SELECT FROM member WHERE member.classid = 'pg_proc'::regclass AND member.objid = p.oid)
  AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND EXISTS (SELECT FROM relation
              WHERE has_table_privilege(p.proowner, relation.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
ORDER BY 1
""",
    # Named as in `tables`: with a search_path of pg_catalog alone. A domain may be one of another domain: `base` is
    # what they are all made of, `checks` and `not_null` are those of all of them. Its default is always its own.
    "domains": """
WITH RECURSIVE level (domain, oid, depth) AS (
    SELECT oid, oid, 0 FROM pg_type WHERE typtype = 'd' AND oid >= 16384
    UNION ALL
    SELECT level.domain, t.typbasetype, level.depth + 1 FROM level
    JOIN pg_type t ON t.oid = level.oid AND t.typtype = 'd'
    JOIN pg_type b ON b.oid = t.typbasetype AND b.typtype = 'd'
)
SELECT format_type(d.oid, NULL) AS type, pg_get_expr(d.typdefaultbin, 0) AS default,
       (SELECT format_type(t.typbasetype, t.typtypmod) FROM level JOIN pg_type t ON t.oid = level.oid
        WHERE level.domain = d.oid ORDER BY level.depth DESC LIMIT 1) AS base,
       EXISTS (SELECT FROM level JOIN pg_type t ON t.oid = level.oid WHERE level.domain = d.oid AND t.typnotnull)
           AS not_null,
       ARRAY(SELECT pg_get_constraintdef(k.oid) FROM level JOIN pg_constraint k ON k.contypid = level.oid
             WHERE level.domain = d.oid AND k.contype = 'c' ORDER BY level.depth DESC, k.conname) AS checks
FROM pg_type d WHERE d.typtype = 'd' AND d.oid >= 16384
""",
    # Columns that may hold the number of a large object.
    "references": """
SELECT n.nspname AS schema, c.relname AS table, format('%%I.%%I', n.nspname, c.relname) AS ident,
       quote_ident(a.attname) AS column
FROM chosen JOIN pg_class c ON c.oid = chosen.oid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE a.atttypid = 'oid'::regtype OR t.typbasetype = 'oid'::regtype
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", a.attnum
""",
}

_DATABASE_COLLATION = """
SELECT quote_ident(datname) AS ident, NULL AS schema, datname AS name, datlocprovider AS provider,
       true AS deterministic, datcollversion AS version, pg_database_collation_actual_version(oid) AS actual,
       NULL AS by_chosen
FROM pg_database WHERE datname = current_database()
"""
