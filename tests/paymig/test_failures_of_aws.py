"""Every call to AWS may fail, and every command may die at it: the next command completes the work.

`pytest -m campaign` ends every command at every call in every way; without it, hypothesis and a random sample do. The
sample's seed is printed; PAYMIG_SEED repeats it.
"""

import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from paymig.aws import stack, weights
from paymig.aws.weights import Weights
from paymig.deploy import record_of
from paymig.errors import AwsError
from paymig.journal.opening import open_journal
from tests.paymig.commands import COMMANDS, SPEC, VERSIONS, struck
from tests.paymig.faults import DEATHS, MODES, REPEATED
from tests.paymig.operators import PATIENCE, another, live
from tests.paymig.small import Place, open_place

WAYS = (*DEATHS, *MODES)
ENDS = tuple(way for way in WAYS if way not in REPEATED)
"""What ends a command, so that it has to be struck again for each of its calls."""
NAME = SPEC.migration.full_name
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.paymig.commands"])


@pytest.fixture(scope="module")
def place():
    with open_place(SPEC.migration) as opened:
        COMMANDS["deploy 0"](opened.aws)
        yield opened


@pytest.fixture
def chance():
    seed = int(os.environ.get("PAYMIG_SEED") or random.randrange(10**6))
    sys.stdout.write(f"seed {seed}: set PAYMIG_SEED to repeat it\n")
    return random.Random(seed)


def strike(place: Place, command: str, index: int | None, way: str) -> bool:
    """Run a command in a process of its own whose call number `index`, or every call, fails.

    Returns:
        False when it makes fewer calls.
    """
    hit = PROCESSES.Event()
    arguments = (place.embedded.endpoint_url, place.embedded.account_id, command, index, way, hit)
    victim = PROCESSES.Process(target=struck, args=arguments)
    victim.start()
    victim.join(PATIENCE)
    allowed = {
        **dict.fromkeys(DEATHS, (-signal.SIGKILL,)),
        **dict.fromkeys(("expired", "denied"), (0, AwsError.exit_code)),
    }
    codes = allowed.get(way, (0,)) if hit.is_set() else (0,)
    assert victim.exitcode in codes, f"{command}, call {index}, {way}: exit code {victim.exitcode}"
    return hit.is_set()


def share_after(command: str, before: int) -> int:
    verb, _, argument = command.partition(" ")
    return {"deploy": before, "rollback": 0}.get(verb, int(argument) if verb == "shift" else 0)


def check_struck(place: Place, command: str, index: int | None, way: str, before: int) -> bool:
    """Strike, look that nothing impossible happened, repeat the command unharmed, look that all of it happened."""
    point = f"{command}, call {index}, {way}"
    wanted = share_after(command, before)
    hit = strike(place, command, index, way)
    assert live(place, SPEC) in (Weights.to_new(before), Weights.to_new(wanted)), point
    aws = another(place)
    COMMANDS[command](aws)
    assert live(place, SPEC) == Weights.to_new(wanted), point
    journal = open_journal(aws, NAME)
    assert not journal.lease().held, point
    entries = list(journal.entries())
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1)), point
    if command.startswith("deploy"):
        check_deployed(aws, VERSIONS[int(command[-1])].memory, point)
    return hit


def check_deployed(aws, memory: int, point: str) -> None:
    root = stack.describe(aws, NAME)
    assert root.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), point
    assert root.protected, point
    function = next(
        resource.physical_id
        for resource in stack.resources(aws, stack.nested(aws, NAME)["Api"])
        if resource.logical_id == "Function"
    )
    found = aws.client("lambda").get_function_configuration(FunctionName=function)
    assert found["MemorySize"] == memory, point


def prepare(place: Place, share: int) -> None:
    weights.write(another(place), record_of(SPEC.migration), Weights.to_new(share))


