"""What the two databases, or the one and the spec's target, must agree on; and how long the load takes."""

import re
from collections.abc import Iterator

from paymig.preflight.case import ERROR, NOTE, WARNING, Case, Finding, Name, human
from paymig.preflight.rules.tables import load_order
from runtime_lambdas.runtime.facts import Facts

OLDEST, NEWEST = 13, 18
"""Major versions of PostgreSQL that paymig was made for."""

# What Aurora offers, for the time before there is a target to ask.
# fmt: off
AURORA_EXTENSIONS = frozenset((
    "address_standardizer", "address_standardizer_data_us", "amcheck", "apg_plan_mgmt", "autoinc", "aws_commons",
    "aws_lambda", "aws_ml", "aws_s3", "bloom", "bool_plperl", "btree_gin", "btree_gist", "citext", "cube", "dblink",
    "dict_int", "dict_xsyn", "earthdistance", "fuzzystrmatch", "h3", "h3_postgis", "hll", "hstore", "hstore_plperl",
    "hypopg", "insert_username", "intagg", "intarray", "ip4r", "isn", "jsonb_plperl", "lo", "log_fdw", "ltree",
    "moddatetime", "mysql_fdw", "old_snapshot", "oracle_fdw", "orafce", "pageinspect", "pg_bigm", "pg_buffercache",
    "pg_cron", "pg_freespacemap", "pg_hint_plan", "pg_partman", "pg_prewarm", "pg_proctab", "pg_repack",
    "pg_similarity", "pg_stat_statements", "pg_tle", "pg_trgm", "pg_visibility", "pg_walinspect", "pgaudit",
    "pgcrypto", "pglogical", "pgrouting", "pgrowlocks", "pgstattuple", "pgtap", "plcoffee", "plls", "plperl",
    "plpgsql", "plprofiler", "pltcl", "plv8", "postgis", "postgis_raster", "postgis_tiger_geocoder",
    "postgis_topology", "postgres_fdw", "prefix", "rdkit", "rds_tools", "refint", "seg", "sslinfo", "tablefunc",
    "tcn", "tds_fdw", "test_parser", "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "vector",
))
# fmt: on


def versions(case: Case) -> Iterator[Finding]:
    """A target older than the source, or a version that nobody tried."""
    source = case.source.server["version"] // 10000
    text = case.source.server["version_text"].split()[0]
    if case.target_version < source:
        yield Finding(
            "PMG480",
            ERROR,
            f"the target is PostgreSQL {case.target_version} and the source {text}: an older server can't take "
            "everything that a newer one has",
            ("database", "engine_version"),
            f"choose version {source} or newer for the target",
        )
    if not OLDEST <= source <= NEWEST:
        yield Finding(
            "PMG480",
            ERROR,
            f"the source is PostgreSQL {text}; paymig knows {OLDEST} to {NEWEST}",
            ("source", "database"),
            f"upgrade it to {OLDEST} or newer first" if source < OLDEST else "use a newer paymig",
        )


def encodings(case: Case) -> Iterator[Finding]:
    """Text that is encoded in another way, or in no known one."""
    source = case.source.server["encoding"]
    target = case.target.server["encoding"] if case.target else "UTF8"
    place = ("source", "database", "name")
    if source == "SQL_ASCII":
        yield Finding(
            "PMG481",
            ERROR,
            "the source's encoding is SQL_ASCII, which is none: nobody knows which characters its bytes are, and a "
            f"target in {target} refuses some",
            place,
            "load it into a database with an encoding first, where what is no character shows",
        )
    elif source != target:
        yield Finding(
            "PMG481",
            WARNING if target == "UTF8" else ERROR,
            f"the source is encoded in {source} and the target in {target}: text is converted on the way",
            place,
            "nothing to do, if every character of the one exists in the other"
            if target == "UTF8"
            else "make the target's database with ENCODING 'UTF8'",
        )


