"""From the key of a row that differs to what an operator wants to read about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from runtime_lambdas.runtime.journal.control import SIDES, Side

from . import multiset, rows
from .canonical import Key
from .options import Options
from .report import ColumnDifference, Kind, RowDifference, TableResult
from .rows import Value, Version
from .server import Server
from .shape import Shape

Versions = tuple[Version | None, Version | None]
"""A row on the source and on the target."""


def describe(
    servers: Mapping[Side, Server],
    shape: Shape,
    result: TableResult,
    different: Mapping[Key, Versions],
    options: Options,
) -> None:
    """Count the rows that differ in `result`, and describe the first ones."""
    for versions in different.values():
        kind = _kind(versions)
        setattr(result, kind, getattr(result, kind) + 1)
    wanted = dict(islice(sorted(different.items()), max(0, options.examples - len(result.examples))))
    if not wanted:
        return
    keys = list(wanted)
    if shape.key:
        values = [servers[side].run(rows.values(shape, side, keys, options.show_values)) for side in SIDES]
        result.examples += [_keyed(shape, key, wanted[key], [found.get(key) for found in values]) for key in keys]
    else:
        places = [servers[side].run(multiset.examples(shape, keys, options.show_values)) for side in SIDES]
        result.examples += [_keyless(shape, wanted[key], [found.get(key) for found in places]) for key in keys]


def _keyed(shape: Shape, key: Key, versions: Versions, values: Sequence[list[Value] | None]) -> RowDifference:
    named = {column.name: text for column, text in zip(shape.key, key, strict=True)}
    source, target = values
    columns: list[ColumnDifference] = []
    for number, (name, _) in enumerate(shape.columns):
        ours = None if source is None else source[number]
        theirs = None if target is None else target[number]
        if ours is not None and theirs is not None and ours.hash == theirs.hash:
            continue
        texts = (None if ours is None else ours.text, None if theirs is None else theirs.text)
        if (ours is not None and theirs is not None) or texts != (None, None):
            columns.append(ColumnDifference(name, *texts))
    return RowDifference(_kind(versions), named, columns)


def _keyless(shape: Shape, versions: Versions, places: Sequence[tuple[str, list[Value]] | None]) -> RowDifference:
    copies = tuple(int(version.content) if version is not None else 0 for version in versions)
    more = int(copies[1] > copies[0])
    place, values = places[more] or ("", [])
    columns = [
        ColumnDifference(name, *((None, value.text) if more else (value.text, None)))
        for (name, _), value in zip(shape.columns, values, strict=False)
    ]
    return RowDifference(_kind(versions), {"ctid": place}, columns, (copies[0], copies[1]))


def _kind(versions: Versions) -> Kind:
    source, target = (None if version is None else version.content for version in versions)
    if isinstance(source, int) and isinstance(target, int):
        return "missing" if source > target else "extra"
    if target is None:
        return "missing"
    return "extra" if source is None else "different"
