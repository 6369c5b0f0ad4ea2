"""A comparison limited to what was written since an earlier one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor
from psycopg2.sql import Composable

from runtime_lambdas.runtime.journal.control import Side

from . import canonical, chunks
from .canonical import Key
from .chunks import Chunk
from .server import Ask
from .shape import Shape

_HALF = 2**31  # transactions after which a row's transaction number can't be told from a newer one


class Moment(NamedTuple):
    """A point in one server's history: every transaction below `transaction` had ended, so its rows were seen.

    Attributes:
        database: Which database it is: the cluster's identifier where the login may read it, and the name.
        transaction: As `pg_snapshot_xmin` gives it, growing for ever.
    """

    database: str
    transaction: int


class Cut(NamedTuple):
    """The point in both servers' histories before a comparison read its first row.

    Attributes:
        shapes: What was compared: a fingerprint of each table's columns. A table that is not among them, or has other
            columns since, has rows that nobody compared and nobody wrote since.
    """

    source: Moment
    target: Moment
    shapes: Mapping[str, str] = MappingProxyType({})

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"source": self.source._asdict(), "target": self.target._asdict(), "shapes": dict(self.shapes)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Cut:
        """Return what `to_json` wrote."""
        return cls(Moment(**data["source"]), Moment(**data["target"]), data.get("shapes", {}))

    def of(self, shapes: Iterable[Shape]) -> Cut:
        """Return the same point, of a comparison of these tables."""
        return self._replace(shapes={shape.full_name: shape.fingerprint for shape in shapes})

    def knows(self, shape: Shape) -> bool:
        """Return whether the table was compared then, with the columns that it has now."""
        return self.shapes.get(shape.full_name) == shape.fingerprint

    def on(self, side: Side) -> Moment:
        """Return one side's."""
        return self.source if side == "source" else self.target


class CutOutdated(ValueError):
    """The cut is of another database, or too long ago: everything has to be compared again."""


class Changed(NamedTuple):
    """A chunk on one side: its rows, a digest of their keys alone, and the keys that were written since."""

    rows: int
    digest: bytes | None
    keys: frozenset[Key]


def now(running: cursor) -> Moment:
    """Read the present moment of a server."""
    running.execute(
        "SELECT current_database(), pg_snapshot_xmin(pg_current_snapshot())::text,"
        " has_function_privilege('pg_control_system()', 'EXECUTE')"
    )
    [(name, transaction, allowed)] = running.fetchall()
    cluster = "?"
    if allowed:
        running.execute("SELECT system_identifier FROM pg_control_system()")
        [(cluster,)] = running.fetchall()
    return Moment(f"{cluster}/{name}", int(transaction))


def check(since: Moment, present: Moment) -> None:
    """Raise `CutOutdated` unless changes since one moment can be told at another."""
    if since.database != present.database:
        raise CutOutdated(f"the last comparison was of {since.database}, and this is {present.database}")
    if not 0 <= present.transaction - since.transaction < _HALF:
        raise CutOutdated(
            f"the last comparison was at transaction {since.transaction}, and this server is at {present.transaction}"
        )


# A row's number of its writer has 32 bits. What is older than half of all numbers looks as if it were still to come,
# and so is taken for changed: that costs a look at it and hides nothing.
_CHANGED = """
SELECT count(*), sha256(string_agg({key_row}, ''::bytea)),
       array_agg(ARRAY[{key_text}]) FILTER (WHERE age(present.xmin) <= age({since}::xid))
FROM (SELECT {key}, present.xmin FROM {table} WHERE {chunk} ORDER BY {key}) AS present
"""


def changed(shape: Shape, side: Side, some: Sequence[Chunk], since: Moment) -> Ask[list[Changed]]:
    """Return what reads the keys of each of some chunks, in their order, and which of its rows were written since."""

    def answer(chunk: Composable) -> Composable:
        return sql.SQL(_CHANGED).format(
            key=canonical.key(shape),
            key_row=canonical.key_row(shape),
            key_text=canonical.key_text(shape),
            table=canonical.table(shape),
            chunk=chunk,
            since=sql.Literal(str(since.transaction % 2**32)),
        )

    read = chunks.of_each(shape, side, some, answer)
    return lambda running: [
        Changed(rows, None if digest is None else bytes(digest), frozenset(tuple(key) for key in keys or ()))
        for rows, digest, keys in read(running)
    ]
