"""A database session that reads, never writes, and gives the same text for the same value on every server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from psycopg2.extensions import connection

Open = Callable[[], connection]
"""Opens a connection to one side; may be called from any thread, once for each connection."""

_PINNED: Mapping[str, str] = MappingProxyType(
    {
        # What a value looks like as text, and in which encoding its characters are hashed.
        "bytea_output": "hex",
        "client_encoding": "UTF8",
        "datestyle": "ISO, YMD",
        "extra_float_digits": "1",
        "intervalstyle": "iso_8601",
        "lc_monetary": "C",
        "quote_all_identifiers": "off",
        "search_path": "pg_catalog",  # nobody's function or operator stands before the system's
        "standard_conforming_strings": "on",
        "timezone": "UTC",
        "xmloption": "content",
        # A policy that would hide rows makes the query fail instead.
        "row_security": "off",
        # One query keeps one core busy, and follows the key's index instead of reading a table once for each chunk.
        "enable_seqscan": "off",
        "jit": "off",
        "max_parallel_workers_per_gather": "0",
        # No query of ours stands in the way of the payments for long.
        "lock_timeout": "10s",
        "statement_timeout": "10min",
    }
)


def prepare(opened: connection) -> connection:
    """Make a fresh connection read-only, each statement its own transaction, with every setting pinned."""
    opened.set_session(readonly=True, autocommit=True)
    with opened.cursor() as running:
        running.execute(
            "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS pinned (name, value)",
            (list(_PINNED), list(_PINNED.values())),
        )
    return opened
