"""The SQL that every question is made of: a row as bytes, a key as text, a range of keys."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2 import sql
from psycopg2.sql import Composable

from runtime_lambdas.runtime.journal.control import Side

from .shape import Shape

Key = tuple[str, ...]
"""A key's values as text, in the order of the key."""


def table(shape: Shape) -> Composable:
    """Return the table's quoted name."""
    return sql.Identifier(shape.schema, shape.name)


def row(shape: Shape) -> Composable:
    """Return a row as bytes: each value in the order of the columns' names, with its type and length before it.

    PostgreSQL's own binary form is exact and the same in every version and under every setting; values that have no
    such form are taken as text.
    """
    return _row(shape.columns)


def key_row(shape: Shape) -> Composable:
    """Return the key's columns as bytes, as `row` does with all of them."""
    names = {column.name for column in shape.key}
    return _row([column for column in shape.columns if column[0] in names])


def value(name: str, as_text: bool) -> Composable:
    """Return one column as it is hashed."""
    return sql.SQL("{}::text" if as_text else "{}").format(sql.Identifier(name))


def key(shape: Shape) -> Composable:
    """Return the key's columns, as they are ordered and compared."""
    return _list(sql.Identifier(column.name) for column in shape.key)


def order(shape: Shape) -> Composable:
    """Return the key's columns to order by, told from a result's columns of the same name."""
    return _list(sql.Identifier(shape.schema, shape.name, column.name) for column in shape.key)


def key_text(shape: Shape) -> Composable:
    """Return the key's columns as text."""
    return _list(sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in shape.key)


def literal(shape: Shape, side: Side, values: Key, like_column: bool = False) -> Composable:
    """Return a key's values as SQL writes them on one side; `like_column` gives them the columns' collations too."""
    form = "coalesce((SELECT {name} FROM {table} WHERE false), {value}::{type})" if like_column else "{value}::{type}"
    return _list(
        sql.SQL(form).format(
            name=sql.Identifier(column.name),
            table=table(shape),
            value=sql.Literal(value),
            type=sql.SQL(column.type_on(side)),
        )
        for column, value in zip(shape.key, values, strict=True)
    )


def between(shape: Shape, side: Side, low: Key | None, high: Key | None) -> Composable:
    """Return the condition that a key is above `low` and at most `high`; None leaves that end open."""
    ends = [
        sql.SQL("({}) {} ({})").format(key(shape), sql.SQL(operator), literal(shape, side, end))
        for operator, end in ((">", low), ("<=", high))
        if end is not None
    ]
    return sql.SQL(" AND ").join(ends) if ends else sql.SQL("true")


def _row(columns: Iterable[tuple[str, bool]]) -> Composable:
    return sql.SQL("record_send(ROW({}))").format(_list(value(name, as_text) for name, as_text in columns))


def _list(items: Iterable[Composable]) -> Composable:
    return sql.SQL(", ").join(items)