def collations(case: Case) -> Iterator[Finding]:
    """An order of text that the other side does not have, or has otherwise."""
    target = case.target
    for row in case.source.collations:
        # A server has one for each locale of its system: the others order no index of ours.
        used = row["by_chosen"] or row["schema"] is None
        if used and row["version"] is not None and row["actual"] is not None and row["version"] != row["actual"]:
            if row["schema"] is None:
                of, say = "of the database", f"ALTER DATABASE {row['ident']} REFRESH COLLATION VERSION"
            else:
                of, say = f"{row['schema']}.{row['name']}", f"ALTER COLLATION {row['ident']} REFRESH VERSION"
            yield Finding(
                "PMG483",
                WARNING,
                f"the collation {of} was made with version {row['version']} and is now run with {row['actual']}: "
                "indexes of text may be out of order on the source",
                ("source", "database"),
                "rebuild the indexes that use it (REINDEX), then say so",
                sql=(say,),
            )
    if target is None:
        return
    ours, theirs = _order(case.source), _order(target)
    if ours != theirs:
        yield Finding(
            "PMG482",
            WARNING,
            f"text is ordered by {ours} on the source and by {theirs} on the target: ORDER BY and ranges of text may "
            "answer otherwise",
            ("database", "name"),
            f"make the target's database with the order {ours}, if the application relies on it",
        )
    there = {(row["schema"], row["name"]) for row in target.collations}
    for row in case.source.collations:
        if row["by_chosen"] and (row["schema"], row["name"]) not in there and row["schema"] == "pg_catalog":
            yield Finding(
                "PMG482",
                ERROR,
                f"columns or indexes use the collation {row['name']}, which the target does not have",
                ("database", "name"),
                'change the columns to a collation that both have, as "C" or one of ICU',
            )


def _order(facts: Facts) -> str:
    """Return by what a database orders text, each locale of the system's library spelled in one way."""
    server = facts.server
    if server["provider"] != "c":
        return f"{server['locale']} of {'ICU' if server['provider'] == 'i' else 'PostgreSQL itself'}"
    name, dot, encoding = server["collate"].partition(".")
    return "C" if name == "POSIX" else f"{name}{dot}{re.sub('^utf-?8', 'UTF-8', encoding, flags=re.I)}"


def extensions(case: Case) -> Iterator[Finding]:
    """An extension that the target can't have."""
    offered = set(case.target.available) if case.target else AURORA_EXTENSIONS
    where = "the target" if case.target else "Aurora"
    for row in case.source.extensions:
        if row["name"] not in offered:
            yield Finding(
                "PMG484",
                ERROR,
                f"the source uses the extension {row['name']} {row['version']}, which {where} does not offer",
                ("source", "database"),
                "do without it",
                sql=(f"DROP EXTENSION {row['ident']}",),
            )


def load(case: Case) -> Iterator[Finding]:
    """How much has to be loaded, in which order of the foreign keys, and how long reading it takes."""
    tables = case.source.tables
    if not tables:
        return
    rows, size = sum(table["rows"] for table in tables), sum(table["bytes"] for table in tables)
    sample = case.source.sample
    if sample and sample["seconds"] > 0:
        rate = sample["bytes"] / sample["seconds"]
        time = (
            f"reading them takes {duration(size / rate)} at the {rate / 2**20:.0f} MiB/s measured now through one "
            f"connection, loading them {duration(size / rate)} to {duration(SLOWEST * size / rate)}"
        )
    else:
        time = "loading them takes less than a minute"
    refers: dict[Name, set[Name]] = {}
    for key in case.source.foreign_keys:
        refers.setdefault((key["schema"], key["table"]), set()).add((key["to_schema"], key["to_table"]))
    order = load_order([(table["schema"], table["name"]) for table in tables], refers)
    names = [f"{schema}.{name}" for schema, name in order]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    yield Finding(
        "PMG490",
        NOTE,
        f"{len(tables)} table{'s' * (len(tables) > 1)} with about {rows:,} rows and {human(size)} move; {time}",
        ("replication", "tables"),
        f"those that others refer to come first: {shown}",
    )


SLOWEST = 10
"""How many times longer than a plain read a load may take: twice what was measured (docs/preflight.md)."""


def duration(seconds: float) -> str:
    """Write a duration for people, as "about 3 min"."""
    if seconds < 1:
        return "under 1 s"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {seconds:.0f} s"
