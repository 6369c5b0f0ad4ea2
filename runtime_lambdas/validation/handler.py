"""Entry point of the validation: compare, publish what was found, and fail loudly on a difference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import Any

from runtime_lambdas.runtime import aws, database, log, settings, writer
from runtime_lambdas.runtime.comparison import Invariant, NothingToCompare, Options, Patterns, Report

from . import metrics
from .beating import beating
from .place import Busy, Place
from .validate import validate

__all__ = ["Mismatch", "NothingToCompare", "handler"]

_LONGEST = 900.0  # seconds of an invocation, where nobody says
_SPARE = 90.0  # seconds to settle, to publish, and for the queries that are under way
_EXAMPLES = 10


class Mismatch(RuntimeError):
    """Source and target differ: names what does."""


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Compare both databases: `{"full": true}` everything, `{"full": false}` what changed since the last time.

    Invariants are checked either way. What does not fit into one invocation is continued by the next one. Returns
    `{"reports": [...]}`, none while another invocation is at work.

    Raises:
        Mismatch: Something differs, after the report was logged and its numbers published.
        NotConfigured: One of the databases does not exist yet.
        NothingToCompare: No table is selected.
        psycopg2.Error: A database is unreachable or refused a query.
    """
    full = event.get("full", True)
    if not isinstance(full, bool):
        raise TypeError(f"full must be true or false, not {full!r}")
    remaining = _LONGEST if context is None else context.get_remaining_time_in_millis() / 1000
    migration = os.environ["PAYMIG_MIGRATION"]
    place = Place(aws.client("dynamodb"), os.environ["PAYMIG_JOURNAL_TABLE"], migration)
    try:
        with place.held(remaining):
            reports = _run(place, migration, full, remaining - _SPARE)
    except Busy as busy:
        log.info("validation.busy", reason=str(busy))
        return {"reports": []}
    if any(report.verdict == "different" for report in reports):
        raise Mismatch("; ".join(map(_wording, reports)))
    return {"reports": [report.to_json() for report in reports]}


def _run(place: Place, migration: str, full: bool, seconds: float) -> list[Report]:
    publish = partial(metrics.publish, aws.client("cloudwatch"), os.environ["METRIC_NAMESPACE"], migration)
    leader = writer.read().side
    source, target = partial(database.open_side, "source"), partial(database.open_side, "target")
    opens = (source, target) if leader == "source" else (target, source)
    patterns = settings.read("tables")
    options = Options(leader=leader, seconds=max(0.0, seconds), examples=_EXAMPLES)
    reports = []
    with beating(opens[0], leader):
        for report in validate(
            source,
            target,
            Patterns(patterns["include"], patterns["exclude"]),
            [Invariant(**given) for given in settings.read("invariants")],
            place,
            options,
            full=full,
        ):
            reports.append(report)
            log.info("validation.report", **report.to_json())
            publish(metrics.of_report(report))
        with closing(opens[0]()) as here, closing(opens[1]()) as there:
            publish(metrics.of_replication(here, there, leader))
    return reports


def _wording(report: Report) -> str:
    different = [
        f"{table.table} ({table.missing} rows missing, {table.extra} extra, {table.different} different"
        + "".join(f", {each.what} {each.column}".rstrip() for each in table.disagreements)
        + ")"
        for table in report.tables
        if table.verdict == "different"
    ]
    different += [
        f"invariant {each.name} (source {each.source}, target {each.target})"
        for each in report.invariants
        if each.verdict == "different"
    ]
    total = len(report.tables) + len(report.invariants)
    return f"{len(different)} of {total} comparisons differ: " + ", ".join(different[:10])
