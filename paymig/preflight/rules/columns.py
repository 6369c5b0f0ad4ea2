"""Columns whose values an engine changes, cuts or refuses."""

import re
from collections.abc import Iterator

from paymig.preflight.case import ERROR, WARNING, Case, Finding, columns, human
from runtime_lambdas.runtime.facts import Row

# What DMS documents for a PostgreSQL source, by `format_type` without its length.
_CARRIED = re.compile(
    "smallint|integer|bigint|numeric|real|double precision|money|boolean|character( varying)?|text|citext|bytea|"
    "bit( varying)?|uuid|date|time(stamp)? with(out)? time zone|interval|inet|cidr|macaddr|json|jsonb|xml|hstore|"
    "tsvector|tsquery|point|line|lseg|box|path|polygon|circle|(int4|int8|num|ts|tstz|date)range|geometry"
)
# It makes a CLOB, NCLOB or BLOB of these, and so of arrays and composite types.
_LARGE = re.compile("text|citext|bytea|json|jsonb|xml|tsvector|tsquery|hstore|path|polygon|geometry")
_DMS_DIGITS = 38


def _plain(written: str) -> str:
    """Return a type's name without its schema, its length, and that it is an array."""
    return re.sub(r"\(.*?\)|\[\]|(?<=^interval).*", "", written).strip().rpartition(".")[2]


def _each(case: Case) -> Iterator[tuple[Row, Row, str]]:
    for table in case.source.tables:
        for column in columns(table):
            yield table, column, f"{table['schema']}.{table['name']}.{column['name']}"


def numeric(case: Case) -> Iterator[Finding]:
    """A number that DMS would round."""
    severity = case.severity(dms=ERROR, logical=None)
    if severity is None:
        return
    for table, column, name in _each(case):
        size = re.fullmatch(r"numeric(?:\((\d+),(-?\d+)\))?", column["type"])
        if size is None or (size[1] is not None and int(size[1]) <= _DMS_DIGITS):
            continue
        why = "DMS makes it NUMERIC(28,6) and rounds" if size[1] is None else f"DMS carries {_DMS_DIGITS} digits"
        yield Finding(
            "PMG420",
            severity,
            f"{name} is {column['type']}: {why}",
            case.brought_in(table["schema"], table["name"]),
            "give it the digits it needs, of which this refuses to lose any",
            sql=(_constrain(table["ident"], column["ident"]),),
        )


def _constrain(table: str, column: str) -> str:
    # The check and the change under one lock: a cast alone would round in silence.
    return (
        f"DO $$ BEGIN LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; "
        f"IF EXISTS (SELECT FROM {table} WHERE {column} = 'NaN' OR min_scale({column}) > 10 "
        f"OR abs({column}) >= 1e28) THEN RAISE EXCEPTION 'numeric(38,10) does not hold every value'; END IF; "
        f"ALTER TABLE {table} ALTER COLUMN {column} TYPE numeric(38,10); END $$"
    )


def not_carried(case: Case) -> Iterator[Finding]:
    """A type that DMS does not document."""
    severity = case.severity(dms=ERROR, logical=None)
    if severity is None:
        return
    domains = {row["type"]: row for row in case.source.domains}
    for table, column, name in _each(case):
        domain = domains.get(column["type"])
        if domain is None and _carried(column, column["type"], column["type_oid"] >= 16384):
            continue
        yield Finding(
            "PMG421",
            severity,
            f"{name} is {column['type']}, {'a domain' if domain else 'a type'}, which DMS does not document",
            case.brought_in(table["schema"], table["name"]),
            "change it to a type that DMS carries, or choose `engine: logical`",
            sql=(f"ALTER TABLE {table['ident']} {', '.join(_retyped(case, column, domain))}",),
        )


def _carried(column: Row, written: str, made_by_users: bool) -> bool:
    # Enumerations, arrays and composite types travel as text.
    return bool(_CARRIED.fullmatch(_plain(written))) or (made_by_users and column["category"] in "EAC")


