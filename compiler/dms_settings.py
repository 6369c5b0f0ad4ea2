"""What a DMS task is told: which tables it moves, how it treats large values, and that it stops at any doubt."""

from typing import Any, Literal

from schemas.migration import Migration

# Its beats tell how far the target is behind, and mark the end of what was written before a fence.
_HEARTBEAT = "paymig.heartbeat"
# DMS's own tables on the source are no part of the payments.
_OWN_TABLES = "awsdms_%"
_STOP = "STOP_TASK"


def table_mappings(migration: Migration, origin: Literal["source", "target"]) -> dict[str, Any]:
    """Selection rules: the spec's patterns and the origin's heartbeat to include, then the patterns to exclude.

    The other side's beats stay where they are: one that is brought back finds its row changed since.
    """
    tables = migration.replication.tables
    schemas = sorted({pattern.partition(".")[0] for pattern in tables.include})
    excluded = [*tables.exclude, *(f"{schema}.{_OWN_TABLES}" for schema in schemas)]
    chosen = [("include", pattern) for pattern in (*tables.include, _HEARTBEAT)]
    chosen += [("exclude", pattern) for pattern in excluded]
    rules = [_rule(number, action, pattern) for number, (action, pattern) in enumerate(chosen, 1)]
    equal = {"filter-operator": "eq", "value": origin}
    rules[len(tables.include)]["filters"] = [
        {"filter-type": "source", "column-name": "side", "filter-conditions": [equal]}
    ]
    return {"rules": rules}


def _rule(number: int, action: str, pattern: str) -> dict[str, Any]:
    schema, _, table = pattern.partition(".")
    return {
        "rule-type": "selection",
        "rule-id": str(number),
        "rule-name": f"{action}-{number}",
        "object-locator": {"schema-name": schema, "table-name": table},
        "rule-action": action,
        "filters": [],
    }


def task_settings(migration: Migration) -> dict[str, Any]:
    """Settings of the task: the schema is there already, every row is compared, nothing is skipped."""
    return {
        "ChangeProcessingDdlHandlingPolicy": {
            "HandleSourceTableAltered": False,
            "HandleSourceTableDropped": False,
            "HandleSourceTableTruncated": True,
        },
        "ControlTablesSettings": {
            "ControlSchema": "awsdms_control",
            "HistoryTableEnabled": True,
            "HistoryTimeslotInMinutes": 5,
            "StatusTableEnabled": True,
            "SuspendedTablesTableEnabled": True,
        },
        "ErrorBehavior": {
            "ApplyErrorDeletePolicy": _STOP,
            "ApplyErrorEscalationPolicy": _STOP,
            "ApplyErrorInsertPolicy": _STOP,
            "ApplyErrorUpdatePolicy": _STOP,
            "DataErrorEscalationPolicy": _STOP,
            "DataErrorPolicy": _STOP,
            "DataTruncationErrorPolicy": _STOP,
            "FailOnNoTablesCaptured": True,
            "FailOnTransactionConsistencyBreached": True,
            "TableErrorEscalationPolicy": _STOP,
            "TableErrorPolicy": _STOP,
        },
        "FullLoadSettings": {
            "CommitRate": 10000,
            "CreatePkAfterFullLoad": False,
            "MaxFullLoadSubTasks": 8,
            "StopTaskCachedChangesApplied": False,
            "StopTaskCachedChangesNotApplied": False,
            "TargetTablePrepMode": "DO_NOTHING",
            "TransactionConsistencyTimeout": 600,
        },
        "Logging": {"EnableLogging": True},
        "TargetMetadata": {
            "BatchApplyEnabled": True,
            "ParallelApplyThreads": 0,
            "SupportLobs": True,
            **_large_objects(migration),
        },
        "ValidationSettings": {"EnableValidation": True, "FailureMaxCount": 1000, "ThreadCount": 5},
    }


def _large_objects(migration: Migration) -> dict[str, Any]:
    spec = migration.replication.large_objects
    size = spec.max // 1024
    whole = {"FullLobMode": True, "LimitedSizeLobMode": False, "LobChunkSize": 64}
    match spec.mode:
        case "limited":
            return {"FullLobMode": False, "LimitedSizeLobMode": True, "LobMaxSize": size}
        case "inline":
            return {**whole, "InlineLobMaxSize": size}
        case "full":
            return {**whole, "InlineLobMaxSize": 0}
