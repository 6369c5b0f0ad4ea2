"""Single rows: which of a chunk's are not the same, how one looks now, and which of its columns differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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
        key: Its own key as text there, which may be another text than it was asked for by: 1.0 finds 1.00.
    """

    content: bytes | int
    written: str
    key: Key


class Value(NamedTuple):
    """A column of a row: a hash of it, and its text where that was asked for (None is NULL)."""

    hash: bytes
    text: str | None


_IN_CHUNK = "SELECT {key}, sha256({row}) FROM {table} WHERE {chunk}"

# The place of a key in the list says which one was found: two texts may be the same key.
_LOOK_UP = """
SELECT wanted.place, {what}
FROM unnest({lists}) WITH ORDINALITY AS wanted ({names}, place) JOIN {table} ON {same}
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
    what = sql.SQL("sha256({}), present.xmin::text, {}").format(canonical.row(shape), canonical.key_text(shape))

    def ask(running: cursor) -> dict[Key, Version]:
        found = _look_up(running, shape, side, keys, what)
        return {key: Version(bytes(content), written, tuple(own)) for key, (content, written, *own) in found}

    return ask


def values(shape: Shape, side: Side, keys: Sequence[Key], show: bool) -> Ask[dict[Key, list[Value]]]:
    """Return what reads the columns of these rows, in the shape's order; no value leaves the server unless `show`."""
    text = "left({column}::text, {shown})" if show else "NULL::text"
    what = sql.SQL(", ").join(
        sql.SQL("sha256(record_send(ROW({value}))), " + text).format(
            value=canonical.value(name, form), column=canonical.column(name), shown=sql.Literal(_SHOWN)
        )
        for name, form in shape.columns
    )

    def ask(running: cursor) -> dict[Key, list[Value]]:
        found = _look_up(running, shape, side, keys, what)
        return {key: [Value(bytes(line[i]), line[i + 1]) for i in range(0, len(line), 2)] for key, line in found}

    return ask


_SHOWN = 200  # characters of a value


def _look_up(
    running: cursor, shape: Shape, side: Side, keys: Sequence[Key], what: Composable
) -> Iterator[tuple[Key, list[Any]]]:
    names = [sql.Identifier(f"k{number}") for number in range(len(shape.key))]
    same = (
        sql.SQL("{} = wanted.{}::{}").format(canonical.column(each.name), name, sql.SQL(each.type_on(side)))
        for each, name in zip(shape.key, names, strict=True)
    )
    parts = {
        "what": what,
        "names": sql.SQL(", ").join(names),
        "table": canonical.table(shape),
        "same": sql.SQL(" AND ").join(same),
    }
    for first in range(0, len(keys), AT_ONCE):
        some = keys[first : first + AT_ONCE]
        lists = (sql.SQL("{}::text[]").format(sql.Literal(list(texts))) for texts in zip(*some, strict=True))
        running.execute(sql.SQL(_LOOK_UP).format(lists=sql.SQL(", ").join(lists), **parts))
        for place, *line in running.fetchall():
            yield some[place - 1], line