# In what PostgreSQL writes of a domain's check: a literal, a quoted name, or the value itself, which nothing else is
# written like.
_VALUE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\bVALUE\b""")


def _retyped(case: Case, column: Row, domain: Row | None) -> Iterator[str]:
    """Yield the parts of an ALTER TABLE that make a column one that DMS carries, with all that its domain demanded."""
    alter = f"ALTER COLUMN {column['ident']}"
    if domain is None:
        yield f"{alter} TYPE text"
        return
    kept = _carried(column, domain["base"], made_by_users=True)  # the category is that of the base
    collation = _collation(case, column) if kept else None
    yield f"{alter} TYPE {domain['base'] if kept else 'text'}{f' COLLATE {collation}' if collation else ''}"
    if domain["default"] is not None and column["default"] is None:
        yield f"{alter} SET DEFAULT {domain['default']}"
    if domain["not_null"] and not column["not_null"]:
        yield f"{alter} SET NOT NULL"
    value = column["ident"] if kept else f"({column['ident']}::{domain['base']})"
    for check in domain["checks"]:
        yield f"ADD {_VALUE.sub(lambda found: value if found[0] == 'VALUE' else found[0], check)}"


def _collation(case: Case, column: Row) -> str | None:
    """Return the quoted name of a column's own collation, which a change of type would lose."""
    for row in case.source.collations:
        full = row["name"] if row["schema"] == "pg_catalog" else f"{row['schema']}.{row['name']}"
        if row["by_chosen"] and full == column["collation"] != "default":
            return str(row["ident"])
    return None


def loses_its_zone(case: Case) -> Iterator[Finding]:
    """A time of day with a zone, which DMS makes one without."""
    severity = case.severity(dms=ERROR, logical=None)
    if severity is None:
        return
    for table, column, name in _each(case):
        if re.fullmatch(r"time(\(\d\))? with time zone", column["type"]):
            yield Finding(
                "PMG422",
                severity,
                f"{name} is {column['type']}: DMS carries the time and drops the zone",
                case.brought_in(table["schema"], table["name"]),
                "keep it as text, or choose `engine: logical`",
                sql=(f"ALTER TABLE {table['ident']} ALTER COLUMN {column['ident']} TYPE text",),
            )


def generated(case: Case) -> Iterator[Finding]:
    """A generated column that the target can't take or can't have."""
    for table, column, name in _each(case):
        place = case.brought_in(table["schema"], table["name"])
        if column["generated"] == "virtual" and case.target_version < 18:
            yield Finding(
                "PMG423",
                ERROR,
                f"{name} is generated when it is read, which PostgreSQL {case.target_version} on the target can't do",
                place,
                "drop it, or choose a target of version 18",
                sql=(f"ALTER TABLE {table['ident']} DROP COLUMN {column['ident']}",),
            )
        elif column["generated"] == "virtual" and case.dms:
            yield Finding(
                "PMG423",
                ERROR,
                f"{name} is generated when it is read: DMS writes its value, which the target refuses and can't be "
                "made to take",
                place,
                "drop it, or choose `engine: logical`",
                sql=(f"ALTER TABLE {table['ident']} DROP COLUMN {column['ident']}",),
            )
        elif column["generated"] and case.dms:
            there = _on_target(case, table, column)
            if there is None or there["generated"]:
                yield Finding(
                    "PMG423",
                    ERROR,
                    f"{name} is generated: DMS writes its value, which the target refuses",
                    place,
                    "let the target's column be an ordinary one while DMS runs",
                    "target",
                    (f"ALTER TABLE {table['ident']} ALTER COLUMN {column['ident']} DROP EXPRESSION",),
                )


