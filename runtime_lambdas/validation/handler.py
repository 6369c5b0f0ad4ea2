"""Entry point of the validation: compare, publish what was found, and fail loudly on a difference."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from psycopg2.extensions import cursor

from runtime_lambdas.runtime import aws, database, log, settings
from runtime_lambdas.runtime.writer import Side

from . import observe
from .observe import Observation
from .settle import Finding, Question, settle

SAME = "same-on-both-sides"


class Mismatch(RuntimeError):
    """Source and target differ: names what does."""


class NothingToCompare(RuntimeError):
    """The patterns select no table on either side."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Compare both databases: `{"full": true}` by every row's content, `{"full": false}` by the number of rows.

    Invariants are checked either way. Returns the report: "full", "mismatches", "unsettled" and the "findings".

    Raises:
        Mismatch: Something differs, after the report was logged and its numbers published.
        NotConfigured: One of the databases does not exist yet.
        NothingToCompare: No table is selected.
        psycopg2.Error: A database is unreachable or refused a query.
    """
    full = event.get("full", True)
    if not isinstance(full, bool):
        raise TypeError(f"full must be true or false, not {full!r}")
    findings = settle([*_tables(full), *_invariants()])
    verdicts = [finding.verdict for finding in findings]
    report = {
        "full": full,
        "mismatches": verdicts.count("different"),
        "unsettled": verdicts.count("unsettled"),
        "findings": [asdict(finding) for finding in findings],
    }
    log.info("validation.report", **report)
    _publish(report)
    if report["mismatches"]:
        raise Mismatch(_wording(findings))
    return report


def _tables(full: bool) -> list[Question]:
    found = {side: _read(side, observe.tables) for side in ("source", "target")}
    patterns = settings.read("tables")
    every = sorted({*found["source"], *found["target"]})
    names = observe.selected(every, patterns["include"], patterns["exclude"])
    if not names:
        raise NothingToCompare(
            f"none of the {len(every)} tables matches include {patterns['include']} without exclude "
            f"{patterns['exclude']}. Correct replication.tables in the migration's spec, as [public.%]."
        )
    return [_table(name, found["source"].get(name), found["target"].get(name), full) for name in names]


def _table(name: str, source: observe.Columns | None, target: observe.Columns | None, full: bool) -> Question:
    title = f"table {name}"
    if source is None or target is None or source.keys() != target.keys():
        shapes = [None if columns is None else sorted(columns) for columns in (source, target)]
        return Question(title, lambda: shapes[0], lambda: shapes[1], _same)
    return Question(
        title,
        partial(_read, "source", observe.digest(name, source) if full else observe.count(name)),
        partial(_read, "target", observe.digest(name, target) if full else observe.count(name)),
        _same,
    )


def _invariants() -> list[Question]:
    return [
        Question(
            f"invariant {given['name']}",
            partial(_read, "source", observe.invariant(given["sql"])),
            partial(_read, "target", observe.invariant(given["sql"])),
            _same if given["expect"] == SAME else partial(_both_are, [[str(given["expect"])]]),
        )
        for given in settings.read("invariants")
    ]


def _same(source: Observation, target: Observation) -> bool:
    return bool(source == target)


def _both_are(expected: Observation, source: Observation, target: Observation) -> bool:
    return bool(source == expected and target == expected)


def _read(side: Side, ask: Callable[[cursor], Observation]) -> Observation:
    def work(running: cursor) -> Observation:
        observe.begin(running)
        return ask(running)

    return database.transact(side, work)


def _publish(report: Mapping[str, Any]) -> None:
    dimensions = [{"Name": "Migration", "Value": os.environ["PAYMIG_MIGRATION"]}]
    values = {"ValidationMismatches": report["mismatches"], "ValidationUnsettled": report["unsettled"]}
    aws.client("cloudwatch").put_metric_data(
        Namespace=os.environ["METRIC_NAMESPACE"],
        MetricData=[
            {"MetricName": name, "Value": value, "Unit": "Count", "Dimensions": dimensions}
            for name, value in values.items()
        ],
    )


def _wording(findings: list[Finding]) -> str:
    different = [finding for finding in findings if finding.verdict == "different"]
    lines = [f"{finding.name}: source {finding.source}, target {finding.target}" for finding in different[:10]]
    return f"{len(different)} of {len(findings)} comparisons differ: " + "; ".join(lines)
