"""What functions are told in a file beside their code, since a spec may name a thousand tables.

The environment of a function holds 4 KB at most, and is for what is known only when the stacks are deployed.
"""

from collections.abc import Mapping
from typing import Any

from schemas.migration import Migration


def settings(migration: Migration) -> Mapping[str, Mapping[str, Any]]:
    """Return the settings by function; `runtime_lambdas.runtime.settings` reads them."""
    tables = migration.replication.tables
    invariants = [vars(invariant) for invariant in migration.validation.invariants]
    chosen = {"exclude": tables.exclude, "include": tables.include}
    return {
        "switchover": {
            "approval": migration.cutover.writer_approval,
            "engine": migration.replication.engine,
            "invariants": invariants,
            "lag": migration.cutover.gates.replication_lag.total_seconds(),
            "pause_budget": migration.cutover.switchover.pause_budget.total_seconds(),
            "sequence_gap": migration.cutover.switchover.sequence_gap,
            "tables": chosen,
        },
        "validation": {"invariants": invariants, "tables": chosen},
    }
