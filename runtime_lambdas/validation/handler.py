"""Entry point of the validation: compare, publish what was found, and fail loudly on a difference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from runtime_lambdas.runtime import aws, database, log, settings, writer
from runtime_lambdas.runtime.comparison import Invariant, NothingToCompare, Options, Patterns, Report
from runtime_lambdas.runtime.comparison.place import Busy, Place

from . import in_parts, metrics
from .beating import beating
from .in_parts import Sides
from .runs import Run, Runs
from .validate import validate
from .wish import Wish

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

    `{"step": "plan"}`, "part" and "gather" are what the comparison's state machine calls: see `in_parts`.

    Raises:
        Mismatch: Something differs, after the report was kept and its numbers published.
        BadWish: The state machine's input is not understood.
        PartOutdated: A part is not what was planned any more.
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
    if "step" in event:
        return _step(event, place, migration, remaining - _SPARE)
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
    sides = _sides(Options(examples=_EXAMPLES, seconds=max(0.0, seconds)))
    reports = []
    with beating(sides.leading, sides.options.leader):
        for report in validate(sides.source, sides.target, _tables(), _invariants(), place, sides.options, full=full):
            reports.append(report)
            log.info("validation.report", **report.to_json())
            _publish(migration, metrics.of_report(report))
        _publish(migration, _replication(sides))
    return reports


def _step(event: Mapping[str, Any], place: Place, migration: str, seconds: float) -> dict[str, Any]:
    wish = Wish.from_input(event["wish"])
    sides = _sides(Options(max_load=wish.max_load / 100, hash=wish.hash, seconds=max(0.0, seconds)))
    runs = Runs(aws.client("s3"), os.environ["COMPARISONS_BUCKET"])
    match event["step"]:
        case "plan":
            tables = _tables()
            chosen = replace(tables, include=wish.tables) if wish.tables else tables
            return {**in_parts.begin(sides, runs, event["execution"], chosen, wish), "wish": event["wish"]}
        case "part":
            return in_parts.one_part(sides, Run(runs, event["run"]), event["part"])
        case "gather":
            report = in_parts.put_together(sides, Run(runs, event["run"]), () if wish.tables else _invariants())
            key = runs.report(event["execution"], report.to_json())
            log.info("comparison.report", verdict=report.verdict, key=key)
            if not wish.tables:
                if report.verdict == "equal":
                    place.note(report)
                _publish(migration, {**metrics.of_report(report), **_replication(sides)})
            if report.verdict != "unfinished":
                runs.point(wish.scope, None)
            if report.verdict == "different":
                raise Mismatch(_wording(report))
            return {"verdict": report.verdict, "report": key}
    raise ValueError(f"a step is plan, part or gather, not {event['step']!r}")


def _sides(options: Options) -> Sides:
    leader = writer.read().side
    return Sides(
        partial(database.open_side, "source"), partial(database.open_side, "target"), replace(options, leader=leader)
    )


def _tables() -> Patterns:
    patterns = settings.read("tables")
    return Patterns(patterns["include"], patterns["exclude"])


def _invariants() -> list[Invariant]:
    return [Invariant(**given) for given in settings.read("invariants")]


def _publish(migration: str, values: Mapping[str, float]) -> None:
    metrics.publish(aws.client("cloudwatch"), os.environ["METRIC_NAMESPACE"], migration, values)


def _replication(sides: Sides) -> dict[str, float]:
    leader = sides.options.leader
    opens = (sides.source, sides.target) if leader == "source" else (sides.target, sides.source)
    with closing(opens[0]()) as here, closing(opens[1]()) as there:
        return metrics.of_replication(here, there, leader)


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
