"""Whether both sides' tables are fit for a load."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor

from runtime_lambdas.runtime.catalogue import Table
from runtime_lambdas.runtime.replication.engine import NotReady
from runtime_lambdas.runtime.writer import Side


def refuse_unlike(tables: Sequence[Table], others: Sequence[Table], destination: Side) -> None:
    """Refuse tables that the destination lacks, or can't find a row in.

    Raises:
        NotReady: Names them.
    """
    there = {table.full_name: table for table in others}
    missing = [table.full_name for table in tables if table.full_name not in there]
    if missing:
        raise NotReady(f"the {destination} has no table {', '.join(missing)}: its schema has to be there")
    keyless = [table.full_name for table in tables if table.key != there[table.full_name].key]
    if keyless:
        raise NotReady(
            f"the primary keys of {', '.join(keyless)} differ between both sides; the {destination} finds "
            "rows to change by them"
        )


def refuse_full(running: cursor, tables: Sequence[Table], destination: Side) -> None:
    """Refuse to load into tables that hold rows.

    Raises:
        NotReady: Names them.
    """
    full = []
    for table in tables:
        name = sql.Identifier(table.schema, table.name)
        running.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(name))
        if running.fetchone() == (True,):
            full.append(table.full_name)
    if full:
        raise NotReady(
            f"{', '.join(full)} on the {destination} hold rows already, so a load would double them: "
            "TRUNCATE them if nobody needs these rows"
        )
