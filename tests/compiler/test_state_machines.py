"""The machines' own logic, run by the embedded AWS over a function that does as it is told."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from compiler.components.control import moving
from compiler.spread import comparing
from paymig.embedded.process import EmbeddedAws
from tests.embedded.contract import FUNCTION
from tests.embedded.stack import Stack

# Each call does what the next word of the script says, and writes down what it was called with.
SCRIPTED = """
import json, os

def handler(event, context):
    told = json.loads(event["why"])
    with open(told["file"], "a+") as calls:
        calls.seek(0)
        number = len(calls.readlines())
        calls.write(json.dumps(event) + chr(10))
    word = told["script"][number]
    if word == "die":
        os._exit(1)
    if word[0].isupper():
        raise type(word, (Exception,), {})("it says why")
    return {"finished": word == "done", "writer": "target", "epoch": 1}
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[tuple]:
    patch = pytest.MonkeyPatch()
    patch.setenv("SFN_WAIT_SCALE", "0.001")
    function = {**FUNCTION["F"], "Properties": {**FUNCTION["F"]["Properties"], "Code": {"ZipFile": SCRIPTED}}}
    with EmbeddedAws() as aws:
        stack = Stack(aws, "machines")
        assert stack.apply({**FUNCTION, "F": function}) == "CREATE_COMPLETE", stack.failures()
        client = aws.client("stepfunctions")
        function_arn = aws.client("lambda").get_function(FunctionName=stack.ref("F"))["Configuration"]["FunctionArn"]
        definition = json.dumps(moving()).replace("${Function}", function_arn)
        role = "arn:aws:iam::111122223333:role/any"
        yield client, client.create_state_machine(name="move", definition=definition, roleArn=role)["stateMachineArn"]
    patch.undo()


@pytest.fixture
def play(machine, tmp_path: Path):
    """Run the machine over a script; return how it ended and what the function was called with."""
    client, arn = machine

    def run(*script: str) -> tuple[dict, list[dict]]:
        calls = tmp_path / "calls"
        calls.unlink(missing_ok=True)
        told = {"wish": "switchover", "who": "ada", "why": json.dumps({"file": str(calls), "script": script})}
        execution = client.start_execution(stateMachineArn=arn, input=json.dumps(told))["executionArn"]
        deadline = time.monotonic() + 60
        while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.02)
        return found, [json.loads(line) for line in calls.read_text().splitlines()]

    return run


def acts(calls: list[dict]) -> list[tuple]:
    return [(call["action"], call.get("first")) for call in calls]


def test_it_calls_until_the_wish_is_fulfilled(play):
    found, calls = play("more", "more", "done")
    assert (found["status"], json.loads(found["output"])["writer"]) == ("SUCCEEDED", "target")
    assert acts(calls) == [("advance", True), ("advance", False), ("advance", False)]
    assert {(call["wish"], call["who"]) for call in calls} == {("switchover", "ada")}


@pytest.mark.parametrize("word", ["MoveRefused", "GivenUp", "LeaseHeld"])
def test_what_is_refused_is_not_asked_for_twice(play, word):
    found, calls = play(word)
    assert (found["status"], found["error"]) == ("FAILED", word)
    assert json.loads(found["cause"])["errorMessage"] == "it says why"
    assert len(calls) == 1


def test_a_call_that_died_is_followed_by_another(play):
    """The dead one's lease is waited for; the second call goes on, it does not begin anew."""
    found, calls = play("die", "LeaseHeld", "LeaseHeld", "more", "die", "more", "done")
    assert found["status"] == "SUCCEEDED", found
    assert [first for _, first in acts(calls)] == [True] + [False] * 6


def test_what_may_have_left_a_fence_is_undone_and_fails_with_its_own_cause(play):
    found, calls = play("more", "OperationalError", "die", "LeaseHeld", "done")
    assert (found["status"], found["error"]) == ("FAILED", "OperationalError")
    assert json.loads(found["cause"])["errorMessage"] == "it says why"
    assert [action for action, _ in acts(calls)] == ["advance", "advance", "undo", "undo", "undo"]
    found, calls = play("LeaseLost", "MoveRefused")  # past the point of no return there is nothing to undo
    assert (found["error"], len(calls)) == ("LeaseLost", 2)


def test_a_function_that_always_dies_ends_in_a_failure(play):
    found, calls = play(*["die"] * 20)
    assert found["status"] == "FAILED"
    assert [action for action, _ in acts(calls)] == ["advance"] * 5 + ["undo"] * 4


