"""Moving the writer: by this process where it reaches both databases, or by the function inside the VPC."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from paymig.approvals import waiting
from paymig.aws.functions import ask_switchover
from paymig.cutover import expected, plan, traffic
from paymig.cutover.view import MoveView
from paymig.databases import Databases as Logins
from paymig.operation import Operation
from paymig.replication.engines import engine_for
from paymig.replication.words import worded
from runtime_lambdas.runtime.comparison import Invariant
from runtime_lambdas.runtime.comparison.place import Place
from runtime_lambdas.runtime.journal.approvals import Demand, Rule
from runtime_lambdas.runtime.writer import Side
from runtime_lambdas.switchover import service
from runtime_lambdas.switchover.actions import Event, Outcome
from runtime_lambdas.switchover.databases import Databases
from runtime_lambdas.switchover.decide import Finished, Wish, decide
from runtime_lambdas.switchover.history import State, fold
from runtime_lambdas.switchover.measure import Measured
from runtime_lambdas.switchover.phases import BACK, FORTH
from runtime_lambdas.switchover.settings import Settings
from schemas.migration import Migration
from schemas.units import format_duration

WISHED: Mapping[Wish, Side] = {Wish.SWITCHOVER: FORTH.new, Wish.SWITCHBACK: BACK.new}
"""The side that becomes the writer."""


def settings_of(migration: Migration) -> Settings:
    """Read from the spec what a move needs."""
    tables, cutover = migration.replication.tables, migration.cutover
    return Settings(
        migration=migration.full_name,
        include=tables.include,
        exclude=tables.exclude,
        sequence_gap=cutover.switchover.sequence_gap,
        pause_budget=cutover.switchover.pause_budget.total_seconds(),
        lag=cutover.gates.replication_lag.total_seconds(),
        invariants=[Invariant(each.name, each.sql, each.expect) for each in migration.validation.invariants],
    )


def state_of(at: Operation) -> State:
    """Read where the writer stands."""
    return fold(at.journal.entries())


def show_plan(at: Operation, cloud: bool = False) -> None:
    """Print what a switchover would do; change nothing.

    Args:
        at: whose.
        cloud: have the function measure at the databases, not this machine.
    """
    entries = list(at.journal.entries())
    state = fold(entries)
    planned = plan.steps(entries, quick=at.migration.replication.engine != "dms", follows=_follows(at, cloud))
    pause: expected.Expected | None = None
    approval: Rule = "none"
    if plan.fences(planned):
        if cloud:
            measured = Measured(**ask_switchover(at.aws, at.migration.full_name, {"action": "measure"}))
        else:
            with worded(), _databases(at) as (databases, _):
                measured = databases.measure(FORTH)
        timed, budget = expected.last_timed(entries), settings_of(at.migration).pause_budget
        pause = expected.expect(measured, _place(at).pace(), timed, budget)
        approval = at.migration.cutover.writer_approval
    at.console.result(plan.to_json(planned, pause, approval, state), plan.render(planned, pause, approval, state))


def _follows(at: Operation, cloud: bool) -> plan.Follows | None:
    if (turn := traffic.turn_to(at, "target")) is None:
        return None
    return plan.Follows(turn.record.name, turn.before, format_duration(at.migration.routing.ttl), at_once=not cloud)


def run(
    at: Operation,
    wish: Wish,
    why: str,
    *,
    accept_loss: int | None = None,
    demand: Demand | None = None,
    over: bool = False,
    ready: Callable[[], None] | None = None,
) -> Outcome:
    """Move the writer, and show it.

    Args:
        at: whose.
        wish: what should be true at the end.
        why: the operator's words.
        accept_loss: rows that the operator gives up, on a way back without replication.
        demand: the approval that a switchover waits for.
        over: take the lease from a living holder, too.
        ready: as of `service.move`.

    Raises:
        Refused: it did not move: says why.
        NotApproved: the switchover waits for an approval.
    """
    if wish in WISHED and (outcome := fulfilled(at, wish, why)) is not None:
        return outcome
    with (
        waiting(),
        worded(),
        _databases(at) as (databases, settings),
        MoveView(at.console, settings.pause_budget if accept_loss is None else math.inf) as shown,
    ):
        return service.move(
            at.journal,
            databases,
            wish,
            budget=settings.pause_budget,
            why=why,
            accept_loss=accept_loss,
            demand=demand,
            tell=partial(_show, at, shown),
            over=over,
            ready=ready,
            follow=partial(traffic.follow, at, WISHED[wish], shown=shown) if wish in WISHED else None,
        )


def fulfilled(at: Operation, wish: Wish, why: str) -> Outcome | None:
    """Where nothing is left of a move, have the traffic follow it, which takes neither database; else return None."""
    entries = list(at.journal.entries())
    if not isinstance(verdict := decide(entries, wish), Finished):
        return None
    if wish in WISHED:
        traffic.follow_later(at, WISHED[wish], why)
    return Outcome(verdict.writer, fold(entries).epoch, None)


def loss(at: Operation) -> int:
    """Count the rows on the target that the source does not have as they are."""
    with _databases(at) as (databases, _):
        return databases.loss(BACK)


def finish(at: Operation, outcome: Outcome) -> None:
    """Print how a move ended."""
    pause = "" if outcome.pause is None else f"; writes were paused for {outcome.pause:.3f} s"
    at.console.result(
        {"writer": outcome.writer, "epoch": outcome.epoch, "pause": outcome.pause},
        f"The {outcome.writer} is the writer, in epoch {outcome.epoch}{pause}.",
    )


@contextmanager
def _databases(at: Operation) -> Iterator[tuple[Databases, Settings]]:
    settings = replace(settings_of(at.migration), since=_place(at).cut)
    logins = Logins(at.aws, at.spec)
    databases = Databases(logins, engine_for(at.migration, logins, at.aws), settings)
    try:
        yield databases, settings
    finally:
        databases.close()


def _place(at: Operation) -> Place:
    return Place(at.aws.client("dynamodb"), at.journal.table, at.migration.full_name)


def _show(at: Operation, shown: MoveView, event: Event) -> None:
    at.console.event({"event": "step", "step": str(event.step), "what": event.what, "pause": event.pause})
    if event.what == "begins":
        shown.begins(event.step, event.pause)
    else:
        shown.ended(event.step, event.what, event.seconds, event.pause)
