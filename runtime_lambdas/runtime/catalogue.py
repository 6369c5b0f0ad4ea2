"""What a database's catalogue says of the tables and sequences that move; read-only, on PostgreSQL 13 to 18."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor

Form = Literal["binary", "text", "float"]
"""A type's own binary form, the value as `::text`, or the binary form with one NaN for all."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        type: as `format_type` writes it, as "numeric(12,2)"; types outside pg_catalog always with their schema.
        type_oid: of `type`; 16384 and above are not the same on two servers.
        category: `pg_type.typcategory`, as "N" for numbers and "A" for arrays.
        form: how its value is read to be the same bytes wherever it is the same value.
        equality: whether the server has an `=` of its own for two values, by which a whole row is found again.
        default: the expression, also that of a generated column; None without one.
        collation: the collation's name, "default" for the database's; None where the type has none.
    """

    name: str
    type: str
    type_oid: int
    category: str
    form: Form
    equality: bool
    not_null: bool
    default: str | None
    generated: Literal["", "stored", "virtual"]
    identity: Literal["", "always", "by default"]
    collation: str | None


@dataclass(frozen=True)
class Table:
    """A table, or a partitioned one with all its partitions.

    Attributes:
        columns: in the order of the table.
        key: names of the primary key's columns in the order of its index; empty without a primary key.
        late: whether the key is DEFERRABLE, and so checked late: to the WAL it is none.
        replica_identity: what an UPDATE or DELETE in the WAL tells of the old row. A partition has one of its own.
        identity: names of the columns that `replica_identity` covers.
        rows: an estimate from the statistics and the size, of all partitions together; 0 where nothing is known.
        bytes: size without indexes, of all partitions together.
    """

    schema: str
    name: str
    kind: Literal["plain", "partitioned"]
    persistence: Literal["permanent", "unlogged"]
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    late: bool
    replica_identity: Literal["default", "index", "full", "nothing"]
    identity: tuple[str, ...]
    rows: int
    bytes: int

    @property
    def full_name(self) -> str:
        """`schema.table`, unquoted."""
        return f"{self.schema}.{self.name}"

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The primary key's columns in the order of its index."""
        columns = {column.name: column for column in self.columns}
        return tuple(columns[name] for name in self.key)


class ColumnName(NamedTuple):
    """A column of a table, each part unquoted."""

    schema: str
    table: str
    column: str


@dataclass(frozen=True)
class SequenceState:
    """A sequence, and where it stands.

    Attributes:
        last_value: the number it gives next where `is_called` is False, and otherwise the last one that may have been
            given.
        increment: negative where it counts down; never 0.
        owned_by: the column that it is dropped with; None for a sequence that stands alone.
        feeds: the columns that take their numbers from it: the owning one and those whose default calls it.
    """

    schema: str
    name: str
    last_value: int
    is_called: bool
    increment: int
    minimum: int
    maximum: int
    cycle: bool
    owned_by: ColumnName | None
    feeds: tuple[ColumnName, ...]

    @property
    def full_name(self) -> str:
        """`schema.sequence`, unquoted."""
        return f"{self.schema}.{self.name}"


# Not ours to move: the system's, paymig's, DMS's own, and what CREATE EXTENSION makes anew on the other side.
_MOVES = """
n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'paymig', 'awsdms_control')
AND c.relname !~ '^awsdms_' AND c.relpersistence <> 't'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""

IDENTITY = """CASE WHEN c.relreplident = 'i' AND NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid)
       THEN 'n' ELSE c.relreplident::text END"""
"""SQL of the replica identity of a `pg_class c`: where the index that was it is dropped, nothing is left of it."""

_TABLES = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, {IDENTITY},
       ARRAY(SELECT a.attname::text FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
             WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place),
       ARRAY(SELECT a.attname::text FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
             WHERE i.indrelid = c.oid AND i.indisreplident AND k.place <= i.indnkeyatts ORDER BY k.place),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND NOT i.indimmediate),
       size.rows, size.bytes
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT coalesce(sum(CASE WHEN leaf.reltuples > 0 AND leaf.relpages > 0
                             THEN round(leaf.reltuples / leaf.relpages * (pg_relation_size(leaf.oid) / block.size))
                             ELSE coalesce(s.n_live_tup, 0) END), 0)::bigint,
           coalesce(sum(pg_table_size(leaf.oid)), 0)::bigint
    FROM pg_class leaf LEFT JOIN pg_stat_all_tables s ON s.relid = leaf.oid,
         (SELECT current_setting('block_size')::float8) block (size)
    WHERE leaf.oid = c.oid AND c.relkind = 'r'
       OR c.relkind = 'p' AND leaf.oid IN (SELECT p.relid FROM pg_partition_tree(c.oid) p WHERE p.isleaf)
) size (rows, bytes)
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {_MOVES}
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
"""  # noqa: S608 - constants

