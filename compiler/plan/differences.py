"""Where two canonical values differ, leaf by leaf."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from compiler.linked import intrinsic, literal

Path = tuple[str, ...]
"""Property names and list indexes; an entry of a list of keys and values, such as a tag, goes by its key."""

ABSENT = None
"""Stands for a value that one side lacks; no property of a template is null."""

_PAIR = {"Key", "Value"}


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Yield the path of each difference with the value before and after, `ABSENT` where there is none."""
    old, new = keyed(old), keyed(new)
    if _is_tree(old) and _is_tree(new):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from differences(before, after, (*path, str(index)))
    elif _normal(old) != _normal(new):
        yield path, old, new


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every scalar and intrinsic function with its path, the same paths as `differences` gives."""
    value = keyed(value)
    if _is_tree(value):
        for key, entry in value.items():
            yield from leaves(entry, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from leaves(entry, (*path, str(index)))
    else:
        yield path, value


def _is_tree(value: Any) -> bool:
    return isinstance(value, Mapping) and intrinsic(value) is None


def keyed(value: Any) -> Any:
    """Turn tags and attributes into a mapping: their order means nothing, and a key says more than an index."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return value
    if not all(isinstance(entry, Mapping) and entry.keys() == _PAIR for entry in value):
        return value
    if not all(isinstance(entry["Key"], str) for entry in value):
        return value
    keyed = {entry["Key"]: entry["Value"] for entry in value}
    return keyed if len(keyed) == len(value) else value


def _normal(value: Any) -> Any:
    """Write every scalar as CloudFormation reads it: 100 and "100" are the same to it."""
    if isinstance(value, Mapping):
        return {key: _normal(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_normal(entry) for entry in value]
    return value if value is None else literal(value)
