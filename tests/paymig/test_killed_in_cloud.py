"""The process of the deployed switchover function dies in the pause of writes; the state machine goes on without it."""

import json
import os
import signal
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from paymig.journal.opening import open_journal
from runtime_lambdas.runtime.journal.hold import hold
from schemas.load import load
from tests.paymig.held import KEY, held_spec
from tests.paymig.operators import Operator, another, history
from tests.paymig.paying import execute, may_pay, type_

PATIENCE = 240


@pytest.fixture
def file(tmp_path):
    return held_spec(tmp_path)


@pytest.fixture
def spec(file):
    return load(file)


WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)
    return found


def processes(part):
    """Return the running processes of Lambda functions whose name holds this."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and part in function_of(entry):
                found.append(int(entry.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


def function_of(process):
    variables = (process / "environ").read_bytes().split(b"\0")
    names = [each for each in variables if each.startswith(b"AWS_LAMBDA_FUNCTION_NAME=")]
    return names[0].decode() if names else ""


def test_a_function_killed_in_the_pause_leaves_one_writer_that_takes_payments(stage, file, spec, replicating, capsys):
    code, told, said = type_(capsys, file, "switchover", "--in-cloud", "--plan", yes=False)
    assert code == 0, said
    assert [part["what"] for part in told[-1]["expected_pause"]["parts"]] == ["the drain", "the invariants"]
    assert told[-1]["expected_pause"]["fits"] is None
    assert [one["step"] for one in told[-1]["steps"]][:3] == ["check", "prepare", "fence"]

    [name] = [
        one["FunctionName"]
        for one in stage.aws.client("lambda").list_functions()["Functions"]
        if "-Switchover-" in one["FunctionName"]
    ]

    with at_the_fence(stage, spec, replicating) as execution:
        assert not may_pay(replicating, "source", "fenced")
        killed = processes(name)
        assert killed
        for process in killed:
            os.kill(process, signal.SIGKILL)
    found = until(lambda: ended(stage, execution))
    client = stage.aws.client("stepfunctions")
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution)
    failures = [event for page in pages for event in page["events"] if "Failed" in event["type"]]
    assert len(failures) == 1, "the call that died; the next one does not wait for the dead one's lease"
    assert (found["status"], json.loads(found["output"])["writer"]) == ("SUCCEEDED", "target")
    told = [(str(entry.step), entry.kind) for entry in open_journal(stage.aws, spec.migration.full_name).entries()]
    # The pause that the dead one left is never taken up: it is undone, and another one begun.
    pauses = [place for place, each in enumerate(told) if each == ("fence", "intent")]
    undone, moved = told.index(("undo fence", "done")), told.index(("commit", "done"))
    assert len(pauses) == 2
    assert pauses[0] < undone < pauses[1] < moved
    assert [may_pay(replicating, side, f"after-{side}") for side in ("source", "target")] == [False, True]
    assert execute(stage.target_dsn, "SELECT idempotency_key FROM payments ORDER BY 1") == [
        ("after-target",),
        ("before",),
    ]


def test_a_fence_does_not_stay_where_somebody_takes_the_lease_over_in_the_pause(stage, spec, replicating):
    journal = open_journal(another(stage), spec.migration.full_name)
    with at_the_fence(stage, spec, replicating) as execution:
        with hold(journal, "shift", over=True):
            pass
        assert not may_pay(replicating, "source", "fenced")
    found = until(lambda: ended(stage, execution))
    assert (found["status"], found["error"]) == ("FAILED", "LeaseLost")
    assert [may_pay(replicating, side, f"after-{side}") for side in ("source", "target")] == [True, False]
    assert history(stage.aws, spec)[-1] == ("switchover", "undo", "done")


def test_a_way_back_that_the_machine_is_at_is_watched_by_whoever_types_it_again(stage, spec, file, replicating, capsys):
    assert type_(capsys, file, "switchover")[0] == 0
    with at_the_fence(stage, spec, replicating, "switchback", name="switchback-1-1") as execution:
        assert [may_pay(replicating, side, f"fenced-{side}") for side in ("source", "target")] == [False, False]
        operator = Operator(lambda: type_(capsys, file, "rollback", "--in-cloud"))
        until(lambda: "Step Functions is at it" in capsys.readouterr().err or not operator.is_alive())
    code, told, said = operator.end()
    assert (code, told[-1]["writer"]) == (0, "source"), said
    assert ended(stage, execution)["status"] == "SUCCEEDED"
    assert [entry for entry in history(stage.aws, spec) if entry[1] == "undo"] == []
    assert [may_pay(replicating, side, f"back-{side}") for side in ("source", "target")] == [True, False]


@contextmanager
def at_the_fence(stage, spec, databases, wish="switchover", **named):
    """Start an execution that moves the writer, and hold it at its fence for as long as the block runs."""
    outputs = stage.aws.client("cloudformation").describe_stacks(StackName=spec.migration.full_name)["Stacks"][0]
    [machine] = [one["OutputValue"] for one in outputs["Outputs"] if one["OutputKey"] == "SwitchoverStateMachineArn"]
    # As an application: a superuser's session would be found, and the target not be fenced.
    with closing(databases.login("target", "api").open()) as holding, holding.cursor() as cursor:
        holding.autocommit = True
        cursor.execute("SELECT pg_advisory_lock(%s)", (KEY,))

        def waiting() -> bool:
            cursor.execute(WAITING)
            return cursor.fetchone() != (0,)

        told = json.dumps({"wish": wish, "who": stage.aws.caller(), "why": "", "seen": ""})
        started = stage.aws.client("stepfunctions").start_execution(stateMachineArn=machine, input=told, **named)
        execution = started["executionArn"]
        until(lambda: waiting() or ended(stage, execution))
        assert (ended(stage, execution) or {}).get("cause") is None
        yield execution


def ended(stage, execution):
    found = stage.aws.client("stepfunctions").describe_execution(executionArn=execution)
    return None if found["status"] == "RUNNING" else found
