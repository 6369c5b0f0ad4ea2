"""Moving the writer by the state machine in AWS: started from here, watched from here, and not dependent on here."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count

from botocore.exceptions import ClientError

from paymig.approvals import NotApproved
from paymig.aws import machines
from paymig.aws.session import code_of
from paymig.cutover import driver, traffic
from paymig.cutover.back import PLAIN
from paymig.cutover.view import MoveView
from paymig.errors import Refused
from paymig.journal.unlock import end
from paymig.operation import Operation
from runtime_lambdas.runtime.journal.approvals import Demand
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.journal.lease import LeaseLost
from runtime_lambdas.switchover.actions import Outcome
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.phases import PAUSE, Step

_OUTPUT = "SwitchoverStateMachineArn"
_EVERY = 1.0  # seconds between two looks


def run(at: Operation, wish: Wish, why: str, demand: Demand | None = None) -> Outcome:
    """Have the writer moved, and watch it. An execution that somebody started already for this is watched, too.

    Args:
        at: whose.
        wish: what should be true at the end.
        why: the operator's words.
        demand: the approval that a switchover waits for.

    Raises:
        Refused: it did not move: says why; or there is no state machine yet.
        NotApproved: the switchover waits for an approval.
    """
    before = max((entry.sequence for entry in at.journal.entries()), default=-1)
    if (outcome := driver.fulfilled(at, wish, why)) is not None:
        return outcome
    _end_the_lease_of_the_dead(at, why)
    execution = _start(at, wish, why, demand.digest if demand else "")
    budget = at.migration.cutover.switchover.pause_budget.total_seconds()
    try:
        with MoveView(at.console, budget) as shown:
            for entry in _follow(at, execution, before):
                _show(at, shown, entry)
    except KeyboardInterrupt:
        at.console.say("Stopped watching; the move goes on in AWS. The same command watches it again.")
        raise
    # However the execution ended: what fails once the new writer is open would leave the clients with the old one.
    try:
        outcome = _outcome(at, execution, before, wish)
    except Exception:
        try:
            _follow_writer(at, wish, why)
        except Exception as error:  # how the move ended is the news
            at.console.say(f"Whether the traffic is at the writer is not known (paymig status): {error}")
        raise
    _follow_writer(at, wish, why)
    return outcome


def _follow_writer(at: Operation, wish: Wish, why: str) -> None:
    if wish in driver.WISHED:
        traffic.follow_later(at, driver.WISHED[wish], why)


def _end_the_lease_of_the_dead(at: Operation, why: str) -> None:
    """Do here what the function cannot: only this machine knows that a process of its own has ended."""
    lease = at.journal.lease()
    if lease is not None and lease.held and lease.place.is_gone():
        with suppress(LeaseLost):  # to somebody who lives: the machine says so
            end(at.journal, lease, why)


def _start(at: Operation, wish: Wish, why: str, seen: str = "") -> str:
    """Start an execution, unless one for the same wish in the same epoch is running; return its ARN.

    Names are what makes it one: `switchover-0-1` is the first to move the writer out of epoch 0. The next number is
    taken only where that one has ended.
    """
    machine = machines.outputs(at.aws, at.migration.full_name, _OUTPUT)[_OUTPUT]
    client = at.aws.client("stepfunctions")
    told = json.dumps({"who": at.aws.caller(), "why": why, "wish": str(wish), "seen": seen})
    epoch = driver.state_of(at).epoch
    for number in count(1):
        name = f"{wish}-{epoch}-{number}"
        try:
            execution: str = client.start_execution(stateMachineArn=machine, name=name, input=told)["executionArn"]
        except ClientError as error:
            if code_of(error) != "ExecutionAlreadyExists":
                raise
            execution = machines.execution_of(machine, name)
            if client.describe_execution(executionArn=execution)["status"] != "RUNNING":
                continue
        at.console.say(f"Step Functions is at it: {execution}")
        return execution
    raise AssertionError("the numbers do not end")


def _follow(at: Operation, execution: str, after: int) -> Iterator[Entry]:
    """Yield what is written to the journal until the execution has ended."""
    client = at.aws.client("stepfunctions")
    running = True
    while running:
        # In this order: what the execution wrote before it ended is read after its end was seen.
        running = client.describe_execution(executionArn=execution)["status"] == "RUNNING"
        for entry in _entries(at, after):
            after = entry.sequence
            yield entry
        if running:
            time.sleep(_EVERY)


def _outcome(at: Operation, execution: str, before: int, wish: Wish) -> Outcome:
    found = at.aws.client("stepfunctions").describe_execution(executionArn=execution)
    if found["status"] != "SUCCEEDED":
        kind = NotApproved if found.get("error") == NotApproved.__name__ else Refused
        hint = f"paymig history shows the steps; the execution is {execution}"
        raise kind(machines.why(found), f"{hint}; {PLAIN}" if wish is Wish.SWITCHBACK else hint)
    answer = json.loads(found["output"])
    pauses = [entry.evidence.get("pause") for entry in _entries(at, before) if _opened(entry)]
    return Outcome(answer["writer"], answer["epoch"], pauses[-1] if pauses else None)


def _entries(at: Operation, after: int) -> list[Entry]:
    return [entry for entry in at.journal.entries() if entry.sequence > after]


def _opened(entry: Entry) -> bool:
    return (entry.step, entry.kind) == (Step.OPEN, "done")


def _show(at: Operation, shown: MoveView, entry: Entry) -> None:
    pause = entry.evidence.get("pause")
    at.console.event({"event": "step", "step": entry.step, "what": entry.kind, "pause": pause})
    if entry.kind != "intent":
        shown.ended(entry.step, entry.kind, pause=pause)
    elif entry.step == Step.FENCE:  # by the clocks of two machines; the rest of a pause is intended at the same moment
        shown.begins(entry.step, max(0.0, (datetime.now(UTC) - entry.time).total_seconds()))
    elif entry.step not in PAUSE:
        shown.begins(entry.step)
