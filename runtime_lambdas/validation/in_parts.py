"""A full comparison that a state machine spreads over many invocations: plan it, compare a part, gather the results.

Each step may be repeated. A part whose result stands in S3 is not compared again, not even by a later execution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from runtime_lambdas.runtime import log
from runtime_lambdas.runtime.catalogue_diff import diff_catalogues
from runtime_lambdas.runtime.comparison import Invariant, Options, Patterns, Report, compare_part, gather, plan
from runtime_lambdas.runtime.comparison.invariants import check
from runtime_lambdas.runtime.comparison.parts import over
from runtime_lambdas.runtime.comparison.report import TableResult
from runtime_lambdas.runtime.comparison.run import servers
from runtime_lambdas.runtime.comparison.session import Open

from .beating import beating
from .runs import Run, Runs
from .wish import Wish


@dataclass(frozen=True)
class Sides:
    """The two databases.

    Attributes:
        source: opens a connection to the source.
        target: the same for the target.
        options: how to compare, `seconds` being those of this invocation.
    """

    source: Open
    target: Open
    options: Options

    @property
    def leading(self) -> Open:
        """Opens a connection to the side that is written to."""
        return self.source if self.options.leader == "source" else self.target


def begin(sides: Sides, runs: Runs, execution: str, tables: Patterns, wish: Wish) -> dict[str, Any]:
    """Plan an execution's work: what an earlier one left of the same comparison, else all of it.

    Returns:
        The run; and how many parts are left, and where the list of them is, for the map to read.

    Raises:
        NothingToCompare: No table is selected.
        psycopg2.Error: A database is unreachable or refused a query.
    """
    run = runs.under_way(wish.scope)
    known = run.plan() if run is not None else None
    planned = plan(sides.source, sides.target, tables, sides.options, wish.rows, known)
    if run is None or planned is not known:
        run = Run(runs, execution)
        run.save_plan(planned)
        runs.point(wish.scope, run)
    done = run.done()
    left = [{"number": number, **part} for number, part in enumerate(planned["parts"]) if number not in done]
    log.info("comparison.planned", run=run.name, parts=len(planned["parts"]), left=len(left))
    return {
        "run": run.name,
        "parts": len(planned["parts"]),
        "left": len(left),
        "bucket": runs.bucket,
        "list": run.leave(execution, left),
    }


def one_part(sides: Sides, run: Run, part: Mapping[str, Any]) -> dict[str, Any]:
    """Compare one part, or go on with it.

    Returns:
        `{"number": ..., "finished": ..., "verdict": ...}`; not finished where the invocation's time was too short.

    Raises:
        PartOutdated: It is not what was planned any more.
        psycopg2.Error: A database is unreachable or refused a query.
    """
    number = part["number"]
    result = run.result(number)
    if result is None:
        with beating(sides.leading, sides.options.leader):
            result = compare_part(sides.source, sides.target, part, sides.options, kept=run.progress(number))
        if over(TableResult.from_json(result)):
            run.save_result(number, result)
        log.info("comparison.part", run=run.name, number=number, table=result["table"], verdict=result["verdict"])
    return {"number": number, "finished": over(TableResult.from_json(result)), "verdict": result["verdict"]}


def put_together(sides: Sides, run: Run, invariants: Sequence[Invariant]) -> Report:
    """Put the results of all parts together, and check the invariants and the schemas.

    A part without a result makes its table unfinished, and the report never equal.

    Raises:
        LookupError: The plan is gone.
        psycopg2.Error: A database is unreachable or refused a query.
    """
    planned = run.plan()
    if planned is None:
        raise LookupError(f"the plan of {run.name} is gone from the bucket: start the comparison again")
    results = [run.result(number) for number in range(len(planned["parts"]))]
    report = gather(planned, [result for result in results if result is not None], sides.options)
    with beating(sides.leading, sides.options.leader), servers(sides.source, sides.target, sides.options) as both:
        checked = check(*both, invariants, sides.options)
    with (
        closing(sides.source()) as ours,
        closing(sides.target()) as theirs,
        ours.cursor() as here,
        theirs.cursor() as there,
    ):
        return replace(report, invariants=checked, schema=diff_catalogues(here, there))
