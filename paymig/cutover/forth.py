"""The way forth of `paymig switchover`: what must hold before a database is touched, the question, the move."""

from __future__ import annotations

from functools import partial

from paymig import approvals
from paymig.aws import weights
from paymig.cutover import driver, in_cloud
from paymig.deploy import record_of
from paymig.errors import Refused
from paymig.operation import Operation
from runtime_lambdas.runtime.journal.approvals import SWITCHOVER, Demand
from runtime_lambdas.switchover.actions import Outcome
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.phases import FORTH


def switch_over(at: Operation, yes: bool, why: str, cloud: bool = False) -> Outcome:
    """Make the target the writer.

    What a former operator left half-done is ended first: no writes wait for traffic, an approval or an answer. Past the
    point of no return of a switchover that means to complete it, and nothing is asked for.

    Raises:
        Refused: it did not move: says why.
        NotApproved: it waits for an approval; no database is fenced.
        NotConfirmed: the operator declined.
    """
    left = driver.state_of(at).left_over
    if left is not None and not cloud and not (left.way == FORTH and left.committed):
        at.console.say(f"A {left.way.verb} stopped in the pause of writes: ending it first")
        driver.run(at, Wish.SWITCHBACK if left.committed else Wish.UNDO, why)
        left = None
    if driver.state_of(at).writer == "target":
        return _move(at, why, cloud, None)
    demand = approvals.demand_of(at.aws, at.spec, at.journal, SWITCHOVER)
    if left is None:
        _demand_traffic(at)
        approvals.require(at.journal, demand)
        budget = at.migration.cutover.switchover.pause_budget.total_seconds()
        question = f"Move the writer of {at.migration.full_name} to the target? Writes pause meanwhile"
        at.console.confirm(f"{question} (at most {budget:g} s).", yes)
    return _move(at, why, cloud, demand)


def _move(at: Operation, why: str, cloud: bool, demand: Demand | None) -> Outcome:
    if cloud:
        return in_cloud.run(at, Wish.SWITCHOVER, why, demand)
    # Somebody may have moved the traffic while the operator thought: under the lease nobody does.
    return driver.run(at, Wish.SWITCHOVER, why, demand=demand, ready=partial(_demand_traffic, at) if demand else None)


def _demand_traffic(at: Operation) -> None:
    wanted = 100 if at.migration.cutover.strategy == "compute-first" else 0
    live = weights.look(at.aws, record_of(at.migration))
    if live is None or live != weights.Weights.to_new(wanted):
        raise Refused(
            f"with `strategy: {at.migration.cutover.strategy}` the new API gets {wanted} % of the traffic when the "
            f"writer moves; now: {live or 'there is no weighted pair'}",
            f"paymig shift --to {wanted}" if wanted else "paymig rollback",
        )
