"""The SQL that every question is made of: a row as bytes, a key as text, a range of keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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


def literals(shape: Shape, side: Side, values: Key) -> list[Composable]:
    """Return a key's values, as SQL writes them on one side."""
    return [
        sql.SQL("{}::{}").format(sql.Literal(text), sql.SQL(each.type_on(side)))
        for each, text in zip(shape.key, values, strict=True)
    ]


def between(shape: Shape, side: Side, low: Key | None, high: Key | None) -> Composable:
    """Return the condition that a key is above `low` and at most `high`; None leaves that end open."""
    return within(
        shape,
        None if low is None else literals(shape, side, low),
        None if high is None else literals(shape, side, high),
    )


def within(shape: Shape, low: Sequence[Composable] | None, high: Sequence[Composable] | None) -> Composable:
    """Return the same of ends that are expressions."""
    ends = [
        sql.SQL("({}) {} ({})").format(key(shape), sql.SQL(operator), _list(end))
        for operator, end in ((">", low), ("<=", high))
        if end is not None
    ]
    return sql.SQL(" AND ").join(ends) if ends else sql.SQL("true")


def ordered(shape: Shape, low: Sequence[Composable] | None, high: Sequence[Composable] | None) -> Composable:
    """Return the condition that the ends of a range are in the order that the table's columns have on this server."""
    if low is None or high is None:
        return sql.SQL("true")
    like_columns = (  # what is compared with a column has the column's collation, and so have these
        sql.SQL("coalesce((SELECT {} FROM {} WHERE false), {})").format(column(each.name), table(shape), end)
        for each, end in zip(shape.key, high, strict=True)
    )
    return sql.SQL("({}) > ({})").format(_list(like_columns), _list(low))


def _row(columns: Iterable[tuple[str, Form]]) -> Composable:
    return sql.SQL("record_send(ROW({}))").format(_list(value(name, form) for name, form in columns))


def _list(items: Iterable[Composable]) -> Composable:
    return sql.SQL(", ").join(items)