def always_identity(case: Case) -> Iterator[Finding]:
    """A column that refuses the number that DMS brings."""
    severity = case.severity(dms=ERROR, logical=None)
    if severity is None:
        return
    for table, column, name in _each(case):
        there = _on_target(case, table, column)
        if (there or column)["identity"] == "always":
            yield Finding(
                "PMG424",
                severity,
                f"{name} is GENERATED ALWAYS AS IDENTITY: it refuses the numbers that DMS inserts",
                case.brought_in(table["schema"], table["name"]),
                "let it accept them",
                "target" if there else "source",
                (f"ALTER TABLE {table['ident']} ALTER COLUMN {column['ident']} SET GENERATED BY DEFAULT",),
            )


def _large(column: Row) -> bool:
    return _LARGE.fullmatch(_plain(column["type"])) is not None or column["category"] == "A"


def large_and_required(case: Case) -> Iterator[Finding]:
    """A large column that must not be NULL, which DMS leaves NULL for a moment in two of its modes."""
    mode = case.migration.replication.large_objects.mode
    if not case.dms or mode == "limited":
        return
    for table, column, name in _each(case):
        there = _on_target(case, table, column)
        if _large(column) and (column if there is None else there)["not_null"]:
            yield Finding(
                "PMG425",
                ERROR,
                f"{name} is NOT NULL: with `mode: {mode}` DMS inserts the row first and its large values after it",
                case.brought_in(table["schema"], table["name"]),
                "let the target's column be NULL while DMS runs, or choose `mode: limited`",
                "target",
                (f"ALTER TABLE {table['ident']} ALTER COLUMN {column['ident']} DROP NOT NULL",),
            )


def large_and_cut(case: Case) -> Iterator[Finding]:
    """Values that may be larger than DMS was told to carry."""
    spec = case.migration.replication.large_objects
    if not case.dms or spec.mode != "limited":
        return
    for table in case.source.tables:
        kept = sum(
            relation["toast_bytes"]
            for relation in case.source.relations
            if (relation["root_schema"], relation["root_name"]) == (table["schema"], table["name"])
        )
        large = [column for column in columns(table) if _large(column)]
        # Kept compressed, a value takes a tenth of its size or more; what is smaller than that in all holds none.
        if large and kept * 10 > spec.max:
            names = ", ".join(column["name"] for column in large)
            longest = ", ".join(f"max(octet_length({column['ident']}::text))" for column in large)
            yield Finding(
                "PMG426",
                WARNING,
                f"{table['schema']}.{table['name']} keeps {human(kept)} of large values in {names}: DMS stops at one "
                f"of more than {human(spec.max)}",
                case.brought_in(table["schema"], table["name"]),
                f"look for {longest} of {table['ident']}, and raise replication.large_objects.max",
            )


def _on_target(case: Case, table: Row, column: Row) -> Row | None:
    there = case.target_tables.get((table["schema"], table["name"]))
    return next((other for other in columns(there) if other["name"] == column["name"]), None) if there else None


def large_objects(case: Case) -> Iterator[Finding]:
    """Large objects, which live outside every table."""
    count = case.source.server["large_objects"]
    if not count:
        return
    statements: list[str] = []
    for number, row in enumerate(case.source.references):
        kept, table, column = f"paymig_moved_{number}", row["ident"], row["column"]
        statements += [
            f"CREATE TEMP TABLE {kept} AS SELECT DISTINCT {column} AS object FROM {table} "  # noqa: S608 - quoted
            f"WHERE {column} IN (SELECT oid FROM pg_largeobject_metadata)",
            f"ALTER TABLE {table} ALTER COLUMN {column} TYPE bytea USING lo_get({column})",
            f"SELECT lo_unlink(object) FROM {kept}",  # noqa: S608
        ]
    first = case.source.references[0] if case.source.references else None
    yield Finding(
        "PMG427",
        ERROR if first else WARNING,
        f"the database holds {count} large objects, which no engine replicates",
        case.brought_in(first["schema"], first["table"]) if first else ("source", "database"),
        "keep them in columns of the tables"
        if first
        else "no column of the tables names them: delete those that nobody needs, as vacuumlo does",
        sql=tuple(statements),
    )
