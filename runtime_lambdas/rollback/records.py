"""The weighted pair of records: what a rollback changes in it, decided without calling anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]
"""A resource record set, as Route 53 lists it."""

ALL, NONE = 100, 0


class BrokenPair(RuntimeError):
    """The zone does not hold the two weighted records that a rollback changes."""


@dataclass(frozen=True)
class Pair:
    """Which records share the traffic: one name and type, two set identifiers."""

    name: str
    type: str
    old: str
    new: str


def select(records: Iterable[Record], pair: Pair) -> dict[str, Record]:
    """Return the records of the old and of the new side, under the keys "old" and "new".

    Raises:
        BrokenPair: One of them is missing, or a record of this name carries no weight.
    """
    found = {
        record.get("SetIdentifier"): record
        for record in records
        if record["Name"].rstrip(".").lower() == pair.name.rstrip(".").lower() and record["Type"] == pair.type
    }
    sides = {"old": pair.old, "new": pair.new}
    missing = [identifier for identifier in sides.values() if "Weight" not in found.get(identifier, {})]
    if missing:
        raise BrokenPair(
            f"{pair.type} records of {pair.name}: no weighted record {' and no '.join(missing)} "
            f"(found: {', '.join(str(identifier) for identifier in found) or 'none'}). "
            "Restore it with `paymig deploy`, or set the traffic back in Route 53 by hand."
        )
    return {side: found[identifier] for side, identifier in sides.items()}


def weights(records: Mapping[str, Record]) -> dict[str, int]:
    """Return the weights of both sides."""
    return {side: int(record["Weight"]) for side, record in records.items()}


def way_back(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return one batch of changes that sends all traffic to the old side; empty when it already goes there.

    Everything but the weight stays as it was read.
    """
    wanted = {"old": ALL, "new": NONE}
    if weights(records) == wanted:
        return []
    return [
        {"Action": "UPSERT", "ResourceRecordSet": {**records[side], "Weight": weight}}
        for side, weight in wanted.items()
    ]
