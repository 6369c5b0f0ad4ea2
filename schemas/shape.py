"""What the models refuse, in words that say where, what was expected and how to mend it."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import groupby
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from schemas.diagnostics import Diagnostic, SpecPath
from schemas.models import field_at, fields_of, model_at, model_in
from schemas.positions import Positions, place_of
from schemas.sections.root import Migration
from schemas.words import describe, dotted, in_yaml, quote

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_SCALARS = {
    "duration": ("PMG107", "a duration with its unit"),
    "size": ("PMG107", "a size with its unit"),
    "percentage": ("PMG107", "a percentage with its sign"),
    "cidr": ("PMG108", "an IPv4 network"),
    "ip_address": ("PMG108", "an IPv4 address"),
}
_BOUNDS = {
    "greater_than_equal": ("PMG105", "must be at least {ge}"),
    "less_than_equal": ("PMG105", "must be at most {le}"),
    "multiple_of": ("PMG105", "must be a multiple of {multiple_of}"),
    "string_too_long": ("PMG106", "must have at most {max_length} characters"),
    "string_too_short": ("PMG106", "must not be empty"),
    "too_short": ("PMG109", "needs at least {min_length} entry"),
}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def diagnose(error: ValidationError, positions: Positions, file: str) -> Iterator[Diagnostic]:
    """Turn pydantic's errors into one diagnostic for each guilty key or value."""
    details = [(_path(found, positions), found) for found in error.errors(include_url=False)]
    mistyped = set[SpecPath]()
    for path, found in details:
        if found["type"] == "extra_forbidden":
            nearest = _nearest(path)
            if nearest is not None:
                mistyped.add((*path[:-1], nearest))
            span = place_of(positions, path).start
            where = dotted(path[:-1]) or "the spec"
            message = f"{where} has no key {quote(str(path[-1]))}"
            yield Diagnostic.at(span, "PMG101", message, path=path, file=file, hint=_hint_for_key(path, nearest))
    for path, group in groupby(details, key=lambda detail: detail[0]):
        errors = [found for _, found in group]
        if errors[0]["type"] == "missing":
            if path not in mistyped:
                yield _missing(path, positions, file)
        elif errors[0]["type"] != "extra_forbidden":
            yield _wrong(path, errors, positions, file)


def _path(error: ErrorDetails, positions: Positions) -> SpecPath:
    """Return the path in the spec; pydantic adds the members of a union and markers for keys."""
    location = error["loc"]
    if error["type"] in ("missing", "extra_forbidden"):
        return location
    path: SpecPath = ()
    for part in location:
        # Below an alias nothing is written, but what the models know is no marker.
        if (*path, part) not in positions and not isinstance(part, int) and field_at((*path, part)) is None:
            break
        path = (*path, part)
    return path


def _missing(path: SpecPath, positions: Positions, file: str) -> Diagnostic:
    field = field_at(path)
    where = dotted(path[:-1]) or "the spec"
    message = f"{where} needs the key {quote(str(path[-1]))}"
    hint = f"for example: {path[-1]}: {in_yaml(_example(field))}" if field else None
    start = place_of(positions, path[:-1]).start
    return Diagnostic.at(start, "PMG102", message, path=path, file=file, hint=hint)


def _wrong(path: SpecPath, errors: list[ErrorDetails], positions: Positions, file: str) -> Diagnostic:
    error = errors[0]
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    place = place_of(positions, path)
    is_key = error["loc"][-1] == "[key]"
    name = dotted(path[:-1] if is_key else path)
    code, message, hint = "PMG106", f"{name} cannot be {describe(value)}", _looks_like(path, context)
    if is_key:
        message = f"{name} cannot have the key {quote(str(path[-1]))}"
    elif len(errors) > 1 or kind in _KINDS:
        code = "PMG103"
        expected = " or ".join(dict.fromkeys(_expected(found) for found in errors))
        message = f"{name}: expected {expected}, found {describe(value)}"
        hint = _boolean(value) if kind == "bool_type" else hint or _as_text(value, expected)
    elif kind == "literal_error":
        code, message = "PMG104", f"{name}: expected {_expected(error)}, found {describe(value)}"
        hint = _nearest_value(value, context) or hint
    elif kind in _SCALARS:
        code, expected = _SCALARS[kind]
        message, hint = f"{name}: expected {expected}, found {describe(value)}", _rewritten(error, path)
    elif kind in _BOUNDS:
        code, bound = _BOUNDS[kind]
        message = f"{name} {bound.format(**context)}" + ("" if code == "PMG109" else f", found {describe(value)}")
    return Diagnostic.at(place.start if is_key else place.value, code, message, path=path, file=file, hint=hint)


