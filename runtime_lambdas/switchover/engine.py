"""The engine of replication that a deployed function drives."""

from __future__ import annotations

import os
from typing import Literal

from runtime_lambdas.runtime import aws
from runtime_lambdas.runtime.logins import Logins
from runtime_lambdas.runtime.replication.dms import Dms, Tasks
from runtime_lambdas.runtime.replication.engine import Engine
from runtime_lambdas.runtime.replication.logical import Logical

from .settings import Settings


def engine(kind: Literal["dms", "logical"], settings: Settings, logins: Logins) -> Engine:
    """Return the engine from source to target; the stacks tell the function which tasks DMS has."""
    if kind == "logical":
        return Logical(settings.migration, logins, settings.include, settings.exclude)
    tasks = Tasks(*(os.environ[f"DMS_{which}_ARN"] for which in ("LOAD", "FOLLOW", "BACK")))
    return Dms(settings.migration, aws.client("dms"), tasks, logins, settings.include, settings.exclude)