def check_first_deploy(place: Place, command: str, index: int | None, way: str) -> bool:
    """Strike a deploy into an empty account; the weighted pair begins at the source."""
    point = f"first {command}, call {index}, {way}"
    hit = strike(place, command, index, way)
    assert live(place, SPEC) in (None, Weights(100, 0)), point
    root = stack.describe(place.aws, NAME)
    assert root is None or root.status in ("REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"), point
    aws = another(place)
    COMMANDS[command](aws)
    assert live(place, SPEC) == Weights(100, 0), point
    check_deployed(aws, VERSIONS[0].memory, point)
    return hit


def every_call(check: Callable[[int], bool], name: str) -> None:
    """Check call after call until there is none."""
    index = 0
    while check(index):
        index += 1
    sys.stdout.write(f"{name}: {index} calls\n")
    assert index > 10


CALLS = {"shift": 20, "rollback": 20, "deploy": 90}
"""About as many as a command makes; a strike beyond its last call does nothing."""
TROUBLE = st.tuples(st.sampled_from(sorted(COMMANDS.keys() - {"deploy whole"})), st.floats(0, 1), st.sampled_from(WAYS))


# No shrinking: the troubles of a failure are named, and each deploy takes seconds.
@settings(
    max_examples=4,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(TROUBLE, min_size=1, max_size=5))
def test_in_any_order_and_whatever_fails_the_next_command_completes_and_only_shift_and_rollback_move(place, troubles):
    for command, where, way in troubles:
        before = live(place, SPEC).new
        check_struck(place, command, int(where * CALLS[command.partition(" ")[0]]), way, before)


def test_a_sample_of_calls(place, chance):
    """A few calls of each command, in any way."""
    for number in range(12):
        command, start = [("shift 10", 0), ("rollback", 50), (f"deploy {number // 3 % 2}", 37)][number % 3]
        prepare(place, start)
        check_struck(place, command, chance.randrange(CALLS[command.partition(" ")[0]]), chance.choice(WAYS), start)


@pytest.mark.parametrize("command", ["deploy 0", "deploy whole"])
def test_a_sampled_call_of_a_first_deploy(request, chance, command):
    """Of few stacks, and of all of them with the databases that they speak to."""
    whole = command == "deploy whole"
    for _ in range(1 if whole else 2):
        index, way = chance.randrange(200 if whole else CALLS["deploy"]), chance.choice(WAYS)
        if whole:
            check_first_deploy(request.getfixturevalue("stage"), command, index, way)
        else:
            with open_place(SPEC.migration) as empty:
                check_first_deploy(empty, command, index, way)


@pytest.mark.parametrize("way", REPEATED)
def test_a_command_goes_on_when_each_of_its_calls_fails_once(way):
    with open_place(SPEC.migration) as empty:
        assert check_first_deploy(empty, "deploy 0", None, way)
        for command in ("shift 50", "deploy 1", "shift 10", "rollback"):
            assert check_struck(empty, command, None, way, live(empty, SPEC).new)


@pytest.mark.campaign
@pytest.mark.parametrize("way", ENDS)
@pytest.mark.parametrize(("command", "start"), [("shift 10", 0), ("shift 0", 50), ("rollback", 50)])
def test_every_call_of_a_move(place, command, start, way):
    def check(index: int) -> bool:
        prepare(place, start)
        return check_struck(place, command, index, way, start)

    every_call(check, f"{command}, {way}")


@pytest.mark.campaign
@pytest.mark.parametrize("way", ENDS)
def test_every_call_of_an_update_over_live_weights(place, way):
    COMMANDS["deploy 1"](another(place))

    def check(index: int) -> bool:
        share = (37, 63)[index % 2]  # never what the stack has recorded
        prepare(place, share)
        return check_struck(place, f"deploy {index % 2}", index, way, share)

    every_call(check, f"update, {way}")


@pytest.mark.campaign
@pytest.mark.parametrize("way", ENDS)
def test_every_call_of_a_first_deploy(way):
    def check(index: int) -> bool:
        with open_place(SPEC.migration) as empty:
            return check_first_deploy(empty, "deploy 0", index, way)

    every_call(check, f"first deploy, {way}")
