"""Patterns that select nothing, and what they select that is no table of the application."""

from collections.abc import Iterator
from difflib import get_close_matches

from paymig.preflight.case import ERROR, EXCLUDE, INCLUDE, NOTE, WARNING, Case, Finding
from runtime_lambdas.runtime.catalogue import matches


def selects_nothing(case: Case) -> Iterator[Finding]:
    """A pattern to include that selects no table, or one to exclude that leaves none out."""
    rows = [row for row in case.source.known if row["kind"] in "rp" and row["extension"] is None]
    known = [(row["schema"], row["name"]) for row in rows]
    names = [f"{schema}.{name}" for schema, name in known]
    patterns = case.migration.replication.tables
    for place, listed, severity in ((INCLUDE, patterns.include, ERROR), (EXCLUDE, patterns.exclude, WARNING)):
        for index, pattern in enumerate(listed):
            if any(matches(*name, [pattern]) for name in known):
                continue
            near = get_close_matches(pattern.replace("%", ""), names, n=1, cutoff=0.5)
            database = case.source.server["database"]
            yield Finding(
                "PMG401",
                severity,
                f"the pattern {pattern} selects none of the {len(names)} tables of the database {database}",
                (*place, index),
                f"write what exists, as {near[0]}" if near else "correct the pattern, or delete it",
            )


def not_a_table(case: Case) -> Iterator[Finding]:
    """What matches a pattern and has no rows of its own to replicate."""
    patterns = case.migration.replication.tables
    for row in case.source.relations:
        if row["kind"] == "f":
            root = f"{row['root_schema']}.{row['root_name']}"
            yield Finding(
                "PMG407",
                ERROR,
                f"{row['schema']}.{row['name']}, a partition of {root}, is a foreign table: changes of its rows are in "
                "another server's log",
                case.brought_in(row["root_schema"], row["root_name"]),
                f"bring its rows into a partition of this server, or add {root} to replication.tables.exclude",
            )
    for row in case.source.known:
        schema, name = row["schema"], row["name"]
        if not matches(schema, name, patterns.include) or matches(schema, name, patterns.exclude):
            continue
        if row["extension"] is not None:
            if case.dms and row["kind"] in "rp":
                yield Finding(
                    "PMG408",
                    ERROR,
                    f"{schema}.{name} belongs to the extension {row['extension']}, which fills it on the target itself",
                    case.brought_in(schema, name),
                    f"add {schema}.{name} to replication.tables.exclude",
                )
        elif row["kind"] == "m":
            yield Finding(
                "PMG407",
                NOTE,
                f"{schema}.{name} is a materialized view: its definition moves, its rows do not",
                case.brought_in(schema, name),
                "fill it before the switchover",
                "target",
                (f"REFRESH MATERIALIZED VIEW {row['ident']}",),
            )
        elif row["kind"] == "f":
            yield Finding(
                "PMG407",
                WARNING,
                f"{schema}.{name} is a foreign table: its rows are kept by another server and do not move",
                case.brought_in(schema, name),
                f"give the target a way to that server, or add {schema}.{name} to replication.tables.exclude",
            )
