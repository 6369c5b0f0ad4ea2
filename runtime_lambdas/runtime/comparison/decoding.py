"""Which rows a stretch of the write-ahead log wrote, from the messages of PostgreSQL's `pgoutput` plugin."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .canonical import Key


class Written(NamedTuple):
    """A row that was inserted, updated or deleted; without `key`, any row of the table may have been."""

    table: str
    key: Key | None


class _Relation(NamedTuple):
    table: str
    columns: Sequence[str]


_Values = Sequence[str | None]  # None is NULL, or a value that was not sent


def written(messages: Iterable[bytes], keys: Mapping[str, Sequence[str]]) -> Iterator[Written]:
    """Yield the rows of some tables that the messages tell of.

    Args:
        messages: Of protocol version 1, in order, from the start of a call: each tells of a table before its rows.
        keys: Names of the primary key's columns, by table as "schema.table"; other tables are passed over.
    """
    relations: dict[int, _Relation] = {}
    for message in messages:
        reader = _Reader(message)
        kind = reader.char()
        if kind == "R":
            number = reader.number("I")
            relations[number] = reader.relation()
        elif kind == "T":
            count, _ = reader.number("I"), reader.number("B")
            for _ in range(count):
                table = relations[reader.number("I")].table
                if table in keys:
                    yield Written(table, None)
        elif kind in ("I", "U", "D"):
            relation = relations[reader.number("I")]
            if relation.table not in keys:
                continue
            for values in reader.tuples():
                yield Written(relation.table, _key(relation, values, keys[relation.table]))


def _key(relation: _Relation, values: _Values, names: Sequence[str]) -> Key | None:
    """Return a row's key; None where the table has none, or the log tells of other columns only."""
    found = dict(zip(relation.columns, values, strict=True))
    key = [found.get(name) for name in names]
    return tuple(value for value in key if value is not None) if key and None not in key else None


class _Reader:
    """Reads one message from its start to its end."""

    def __init__(self, message: bytes) -> None:
        self._rest = memoryview(message)

    def number(self, form: str) -> int:
        size = struct.calcsize(f">{form}")
        (found,) = struct.unpack(f">{form}", self._rest[:size])
        self._rest = self._rest[size:]
        return int(found)

    def char(self) -> str:
        return chr(self.number("B"))

    def string(self) -> str:
        text, _, _ = bytes(self._rest).partition(b"\0")
        self._rest = self._rest[len(text) + 1 :]
        return text.decode()

    def relation(self) -> _Relation:
        schema, table = self.string(), self.string()
        self.char()  # the replica identity
        columns = []
        for _ in range(self.number("H")):
            self.number("B")  # whether the column is part of the replica identity
            columns.append(self.string())
            self.number("I")  # its type
            self.number("i")  # and modifier
        return _Relation(f"{schema}.{table}", columns)

    def tuples(self) -> Iterator[_Values]:
        """Yield the old row where it is told of, and the new one."""
        while self._rest:
            self.char()  # K or O is the old row, N the new one
            yield self._tuple()

    def _tuple(self) -> _Values:
        return [self._value() for _ in range(self.number("H"))]

    def _value(self) -> str | None:
        if self.char() != "t":
            return None
        size = self.number("I")
        text = bytes(self._rest[:size]).decode()
        self._rest = self._rest[size:]
        return text
