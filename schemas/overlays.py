"""Environments: an overlay says what differs from the spec."""

from typing import Any

from schemas.diagnostics import SpecPath
from schemas.positions import Document, Place

DEFAULT = "prod"
"""The environment of a spec that names none."""

NOT_IN_OVERLAY = ("version", "environment", "environments")
"""What an overlay may not change."""


def names(document: Document) -> tuple[str, ...]:
    """Name the environments that have an overlay; one that is no mapping is left to the models to refuse."""
    overlays = document.data.get("environments")
    if not isinstance(overlays, dict):
        return ()
    return tuple(name for name, overlay in overlays.items() if isinstance(overlay, dict))


def apply(document: Document, name: str) -> Document:
    """Merge an overlay over the spec: mappings merge, everything else replaces.

    A value of the overlay is placed where the overlay has it.
    """
    root: SpecPath = ("environments", name)
    overlay = {key: value for key, value in document.data["environments"][name].items() if key not in NOT_IN_OVERLAY}
    positions = dict(document.positions)

    def merge(base: dict[str, Any], over: dict[str, Any], path: SpecPath) -> dict[str, Any]:
        merged = dict(base)
        for key, value in over.items():
            here = (*path, key)
            if isinstance(value, dict) and isinstance(base.get(key), dict):
                merged[key] = merge(base[key], value, here)
            else:
                merged[key] = value
                replace(here)
        return merged

    def replace(path: SpecPath) -> None:
        for old in [written for written in positions if written[: len(path)] == path]:
            del positions[old]
        source = root + path
        for written, place in document.positions.items():
            if written[: len(source)] == source:
                positions[written[len(root) :]] = place

    data = merge(document.data, overlay, ())
    data["environment"] = name
    key = document.positions[root].start
    positions["environment",] = Place(key, key)
    return Document(data, positions, ())
