"""Single rows: which of a chunk's are not the same, how one looks now, and which of its columns differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor
from psycopg2.sql import Composable

from runtime_lambdas.runtime.journal.control import Side

from . import canonical
from .canonical import Key
from .chunks import Chunk
from .server import Ask
from .shape import Shape

AT_ONCE = 500
"""Keys in one query."""


class Version(NamedTuple):
    """A row as it was seen.

    Attributes:
        content: What the row says: a hash of it, or a count where rows have no key.
        written: The transaction that wrote this version of it, on that server.
    """

    content: bytes | int
    written: str


class Value(NamedTuple):
    """A column of a row: a hash of it, and its text where that was asked for (None is NULL)."""

    hash: bytes
    text: str | None


_IN_CHUNK = "SELECT {key}, sha256({row}) FROM {table} WHERE {chunk}"

_BY_KEY = """
SELECT {key}, sha256({row}), present.xmin::text
FROM (VALUES {wanted}) AS wanted ({names}) JOIN {table} AS present USING ({names})
"""


_VALUES = """
SELECT {key}, {columns}
FROM (VALUES {wanted}) AS wanted ({names}) JOIN {table} AS present USING ({names})
"""


def in_chunk(shape: Shape, side: Side, chunk: Chunk) -> Ask[dict[Key, bytes]]:
    """Return what reads the hash of every row of a chunk."""
    query = sql.SQL(_IN_CHUNK).format(
        key=canonical.key_text(shape),
        row=canonical.row(shape),
        table=canonical.table(shape),
        chunk=canonical.between(shape, side, chunk.low, chunk.high),
    )

    def ask(running: cursor) -> dict[Key, bytes]:
        running.execute(query)
        found: dict[Key, bytes] = {}
        while some := running.fetchmany(1000):
            found.update((tuple(key), bytes(content)) for *key, content in some)
        return found

    return ask


def by_key(shape: Shape, side: Side, keys: Sequence[Key]) -> Ask[dict[Key, Version]]:
    """Return what reads the rows with these keys as they are now; the ones that do not exist are left out."""

    def ask(running: cursor) -> dict[Key, Version]:
        found: dict[Key, Version] = {}
        for first in range(0, len(keys), AT_ONCE):
            running.execute(_look_up(_BY_KEY, shape, side, keys[first : first + AT_ONCE]))
            for *key, content, written in running.fetchall():
                found[tuple(key)] = Version(bytes(content), written)
        return found

    return ask


def values(shape: Shape, side: Side, keys: Sequence[Key], show: bool) -> Ask[dict[Key, list[Value]]]:
    """Return what reads the columns of these rows, in the shape's order; no value leaves the server unless `show`."""
    columns = [
        sql.SQL("sha256(record_send(ROW({}))), {}").format(
            canonical.value(name, as_text),
            sql.SQL("left({}::text, {})").format(sql.Identifier(name), sql.Literal(_SHOWN))
            if show
            else sql.SQL("NULL::text"),
        )
        for name, as_text in shape.columns
    ]

    def ask(running: cursor) -> dict[Key, list[Value]]:
        found: dict[Key, list[Value]] = {}
        for first in range(0, len(keys), AT_ONCE):
            some = keys[first : first + AT_ONCE]
            running.execute(_look_up(_VALUES, shape, side, some, columns=sql.SQL(", ").join(columns)))
            for line in running.fetchall():
                key, rest = tuple(line[: len(shape.key)]), line[len(shape.key) :]
                found[key] = [Value(bytes(rest[i]), rest[i + 1]) for i in range(0, len(rest), 2)]
        return found

    return ask


_SHOWN = 200  # characters of a value


def _look_up(query: str, shape: Shape, side: Side, keys: Sequence[Key], **more: Composable) -> Composable:
    wanted = (sql.SQL("({})").format(canonical.literal(shape, side, key)) for key in keys)
    return sql.SQL(query).format(
        key=canonical.key_text(shape),
        row=canonical.row(shape),
        table=canonical.table(shape),
        wanted=sql.SQL(", ").join(wanted),
        names=canonical.key(shape),
        **more,
    )
