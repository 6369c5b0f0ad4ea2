"""What a server says of a chunk without sending its rows: how many there are, and one digest of them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor
from psycopg2.sql import Composable

from runtime_lambdas.runtime.journal.control import Side

from . import canonical, chunks
from .chunks import Chunk
from .server import Ask
from .shape import Shape

Hash = Literal["md5", "sha256"]


class Digest(NamedTuple):
    """A chunk on one side: equal to the other side's when the rows are the same, in the same order.

    Attributes:
        digest: Over all rows in the order of the key; None without a row.
    """

    rows: int
    digest: str | None


# The rows of a chunk are put one behind the other and hashed once, which is the fastest; each tells its own length, so
# no two different lists of rows are the same bytes. A long row is hashed first: the server never holds more than
# 5 MB for a chunk. -1 is no number of columns, so a hash is not taken for a row.
_LONG = 1024
_DIGEST = """
SELECT count(*), {digest}
FROM (SELECT {row} AS bytes FROM {table} WHERE {chunk} ORDER BY {key}) AS ordered
"""
_ROWS = f"string_agg(CASE WHEN length(bytes) > {_LONG} THEN int4send(-1) || sha256(bytes) ELSE bytes END, ''::bytea)"
_HASHES = {"md5": "md5({})", "sha256": "encode(sha256({}), 'hex')"}


def agreed(running: cursor, wished: Hash) -> Hash:
    """Return the hash to use on this server: a server in FIPS mode refuses MD5."""
    if wished == "md5":
        try:
            running.execute("SELECT md5(''::bytea)")
        except psycopg2.Error:
            return "sha256"
    return wished


def digests(shape: Shape, side: Side, some: Sequence[Chunk], hash_: Hash) -> Ask[list[Digest]]:
    """Return what reads the digest of each of some chunks, in their order; it raises `chunks.Disordered`."""

    def answer(chunk: Composable) -> Composable:
        return sql.SQL(_DIGEST).format(
            digest=sql.SQL(_HASHES[hash_].format(_ROWS)),
            row=canonical.row(shape),
            table=canonical.table(shape),
            chunk=chunk,
            key=canonical.key(shape),
        )

    read = chunks.of_each(shape, side, some, answer)
    return lambda running: [Digest(*answered) for answered in read(running)]
