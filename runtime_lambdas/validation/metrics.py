"""What the alarms and gates look at: how the last comparison ended, and how far behind replication is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extensions import connection

from runtime_lambdas.runtime.comparison import Report
from runtime_lambdas.runtime.comparison.lag import readable
from runtime_lambdas.runtime.journal.control import Side
from runtime_lambdas.runtime.replication import heartbeat

_UNITS = {"ReplicationLagSeconds": "Seconds", "ReplicationSlotBytes": "Bytes"}


def of_report(report: Report) -> dict[str, float]:
    """Return a comparison's numbers; one that is not finished and found nothing yet has none.

    ValidationMismatches and ValidationUnsettled count tables and invariants; ValidationEqual is 1 where everything was
    seen to be the same, and otherwise 0. ValidationSchemaDifferences counts the objects of the schema that the target
    lacks or has otherwise.
    """
    verdicts = [table.verdict for table in report.tables] + [each.verdict for each in report.invariants]
    different = verdicts.count("different")
    if "unfinished" in verdicts and not different:
        return {}
    found: dict[str, float] = {
        "ValidationMismatches": different,
        "ValidationUnsettled": verdicts.count("unsettled"),
        "ValidationEqual": int(report.verdict == "equal"),
    }
    if report.schema is not None:
        found["ValidationSchemaDifferences"] = len(report.lacking)
    return found


def of_replication(leader: connection, follower: connection, side: Side) -> dict[str, float]:
    """Return how far behind replication is; what can't be told is left out.

    ReplicationLagSeconds is the age of the leader's heartbeat on the follower, by the leader's clock.
    ReplicationSlotBytes is the log that the leader keeps for its logical slots.

    Args:
        leader: The side that is written to.
        follower: The other side.
        side: Which one the leader is.
    """
    found: dict[str, float] = {}
    for opened in (leader, follower):
        opened.set_session(readonly=True, autocommit=True)
    with leader.cursor() as running, follower.cursor() as there:
        if readable(there) and (arrived := heartbeat.read(there, side)) is not None:
            running.execute("SELECT extract(epoch FROM clock_timestamp() - %s)::float8", (arrived.at,))
            [(age,)] = running.fetchall()
            found["ReplicationLagSeconds"] = max(0.0, age)
        running.execute(
            "SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))::float8 FROM pg_replication_slots"
            " WHERE slot_type = 'logical' AND database = current_database() AND NOT temporary"
        )
        [(kept,)] = running.fetchall()
        if kept is not None:
            found["ReplicationSlotBytes"] = kept
    return found


def publish(client: Any, namespace: str, migration: str, values: Mapping[str, float]) -> None:
    """Publish numbers of a migration with a CloudWatch client of boto3."""
    if not values:
        return
    dimensions = [{"Name": "Migration", "Value": migration}]
    client.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": name, "Value": value, "Unit": _UNITS.get(name, "Count"), "Dimensions": dimensions}
            for name, value in values.items()
        ],
    )
