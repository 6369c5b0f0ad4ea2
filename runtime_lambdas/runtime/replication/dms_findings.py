"""What DMS says of tables and of its tasks, in the terms of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runtime_lambdas.runtime.replication.dms_api import Moves, State
from runtime_lambdas.runtime.replication.engine import TableState

Statistics = Mapping[str, Mapping[str, Any]]
"""What DMS says of each table, by "schema.table"."""

_STATES: Mapping[str, TableState] = {
    "before load": "waiting",
    "full load": "loading",
    "table is being reloaded": "loading",
    "table completed": "replicating",
}
_DIFFER = ("Mismatched records", "Suspended records", "Table error", "Error")


def by_table(statistics: Iterable[Mapping[str, Any]]) -> Statistics:
    """Return what DMS says by the table it says it of."""
    return {f"{one['SchemaName']}.{one['TableName']}": one for one in statistics}


def states(statistics: Statistics, loads: bool) -> dict[str, tuple[TableState, int]]:
    """Return each table's state and its loaded rows.

    Args:
        statistics: of the direction's task.
        loads: whether it loads the tables; nothing is loaded from a place, whatever DMS calls it.
    """
    known: dict[str, tuple[TableState, int]] = {}
    for name, one in statistics.items():
        state = _state(one)
        known[name] = ("replicating" if state != "failed" and not loads else state, int(one.get("FullLoadRows", 0)))
    return known


def suspended(statistics: Statistics) -> list[str]:
    """Return the tables that DMS follows no longer, though its task goes on: an error suspended them."""
    return sorted(f"{name} ({one.get('TableState')})" for name, one in statistics.items() if _state(one) == "failed")


def unloaded(statistics: Statistics) -> list[str]:
    """Return the tables that DMS has yet to load before it follows them."""
    return sorted(
        f"{name} ({one.get('TableState')})"
        for name, one in statistics.items()
        if _state(one) not in ("failed", "replicating")
    )


def problems(what: Moves, state: State, statistics: Statistics) -> list[str]:
    """Say what DMS itself found wrong with a task and its tables."""
    found = []
    if state.failure or state.status == "failed":
        found.append(f"DMS stopped {what.arn}: {state.failure or 'it does not say why'}")
    for name, one in statistics.items():
        if _state(one) == "failed":
            found.append(f"DMS says of {name}: {one.get('TableState')}.")
        elif one.get("FullLoadErrorRows"):
            found.append(f"DMS could not load {one['FullLoadErrorRows']} rows of {name}.")
        elif one.get("ValidationState") in _DIFFER:
            count = one.get("ValidationFailedRecords", 0)
            found.append(f"DMS's own validation says of {name}: {one['ValidationState']}, {count} rows differ.")
    return found


def _state(one: Mapping[str, Any]) -> TableState:
    return _STATES.get(str(one.get("TableState", "")).lower(), "failed")
