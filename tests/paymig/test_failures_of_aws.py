"""Every call to AWS may fail, and every command may die at it: the next command completes the work.

`pytest -m campaign` strikes at every call of every command in every way; without it, hypothesis and a sample do.
"""

import multiprocessing
import random
import signal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paymig.aws import stack, weights
from paymig.aws.weights import Weights
from paymig.deploy import record_of
from paymig.errors import AwsError
from paymig.journal.opening import open_journal
from paymig.rehearsal.stage import Stage, open_stage
from tests.paymig.commands import COMMANDS, SPEC, VERSIONS, struck
from tests.paymig.faults import DEATHS, MODES, Faults
from tests.paymig.operators import another, live

WAYS = (*MODES, *DEATHS)
PATIENCE = 120
NAME = SPEC.migration.full_name
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.paymig.commands"])


@pytest.fixture(scope="module")
def stage():
    with open_stage(SPEC.migration) as opened:
        COMMANDS["deploy 0"](opened.aws)
        yield opened


def strike(stage: Stage, command: str, index: int, way: str) -> None:
    """Run a command in a process of its own whose call number `index` fails."""
    arguments = (stage.embedded.endpoint_url, stage.embedded.account_id, command, index, way)
    victim = PROCESSES.Process(target=struck, args=arguments)
    victim.start()
    victim.join(PATIENCE)
    allowed = {
        **dict.fromkeys(DEATHS, (0, -signal.SIGKILL)),  # it ends well when it makes fewer calls
        **dict.fromkeys(("expired", "denied"), (0, AwsError.exit_code)),
    }
    assert victim.exitcode in allowed.get(way, (0,)), f"{command}, call {index}, {way}: exit code {victim.exitcode}"


def share_after(command: str, before: int) -> int:
    verb, _, argument = command.partition(" ")
    return {"deploy": before, "rollback": 0}.get(verb, int(argument) if verb == "shift" else 0)


def check_struck(stage: Stage, command: str, index: int, way: str, before: int) -> None:
    """Strike, look that nothing impossible happened, repeat the command unharmed, look that all of it happened."""
    point = f"{command}, call {index}, {way}"
    wanted = share_after(command, before)
    strike(stage, command, index, way)
    assert live(stage, SPEC) in (Weights.to_new(before), Weights.to_new(wanted)), point
    aws = another(stage)
    COMMANDS[command](aws)
    assert live(stage, SPEC) == Weights.to_new(wanted), point
    journal = open_journal(aws, NAME)
    assert not journal.lease().held, point
    entries = list(journal.entries())
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1)), point
    if command.startswith("deploy"):
        check_deployed(aws, VERSIONS[int(command[-1])].memory, point)


def check_deployed(aws, memory: int, point: str) -> None:
    root = stack.describe(aws, NAME)
    assert root.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), point
    function = next(
        resource.physical_id
        for resource in stack.resources(aws, stack.nested(aws, NAME)["Api"])
        if resource.logical_id == "Function"
    )
    found = aws.client("lambda").get_function_configuration(FunctionName=function)
    assert found["MemorySize"] == memory, point


def calls_of(stage: Stage, command: str) -> int:
    aws = another(stage)
    faults = Faults(aws)
    COMMANDS[command](aws)
    return len(faults.calls)


def prepare(stage: Stage, share: int) -> None:
    weights.write(another(stage), record_of(SPEC.migration), Weights.to_new(share))


TROUBLE = st.tuples(st.sampled_from(sorted(COMMANDS)), st.floats(0, 1), st.sampled_from(WAYS))
CALLS = {"shift": 19, "rollback": 18, "deploy": 200}


@pytest.mark.campaign
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(TROUBLE, min_size=1, max_size=5))
def test_in_any_order_and_whatever_fails_the_next_command_completes_and_only_shift_and_rollback_move(stage, troubles):
    for command, where, way in troubles:
        before = live(stage, SPEC).new
        check_struck(stage, command, int(where * CALLS[command.partition(" ")[0]]), way, before)


def test_a_sample_of_calls(stage):
    """A few calls of each command, in any way; the seed is part of a failure's message."""
    seed = random.randrange(10**6)
    chosen = random.Random(seed)
    for number in range(24):
        command, start = [("shift 10", 0), ("rollback", 50), (f"deploy {number // 3 % 2}", 37)][number % 3]
        prepare(stage, start)
        index = chosen.randrange(CALLS[command.partition(" ")[0]])
        try:
            check_struck(stage, command, index, chosen.choice(WAYS), start)
        except Exception as error:
            error.add_note(f"seed {seed}, number {number}")
            raise


@pytest.mark.campaign
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("command", "start"), [("shift 10", 0), ("shift 0", 50), ("rollback", 50)])
def test_every_call_of_a_move(stage, command, start, way):
    prepare(stage, start)
    for index in range(calls_of(stage, command) + 1):
        prepare(stage, start)
        check_struck(stage, command, index, way, start)


@pytest.mark.campaign
@pytest.mark.parametrize("way", WAYS)
def test_every_call_of_an_update_over_live_weights(stage, way):
    index, count = 0, 1
    while index < count:
        shares = (37, 63)
        prepare(stage, shares[index % 2])  # never what the stack has recorded
        if index == 0:
            count = calls_of(stage, "deploy 1")
        check_struck(stage, f"deploy {index % 2}", index, way, shares[index % 2])
        index += 1
    assert count > 100


def check_first_deploy(index: int, way: str) -> int:
    """Strike a deploy into an empty account; the weighted pair begins at the source."""
    with open_stage(SPEC.migration) as empty:
        strike(empty, "deploy 0", index, way)
        assert live(empty, SPEC) in (None, Weights(100, 0))
        root = stack.describe(empty.aws, NAME)
        assert root is None or root.status in ("REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
        aws = another(empty)
        faults = Faults(aws)
        COMMANDS["deploy 0"](aws)
        assert live(empty, SPEC) == Weights(100, 0)
        check_deployed(aws, VERSIONS[0].memory, f"first deploy, call {index}, {way}")
        return len(faults.calls)


@pytest.mark.parametrize("way", ["denied", "lost", "before", "after"])
def test_a_sampled_call_of_a_first_deploy(way):
    index = random.randrange(150)
    check_first_deploy(index, way)


@pytest.mark.campaign
@pytest.mark.parametrize("way", WAYS)
def test_every_third_call_of_a_first_deploy(way):
    start = random.randrange(3)
    for index in range(start, 200, 3):
        check_first_deploy(index, way)