# Each step does what the next word of its own script says; parts are told apart by their table.
COMPARING = """
import json, os, boto3

def handler(event, context):
    told = event["wish"]
    with open(told["file"], "a") as calls:
        calls.write(json.dumps(event) + chr(10))
    step = event["step"]
    if step == "plan":
        parts = [{"number": number, "table": name} for number, name in enumerate(told["left"])]
        lines = "".join(json.dumps(part) + chr(10) for part in parts)
        boto3.client("s3").put_object(Bucket="comparisons", Key="runs/list", Body=lines.encode())
        return {"run": "r", "left": len(told["left"]), "bucket": "comparisons", "list": "runs/list", "wish": told}
    if step == "gather":
        return {"verdict": "equal", "report": "reports/" + event["execution"]}
    with open(told["file"]) as calls:
        asked = [json.loads(line) for line in calls]
    name = event["part"]["table"]
    word = told["left"][name][sum(one.get("part") == event["part"] for one in asked) - 1]
    if word == "die":
        os._exit(1)
    if word[0].isupper():
        raise type(word, (Exception,), {})("it says why")
    return {"number": event["part"]["number"], "finished": word == "done", "verdict": "equal"}
"""


@pytest.fixture(scope="module")
def comparer() -> Iterator[tuple]:
    patch = pytest.MonkeyPatch()
    patch.setenv("SFN_WAIT_SCALE", "0.001")
    # A call that a busy machine makes slow is not taken for one that died.
    properties = {**FUNCTION["F"]["Properties"], "Code": {"ZipFile": COMPARING}, "Timeout": 120}
    function = {**FUNCTION["F"], "Properties": properties}
    with EmbeddedAws() as aws:
        stack = Stack(aws, "comparers")
        assert stack.apply({**FUNCTION, "F": function}) == "CREATE_COMPLETE", stack.failures()
        aws.client("s3").create_bucket(Bucket="comparisons")
        client = aws.client("stepfunctions")
        function_arn = aws.client("lambda").get_function(FunctionName=stack.ref("F"))["Configuration"]["FunctionArn"]
        definition = json.dumps(comparing()).replace("${Function}", function_arn).replace("${Partition}", "aws")
        role = "arn:aws:iam::111122223333:role/any"
        yield (
            client,
            client.create_state_machine(name="compare", definition=definition, roleArn=role)["stateMachineArn"],
        )
    patch.undo()


@pytest.fixture
def spread(comparer, tmp_path: Path):
    """Run the machine over parts that do as they are told; return how it ended and what was called how often."""
    client, arn = comparer

    def run(**left: list[str]) -> tuple[dict, dict[str, int]]:
        file = tmp_path / "calls"
        file.unlink(missing_ok=True)
        told = json.dumps({"file": str(file), "left": left})
        execution = client.start_execution(stateMachineArn=arn, input=told)["executionArn"]
        deadline = time.monotonic() + 120
        while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.02)
        calls = [json.loads(line) for line in file.read_text().splitlines()]
        return found, dict(Counter(call.get("part", {}).get("table") or call["step"] for call in calls))

    return run


def test_each_part_is_called_until_it_is_finished_and_then_they_are_gathered(spread):
    found, calls = spread(a=["done"], b=["more", "more", "done"], c=["done"])
    assert found["status"] == "SUCCEEDED", found
    assert json.loads(found["output"]) == {"verdict": "equal", "report": f"reports/{found['name']}"}
    assert calls == {"plan": 1, "a": 1, "b": 3, "c": 1, "gather": 1}


def test_where_no_part_is_left_the_results_are_gathered(spread):
    found, calls = spread()
    assert (found["status"], calls) == ("SUCCEEDED", {"plan": 1, "gather": 1})


def test_a_part_that_died_or_lost_its_database_is_tried_again(spread):
    found, calls = spread(a=["die", "OperationalError", "more", "die", "done"])
    assert (found["status"], calls) == ("SUCCEEDED", {"plan": 1, "a": 5, "gather": 1})


@pytest.mark.parametrize(
    ("word", "times"), [("PartOutdated", 1), ("InsufficientPrivilege", 1), ("OperationalError", 5)]
)
def test_a_part_that_cannot_be_compared_ends_it_without_a_report(spread, word, times):
    found, calls = spread(a=[word] * 9)
    assert (found["status"], found["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert calls == {"plan": 1, "a": times}
