"""A distributed map as Step Functions documents it: items from S3, results to S3, an end with the first failure."""

import json
import time

import pytest

from paymig.embedded.process import EmbeddedAws
from tests.embedded.contract import FUNCTION
from tests.embedded.stack import Stack

BUCKET = "items"
# An item says what becomes of it.
DOES = """
import time

def handler(event, context):
    time.sleep(event.get("seconds", 0))
    if "error" in event:
        raise type(event["error"], (Exception,), {})("it says why")
    return {"number": event["number"]}
"""


@pytest.fixture(scope="module")
def world():
    function = {
        **FUNCTION["F"],
        "Properties": {**FUNCTION["F"]["Properties"], "Code": {"ZipFile": DOES}, "Timeout": 120},
    }
    with EmbeddedAws() as aws:
        stack = Stack(aws, "maps")
        assert stack.apply({**FUNCTION, "F": function}) == "CREATE_COMPLETE", stack.failures()
        arn = aws.client("lambda").get_function(FunctionName=stack.ref("F"))["Configuration"]["FunctionArn"]
        aws.client("s3").create_bucket(Bucket=BUCKET)
        yield aws, arn


def definition(arn, writer=True, **more):
    wanted = {
        "Type": "Map",
        "Label": "Each",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": BUCKET, "Key.$": "$.key"},
        },
        "MaxConcurrency": 2,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Do",
            "States": {"Do": {"Type": "Task", "Resource": arn, "Next": "Done"}, "Done": {"Type": "Pass", "End": True}},
        },
        "End": True,
        **more,
    }
    if writer:
        parameters = {"Bucket": BUCKET, "Prefix": "results"}
        wanted["ResultWriter"] = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": parameters}
    return json.dumps({"StartAt": "Map", "States": {"Map": wanted}})


@pytest.fixture
def begin(world, request):
    """Start an execution over items; return the client and the execution."""
    aws, arn = world

    def run(*items, **more):
        name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]
        lines = "".join(json.dumps({"number": number, **item}) + "\n" for number, item in enumerate(items))
        aws.client("s3").put_object(Bucket=BUCKET, Key=name, Body=lines.encode())
        client = aws.client("stepfunctions")
        role = "arn:aws:iam::111122223333:role/any"
        machine = client.create_state_machine(name=name, definition=definition(arn, **more), roleArn=role)
        execution = client.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps({"key": name}))
        return client, execution["executionArn"]

    return run


def until(condition):
    deadline = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)
    return found


def end(client, execution):
    def ended():
        found = client.describe_execution(executionArn=execution)
        return None if found["status"] == "RUNNING" else found

    return until(ended)


def map_run(client, execution):
    [found] = until(lambda: client.list_map_runs(executionArn=execution)["mapRuns"])
    return client.describe_map_run(mapRunArn=found["mapRunArn"])


def stored(world, key):
    return json.loads(world[0].client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())


def results(world, run, status):
    folder = f"results/{run['mapRunArn'].rpartition(':')[2]}"
    manifest = stored(world, f"{folder}/manifest.json")
    assert (manifest["DestinationBucket"], manifest["MapRunArn"]) == (BUCKET, run["mapRunArn"])
    return [child for file in manifest["ResultFiles"][status] for child in stored(world, file["Key"])]


def test_results_go_to_the_bucket_and_the_state_says_where(world, begin):
    client, execution = begin({}, {}, {})
    found = end(client, execution)
    run = map_run(client, execution)
    folder = run["mapRunArn"].rpartition(":")[2]
    assert json.loads(found["output"]) == {
        "MapRunArn": run["mapRunArn"],
        "ResultWriterDetails": {"Bucket": BUCKET, "Key": f"results/{folder}/manifest.json"},
    }
    done = results(world, run, "SUCCEEDED")
    assert sorted(json.loads(child["Output"])["number"] for child in done) == [0, 1, 2]
    assert results(world, run, "FAILED") == []
    assert (run["itemCounts"]["succeeded"], run["itemCounts"]["total"], run["itemCounts"]["resultsWritten"]) == (
        3,
        3,
        3,
    )


def test_without_a_writer_the_outputs_are_in_the_items_order(begin):
    client, execution = begin({"seconds": 0.3}, {}, {}, writer=False)
    assert json.loads(end(client, execution)["output"]) == [{"number": number} for number in range(3)]


def test_the_first_failure_ends_it_and_its_cause_is_in_the_bucket(world, begin):
    client, execution = begin({"error": "Broken"}, *[{"seconds": 0.2}] * 12)
    found = end(client, execution)
    assert (found["status"], found["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    run = map_run(client, execution)
    assert run["status"] == "FAILED"
    [failed] = results(world, run, "FAILED")
    assert (failed["Error"], json.loads(failed["Cause"])["errorMessage"]) == ("Broken", "it says why")
    assert len(results(world, run, "PENDING")) == run["itemCounts"]["pending"] > 0
    listed = client.list_executions(mapRunArn=run["mapRunArn"], statusFilter="FAILED")["executions"]
    assert [one["executionArn"] for one in listed] == [failed["ExecutionArn"]]


def test_what_is_tolerated_does_not_end_it(begin):
    client, execution = begin({"error": "Broken"}, {}, {}, {}, ToleratedFailurePercentage=25)
    assert end(client, execution)["status"] == "SUCCEEDED"
    counts = map_run(client, execution)["itemCounts"]
    assert (counts["succeeded"], counts["failed"]) == (3, 1)


def test_a_stopped_execution_stops_its_map(begin):
    client, execution = begin(*[{"seconds": 0.2}] * 30)
    until(lambda: map_run(client, execution)["itemCounts"]["succeeded"])
    client.stop_execution(executionArn=execution)
    until(lambda: map_run(client, execution)["status"] == "ABORTED")
    counts = map_run(client, execution)["itemCounts"]
    assert counts["running"] == 0
    assert counts["pending"] > 0
    assert sum(counts[name] for name in ("succeeded", "aborted", "pending")) == 30
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"


def test_what_it_does_not_know_it_says(begin):
    client, execution = begin({}, ItemBatcher={"MaxItemsPerBatch": 2})
    found = end(client, execution)
    assert (found["status"], "ItemBatcher" in found["cause"]) == ("FAILED", True)
