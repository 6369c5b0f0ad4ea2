"""Canonical values as short text for people."""

import json
from collections.abc import Mapping
from typing import Any

from compiler.linked import intrinsic, literal

_WIDTH = 60
_BEFORE = 20


def worded(value: Any) -> str:
    """Return a value on one line; references as `${Network/Vpc}`."""
    match intrinsic(value):
        case "Ref", str(place):
            return f"${{{place}}}"
        case "Fn::GetAtt", [str(place), str(attribute)]:
            return f"${{{place}.{attribute}}}"
        case "Fn::Join", ["", list(parts)]:
            return "".join(worded(part) for part in parts)
        case _:
            if isinstance(value, Mapping | list):
                return json.dumps(value, sort_keys=True, ensure_ascii=False)
            return " ".join(literal(value).split())


def entries(value: Any) -> list[str] | None:
    """Return the entries of a list, or of a text of entries with commas between; None for any other value."""
    match intrinsic(value):
        case "Fn::Join", ["", list(parts)] if parts[1::2] == [","] * (len(parts) // 2):
            return [worded(part) for part in parts[::2]]
        case _:
            return [worded(entry) for entry in value] if isinstance(value, list) else None


def shortened(old: Any, new: Any) -> tuple[str, str]:
    """Return two values as text, each cut to where they differ when it is long."""
    before, after = worded(old), worded(new)
    same = next(
        (index for index, (one, other) in enumerate(zip(before, after, strict=False)) if one != other),
        min(len(before), len(after)),
    )
    start = max(0, same - _BEFORE) if max(len(before), len(after)) > _WIDTH else 0
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    end = start + _WIDTH
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