# Binary forms are exact and the same on every server, except where they hold the server's own type ids (user's types
# and arrays of them), where a type has none, where text, varchar and char with the same characters should be equal, and
# where they tell how a value came about: an array whether it ever held a NULL, a float the bits of the operation that
# gave NaN, which geometric types have inside.
#
# A value is equal to another where all that it is made of is: a domain's base, an array's elements, a composite type's
# fields. A type has its own `=` in its default operator class, or in that of a type that it is binary the same as.
_COLUMNS = """
WITH RECURSIVE part (whole, oid) AS (
    SELECT DISTINCT atttypid, atttypid FROM pg_attribute
    WHERE attrelid = ANY (%(tables)s::oid[]) AND attnum > 0 AND NOT attisdropped
    UNION
    SELECT part.whole, made_of.oid FROM part JOIN pg_type t ON t.oid = part.oid
    CROSS JOIN LATERAL (
        SELECT t.typbasetype WHERE t.typtype = 'd'
        UNION ALL SELECT t.typelem WHERE t.typcategory = 'A' AND t.typelem <> 0
        UNION ALL SELECT f.atttypid FROM pg_attribute f
                  WHERE f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped
    ) made_of (oid)
), incomparable AS (
    SELECT part.whole FROM part JOIN pg_type t ON t.oid = part.oid
    WHERE t.typtype = 'b' AND NOT (t.typcategory = 'A' AND t.typelem <> 0) AND NOT EXISTS (
        SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname IN ('btree', 'hash')
        WHERE o.opcdefault AND (o.opcintype = t.oid OR EXISTS (
            SELECT FROM pg_cast x WHERE x.castsource = t.oid AND x.casttarget = o.opcintype
                                    AND x.castmethod = 'b' AND x.castcontext = 'i')))
)
SELECT a.attrelid, a.attname,
       CASE WHEN t.typnamespace <> 'pg_catalog'::regnamespace AND pg_type_is_visible(e.oid)
            THEN quote_ident(tn.nspname) || '.' ELSE '' END || format_type(a.atttypid, a.atttypmod),
       a.atttypid, t.typcategory,
       CASE WHEN t.oid >= 16384 OR t.typcategory IN ('A', 'G', 'S') AND t.oid <> 18
                 OR t.typname ~ '^(json|xml|reg)' AND t.typname <> 'jsonb' OR t.typsend = 0 THEN 'text'
            WHEN t.typname IN ('float4', 'float8') THEN 'float' ELSE 'binary' END,
       a.atttypid NOT IN (SELECT whole FROM incomparable),
       a.attnotnull, pg_get_expr(f.adbin, f.adrelid), a.attgenerated, a.attidentity,
       CASE WHEN cn.nspname <> 'pg_catalog' THEN cn.nspname || '.' ELSE '' END || l.collname
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type e ON e.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_namespace cn ON cn.oid = l.collnamespace
WHERE a.attrelid = ANY (%(tables)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

# A column owns a sequence (deptype a or i), or its default calls it. A partition's columns count as their root's.
_SEQUENCES = f"""
WITH link AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attnum, true AS owns
    FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION
    SELECT d.refobjid, f.adrelid, f.adnum, false
    FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'n'
)
SELECT n.nspname, c.relname, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle, link.owns, tn.nspname, t.relname, a.attname
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN link ON link.sequence = c.oid
LEFT JOIN pg_class t ON t.oid = coalesce(pg_partition_root(link.relation)::oid, link.relation)
LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = link.relation AND a.attnum = link.attnum
WHERE {_MOVES}
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", link.owns DESC, tn.nspname COLLATE "C", t.relname COLLATE "C",
         a.attname COLLATE "C"
