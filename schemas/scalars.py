"""What an unquoted YAML scalar stands for, by the core schema of YAML 1.2."""

import math
import re

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_DIGITS = 30

UNUSABLE = object()
"""Stands for a number that is infinite, not a number, or absurdly long."""


def resolve(text: str) -> object:
    """Return None, a boolean, a number or the text itself; `UNUSABLE` for a number nobody can use."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_FINITE.fullmatch(text):
        return UNUSABLE
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _MOST_DIGITS else UNUSABLE
    if _BASED.fullmatch(text):
        return int(text, 0) if len(text) <= _MOST_DIGITS else UNUSABLE
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else UNUSABLE
    return text