def _expected(error: ErrorDetails) -> str:
    if error["type"] == "literal_error":
        return str(error.get("ctx", {}).get("expected")).replace("'", "")
    return _KINDS.get(error["type"], "another value")


def _looks_like(path: SpecPath, context: Mapping[str, Any]) -> str | None:
    field = field_at(path)
    example = _example(field) if field is not None else None
    if isinstance(path[-1], int) and isinstance(example, list):
        example = example[0]
    hints = [f"for example {in_yaml(example)}"] if example is not None else []
    if "pattern" in context:
        hints.append(f"the form is {context['pattern']}")
    return "; ".join(hints) or None


def _as_text(value: object, expected: str) -> str:
    quotable = expected == "text" and isinstance(value, int | float)
    return f'quote it: "{in_yaml(value)}"' if quotable else f"write {expected}"


def _boolean(value: object) -> str | None:
    yes = str(value).lower() in ("yes", "on", "y", "1")
    return f"write {'true' if yes else 'false'}" if str(value).lower() in _BOOLEAN_WORDS else "write true or false"


_BOOLEAN_WORDS = ("yes", "no", "on", "off", "y", "n", "1", "0", "true", "false")


def _nearest_value(value: object, context: Mapping[str, Any]) -> str | None:
    known = re.findall(r"'([^']*)'", str(context.get("expected")))
    nearest = get_close_matches(value, known, n=1) if isinstance(value, str) else []
    return f"did you mean {nearest[0]}?" if nearest else None


def _rewritten(error: ErrorDetails, path: SpecPath) -> str | None:
    """Show the value as it should have been written, where that can be told."""
    kind, value = error["type"], error["input"]
    network = error.get("ctx", {}).get("network")
    if network is not None:
        return f"write {network}"
    match = _NUMBER.match(str(value)) if isinstance(value, str | int | float) else None
    if isinstance(value, bool) or match is None:
        return _looks_like(path, {})
    number = match[0]
    if kind == "duration" and "ten years" not in error["msg"]:
        whole = number.split(".")[0]
        return f"write {whole}s, {whole}m or {whole}h"
    if kind == "size":
        whole = number.split(".")[0]
        return f"write {whole}MiB or {whole}GiB"
    if kind == "percentage" and float(number) <= 100:
        return f"write {number}%"
    return str(error["msg"])


def _nearest(path: SpecPath) -> str | None:
    """Return the key of the same mapping that was probably meant."""
    nearest = get_close_matches(str(path[-1]), _keys(model_at(path[:-1])), n=1)
    return nearest[0] if nearest else None


def _hint_for_key(path: SpecPath, nearest: str | None) -> str:
    if nearest is not None:
        return f"did you mean {nearest}?"
    elsewhere = [dotted(where) or "the top" for where, keys in _sections(Migration, ()) if path[-1] in keys]
    if elsewhere:
        return f"{quote(str(path[-1]))} belongs to {' or '.join(elsewhere)}"
    return "known here: " + ", ".join(_keys(model_at(path[:-1])))


def _sections(model: type[BaseModel], path: SpecPath) -> Iterator[tuple[SpecPath, list[str]]]:
    yield path, _keys(model)
    for key, field in fields_of(model).items():
        inner = model_in(field.annotation)
        if inner is not None:
            yield from _sections(inner, (*path, key))


def _keys(model: type[BaseModel] | None) -> list[str]:
    return list(fields_of(model)) if model is not None else []


def _example(field: FieldInfo) -> Any:
    return field.examples[0] if field.examples else None
