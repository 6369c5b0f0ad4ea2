"""The SQL that every question is made of: a row as bytes, a key as text, a range of keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg2 import sql
from psycopg2.sql import Composable

from runtime_lambdas.runtime.catalogue import Form
from runtime_lambdas.runtime.journal.control import Side

from .shape import Shape

Key = tuple[str, ...]
"""A key's values as text, in the order of the key."""


def table(shape: Shape) -> Composable:
    """Return the table's quoted name, with the alias that everything here calls its columns by."""
    return sql.SQL("{} AS present").format(sql.Identifier(shape.schema, shape.name))


def column(name: str) -> Composable:
    """Return a column."""
    return sql.Identifier("present", name)


def row(shape: Shape) -> Composable:
    """Return a row as bytes: each value in the order of the columns' names, with its type and length before it.

    PostgreSQL's own binary form is exact and the same in every version and under every setting; values that have no
    such form, or several for one value, are taken as text.
    """
    return _row(shape.columns)


def key_row(shape: Shape) -> Composable:
    """Return the key's columns as bytes, as `row` does with all of them."""
    names = {each.name for each in shape.key}
    return _row([each for each in shape.columns if each[0] in names])


_FORMS: Mapping[Form, str] = {
    "binary": "{0}",
    "text": "{0}::text",
    "float": "CASE WHEN {0} = 'NaN' THEN 'NaN' ELSE {0} END",
}


def value(name: str, form: Form) -> Composable:
    """Return one column as it is hashed."""
    return sql.SQL(_FORMS[form]).format(column(name))


def key(shape: Shape) -> Composable:
    """Return the key's columns, as they are ordered and compared."""
    return _list(column(each.name) for each in shape.key)


def key_text(shape: Shape) -> Composable:
    """Return the key's columns as text."""
    return _list(sql.SQL("{}::text").format(column(each.name)) for each in shape.key)


def literal(shape: Shape, side: Side, values: Key, like_column: bool = False) -> Composable:
    """Return a key's values as SQL writes them on one side; `like_column` gives them the columns' collations too."""
    form = "coalesce((SELECT {name} FROM {table} WHERE false), {value}::{type})" if like_column else "{value}::{type}"
    return _list(
        sql.SQL(form).format(
            name=column(each.name),
            table=table(shape),
            value=sql.Literal(text),
            type=sql.SQL(each.type_on(side)),
        )
        for each, text in zip(shape.key, values, strict=True)
    )


def between(shape: Shape, side: Side, low: Key | None, high: Key | None) -> Composable:
    """Return the condition that a key is above `low` and at most `high`; None leaves that end open."""
    ends = [
        sql.SQL("({}) {} ({})").format(key(shape), sql.SQL(operator), literal(shape, side, end))
        for operator, end in ((">", low), ("<=", high))
        if end is not None
    ]
    return sql.SQL(" AND ").join(ends) if ends else sql.SQL("true")


def _row(columns: Iterable[tuple[str, Form]]) -> Composable:
    return sql.SQL("record_send(ROW({}))").format(_list(value(name, form) for name, form in columns))


def _list(items: Iterable[Composable]) -> Composable:
    return sql.SQL(", ").join(items)
