"""From a spec to the engine that it names."""

from __future__ import annotations

from typing import Literal

from paymig.errors import Refused
from runtime_lambdas.runtime.logins import Logins
from runtime_lambdas.runtime.replication.engine import Engine
from runtime_lambdas.runtime.replication.logical import Logical
from schemas.migration import Migration


def engine_for(migration: Migration, logins: Logins, *, stand_in: Literal["logical"] | None = None) -> Engine:
    """Return the engine from source to target; its `reverse()` is the way back.

    Args:
        migration: the spec's values.
        logins: who may log in to both databases, such as `Databases`.
        stand_in: the engine to use instead of the spec's, as a rehearsal does, where there is no DMS to move rows.

    Raises:
        Refused: this machine can't drive the spec's engine.
    """
    tables = migration.replication.tables
    engine = stand_in or migration.replication.engine
    if engine == "logical":
        return Logical(migration.full_name, logins, tables.include, tables.exclude)
    raise Refused(f"the engine {engine} has no driver here", "write `engine: logical` under `replication`")