"""  # noqa: S608 - constants

_KINDS: dict[str, Literal["plain", "partitioned"]] = {"r": "plain", "p": "partitioned"}
_PERSISTENCES: dict[str, Literal["permanent", "unlogged"]] = {"p": "permanent", "u": "unlogged"}
_REPLICA_IDENTITIES: dict[str, Literal["default", "index", "full", "nothing"]] = {
    "d": "default",
    "i": "index",
    "f": "full",
    "n": "nothing",
}
_GENERATED: dict[str, Literal["", "stored", "virtual"]] = {"": "", "s": "stored", "v": "virtual"}
_IDENTITIES: dict[str, Literal["", "always", "by default"]] = {"": "", "a": "always", "d": "by default"}


def read_tables(running: cursor, include: Iterable[str], exclude: Iterable[str] = ()) -> list[Table]:
    """Return the tables that match a pattern of `include` and none of `exclude`, in the order of their names.

    A partitioned table is one table and its partitions are none. Left out whatever the patterns say: temporary tables,
    system schemas, paymig's and DMS's own tables, and tables that belong to an extension.

    Sizes wait for an ACCESS EXCLUSIVE lock that somebody holds: set `lock_timeout` where that matters.
    """
    chosen, left = tuple(include), tuple(exclude)
    running.execute(_TABLES)
    rows = [row for row in running.fetchall() if matches(row[1], row[2], chosen) and not matches(row[1], row[2], left)]
    columns = _columns(running, [row[0] for row in rows])
    return [_table(row, tuple(columns.get(row[0], ()))) for row in rows]


def _columns(running: cursor, tables: list[int]) -> dict[int, list[Column]]:
    running.execute(_COLUMNS, {"tables": tables})
    found: dict[int, list[Column]] = {}
    for table, name, kind, oid, category, form, equality, not_null, default, generated, identity, collation in running:
        column = Column(
            name,
            kind,
            oid,
            category,
            form,
            equality,
            not_null,
            default,
            _GENERATED[generated],
            _IDENTITIES[identity],
            collation,
        )
        found.setdefault(table, []).append(column)
    return found


def _table(row: tuple[object, ...], columns: tuple[Column, ...]) -> Table:
    _, schema, name, kind, persistence, replica_identity, key, index, late, rows, size = row
    chosen = _REPLICA_IDENTITIES[str(replica_identity)]
    stored = tuple(column.name for column in columns if column.generated != "virtual")
    identity = {"default": () if late else key, "index": index, "full": stored, "nothing": ()}[chosen]
    return Table(
        str(schema),
        str(name),
        _KINDS[str(kind)],
        _PERSISTENCES[str(persistence)],
        columns,
        tuple(key),  # type: ignore[arg-type]  # an array of text
        bool(late),
        chosen,
        tuple(identity),  # type: ignore[arg-type]
        int(str(rows)),
        int(str(size)),
    )


def read_sequences(running: cursor, tables: Iterable[Table]) -> list[SequenceState]:
    """Return the sequences that move with `tables`, in the order of their names, each where it stands now.

    Those are the ones that feed a column of the tables, and the ones that belong to no column in the tables' schemas.

    Raises:
        psycopg2.errors.InsufficientPrivilege: The login may not SELECT from one of them.
    """
    chosen = list(tables)
    names, schemas = {(table.schema, table.name) for table in chosen}, {table.schema for table in chosen}
    running.execute(_SEQUENCES)
    found: dict[tuple[str, str], _Found] = {}
    for schema, name, increment, least, most, cycle, owns, *column in running:
        sequence = found.setdefault((schema, name), _Found(increment, least, most, cycle, [], []))
        if owns is not None:
            place = ColumnName(*column)
            sequence.owners.extend([place] if owns else [])
            sequence.feeds.extend([] if place in sequence.feeds else [place])
    kept = {
        key: sequence
        for key, sequence in found.items()
        if (any(place[:2] in names for place in sequence.feeds) if sequence.feeds else key[0] in schemas)
    }
    positions = _positions(running, list(kept))
    return [
        SequenceState(
            schema,
            name,
            *positions[schema, name],
            increment=sequence.increment,
            minimum=sequence.minimum,
            maximum=sequence.maximum,
            cycle=sequence.cycle,
            owned_by=sequence.owners[0] if sequence.owners else None,
            feeds=tuple(sequence.feeds),
        )
        for (schema, name), sequence in kept.items()
    ]


class _Found(NamedTuple):
    increment: int
    minimum: int
    maximum: int
    cycle: bool
    owners: list[ColumnName]
    feeds: list[ColumnName]


def _positions(running: cursor, names: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, bool]]:
    # pg_sequences would hide what `setval(..., false)` left, and show nothing at all without a privilege.
    if not names:
        return {}
    each = sql.SQL("SELECT {}::text, {}::text, last_value, is_called FROM {}")
    running.execute(
        sql.SQL(" UNION ALL ").join(
            each.format(sql.Literal(schema), sql.Literal(name), sql.Identifier(schema, name)) for schema, name in names
        )
    )
    return {(schema, name): (last, called) for schema, name, last, called in running.fetchall()}


def matches(schema: str, name: str, patterns: Iterable[str]) -> bool:
    """Tell whether one of the patterns, as "public.tmp_%", selects a table; `%` stands for any text."""
    return any(
        whole.fullmatch(schema) is not None and part.fullmatch(name) is not None
        for whole, part in map(_compiled, patterns)
    )


@cache
def _compiled(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    schema, _, table = pattern.partition(".")
    return _like(schema), _like(table)


def _like(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("%"))), re.DOTALL)
