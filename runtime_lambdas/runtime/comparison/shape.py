"""How two tables of the same name can be compared, and where their definitions differ."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from runtime_lambdas.runtime.catalogue import Column, Form, Table
from runtime_lambdas.runtime.journal.control import Side

Definition = Literal["missing table", "missing column", "type", "primary key"]


@dataclass(frozen=True)
class Disagreement:
    """A definition that the two sides do not share; "" stands for what a side does not have.

    Attributes:
        column: The column's name, or "" where it is about the table.
    """

    what: Definition
    column: str
    source: str
    target: str


@dataclass(frozen=True)
class KeyColumn:
    """A column of the primary key, and its type on each side as SQL writes it."""

    name: str
    source_type: str
    target_type: str

    def type_on(self, side: Side) -> str:
        """Return the type on one side."""
        return self.source_type if side == "source" else self.target_type


@dataclass(frozen=True)
class Shape:
    """What both sides of a table have in common.

    Attributes:
        columns: Names of the columns that both have, by name, each with the form that it is read in.
        key: The primary key's columns in its order; empty where the two sides share none.
        ranged: Whether the key can be cut into ranges that both servers are likely to order alike.
        rows: The source's estimate.
        row_bytes: The source's estimate of an average row.
        disagreements: Where the definitions differ.
    """

    schema: str
    name: str
    columns: tuple[tuple[str, Form], ...]
    key: tuple[KeyColumn, ...]
    ranged: bool
    rows: int
    row_bytes: int
    disagreements: tuple[Disagreement, ...]

    @property
    def full_name(self) -> str:
        """`schema.table`, unquoted."""
        return f"{self.schema}.{self.name}"

    @property
    def fingerprint(self) -> str:
        """What tells it from the table with other columns; estimates are no part of it."""
        text = json.dumps({**asdict(self), "rows": 0, "row_bytes": 0})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def match(source: Table, target: Table, same_order: bool) -> Shape:
    """Lay two tables of the same name over each other.

    Args:
        source: The table on the source.
        target: The table on the target.
        same_order: Whether the two databases' default collations are the same.
    """
    ours, theirs = ({column.name: column for column in table.columns} for table in (source, target))
    shared = sorted(ours.keys() & theirs.keys(), key=str.encode)
    disagreements = [
        Disagreement("missing column", name, _type(ours.get(name)), _type(theirs.get(name)))
        for name in sorted(ours.keys() ^ theirs.keys())
    ]
    disagreements += [
        Disagreement("type", name, ours[name].type, theirs[name].type)
        for name in shared
        if ours[name].type != theirs[name].type
    ]
    key: tuple[KeyColumn, ...] = ()
    if source.key == target.key:
        key = tuple(KeyColumn(name, ours[name].type, theirs[name].type) for name in source.key)
    else:
        disagreements.append(Disagreement("primary key", "", ", ".join(source.key), ", ".join(target.key)))
    return Shape(
        source.schema,
        source.name,
        tuple((name, _form(ours[name], theirs[name])) for name in shared),
        key,
        bool(key) and all(_ordered_alike(ours[column.name], theirs[column.name], same_order) for column in key),
        source.rows,
        source.bytes // source.rows if source.rows else 0,
        tuple(disagreements),
    )


def alone(table: Table, side: Side) -> Disagreement:
    """Return what to say of a table that only `side` has."""
    there = table.full_name
    return Disagreement("missing table", "", there if side == "source" else "", there if side == "target" else "")


def _type(column: Column | None) -> str:
    return "" if column is None else column.type


def _form(source: Column, target: Column) -> Form:
    return source.form if source.type_oid == target.type_oid and source.form == target.form else "text"


def _ordered_alike(source: Column, target: Column, same_order: bool) -> bool:
    """Tell whether both servers probably put the values of a key column in the same order.

    Being wrong costs time and no difference: where ranges do not fit the other server's order, that is noticed there.
    """
    if source.type != target.type or source.collation != target.collation:
        return False
    return source.collation != "default" or same_order
