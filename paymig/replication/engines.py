"""From a spec to the engine that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from paymig.errors import Refused
from runtime_lambdas.runtime.logins import Logins
from runtime_lambdas.runtime.replication.engine import Engine
from runtime_lambdas.runtime.replication.logical import Logical
from schemas.migration import Migration

if TYPE_CHECKING:
    from paymig.aws.session import Aws


def engine_for(
    migration: Migration, logins: Logins, aws: Aws | None = None, *, stand_in: Literal["logical"] | None = None
) -> Engine:
    """Return the engine from source to target; its `reverse()` is the way back.

    Args:
        migration: the spec's values.
        logins: who may log in to both databases, such as `Databases`.
        aws: where the tasks of DMS are; not needed for the logical engine.
        stand_in: the engine to use instead of the spec's, as a rehearsal does, where there is no DMS to move rows.

    Raises:
        Refused: the tasks of DMS do not exist yet.
    """
    tables = migration.replication.tables
    if (stand_in or migration.replication.engine) == "logical":
        return Logical(migration.full_name, logins, tables.include, tables.exclude)
    if aws is None:
        raise TypeError("the engine dms needs AWS")
    from paymig.aws import stack
    from runtime_lambdas.runtime.replication.dms import Dms, Tasks

    root = stack.describe(aws, migration.full_name)
    outputs = root.outputs if root else {}
    if "ReplicationTaskArn" not in outputs:
        raise Refused(f"{migration.full_name} has no DMS task yet", "paymig deploy makes it; it starts nothing")
    tasks = Tasks(outputs["ReplicationTaskArn"], outputs.get("FollowTaskArn", ""), outputs.get("ReverseTaskArn", ""))
    return Dms(migration.full_name, aws.client("dms"), tasks, logins, tables.include, tables.exclude)
