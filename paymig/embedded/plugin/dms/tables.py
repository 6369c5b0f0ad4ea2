"""DMS: which tables a task selects, and how much of them has arrived."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import psycopg2
from psycopg2 import sql

from paymig.embedded.plugin.dms.endpoints import connect

_LIST_TABLES = """
select schemaname, tablename from pg_catalog.pg_tables
where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2
"""


def selected(table_mappings: str, schema: str, table: str) -> bool:
    """Whether a task's selection rules take a table; what excludes wins over what includes."""
    actions = {
        rule["rule-action"]
        for rule in json.loads(table_mappings)["rules"]
        if rule["rule-type"] == "selection"
        and _like(schema, rule["object-locator"]["schema-name"])
        and _like(table, rule["object-locator"]["table-name"])
    }
    return bool(actions) and "exclude" not in actions


def statistics(
    table_mappings: str, source: dict[str, Any], target: dict[str, Any], loaded: set[str]
) -> list[dict[str, Any]]:
    """One record of DescribeTableStatistics for each selected table, counted in both databases now.

    Args:
        table_mappings: the task's.
        source: its endpoint.
        target: its endpoint.
        loaded: names of the tables whose load is over, which is added to: changes that follow begin no load.
    """
    with closing(connect(source)) as old, closing(connect(target)) as new:
        with old.cursor() as cursor:
            cursor.execute(_LIST_TABLES)
            names = [(schema, table) for schema, table in cursor.fetchall() if selected(table_mappings, schema, table)]
        return [
            _statistic(schema, table, _count(old, schema, table), _count(new, schema, table), loaded)
            for schema, table in names
        ]


def _statistic(schema: str, table: str, there: int | None, here: int | None, loaded: set[str]) -> dict[str, Any]:
    name = f"{schema}.{table}"
    if here is not None and here >= (there or 0):
        loaded.add(name)
    arrived = "Table completed" if name in loaded else "Full load"
    state = "Table does not exist" if here is None else arrived
    return {
        "SchemaName": schema,
        "TableName": table,
        "FullLoadRows": here or 0,
        "FullLoadErrorRows": 0,
        "Inserts": 0,
        "Updates": 0,
        "Deletes": 0,
        "Ddls": 0,
        "TableState": state,
        "LastUpdateTime": datetime.now(UTC),
        "ValidationState": "Not enabled",
    }


def _count(connection: Any, schema: str, table: str) -> int | None:
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table)))
        except psycopg2.errors.UndefinedTable:
            connection.rollback()
            return None
        return int(cursor.fetchone()[0])


def _like(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("%", "*"))
