"""The state machine that compares, in the embedded AWS, between two real servers, by the deployed function."""

import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from paymig.aws import machines
from paymig.cli import main
from paymig.journal.opening import open_journal
from runtime_lambdas.runtime.comparison import Cut
from runtime_lambdas.runtime.comparison.place import Place
from schemas.load import load
from tests.paymig.conftest import SPECS
from tests.paymig.paying import execute

FILE = SPECS / "logical-vpn.yaml"
NAME = load(FILE).migration.full_name
FILL = """
INSERT INTO payments (id, idempotency_key, request_digest, merchant, amount, currency, status)
SELECT md5(i::text)::uuid, 'k' || i, 'd', 'Zoë', i, 'EUR', 'captured' FROM generate_series(1, 1000) i
"""


@pytest.fixture
def spec():
    return load(FILE)


@pytest.fixture
def filled(stage, replicating):
    """Both sides hold a thousand payments and one."""
    execute(stage.source_dsn, FILL)
    deadline = time.monotonic() + 120
    while execute(stage.target_dsn, "SELECT count(*) FROM payments") != [(1001,)]:
        assert time.monotonic() < deadline, "replication does not bring them"
        time.sleep(0.1)
    return stage


def outputs(stage):
    return machines.outputs(stage.aws, NAME, "ComparisonStateMachineArn", "ComparisonBucket")


def start(stage, **wish):
    """Start an execution as the console does."""
    machine = outputs(stage)["ComparisonStateMachineArn"]
    client = stage.aws.client("stepfunctions")
    return client.start_execution(stateMachineArn=machine, input=json.dumps(wish))["executionArn"]


def compare(capsys, *words):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(FILE), "--in-cloud", "--format", "json", *words])
    said = capsys.readouterr()
    return ended.value.code, json.loads(said.out) if said.out else None, said.err


def parts(stage, execution):
    """Return how the parts ended that an execution did."""
    client = stage.aws.client("stepfunctions")
    [run] = client.list_map_runs(executionArn=execution)["mapRuns"]
    return client.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]


def wait_for(condition):
    deadline = time.monotonic() + 300
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)
    return found


def table(report, name):
    return next(each for each in report["tables"] if each["table"] == name)


def test_from_equal_to_different(filled, capsys):
    for dsn in (filled.source_dsn, filled.target_dsn):
        execute(dsn, "CREATE TABLE notes (text text); GRANT SELECT ON notes TO PUBLIC")
        execute(dsn, "INSERT INTO notes SELECT i % 10 FROM generate_series(1, 100) i")
    started = start(filled, rows=100)
    code, report, said = compare(capsys)
    assert code == 0, said
    assert started in said  # it watched what ran already
    assert (report["verdict"], report["mode"], report["schema"]) == ("equal", "full", [])
    assert (table(report, "public.payments")["rows_source"], table(report, "public.payments")["chunks"]) == (1001, 11)
    assert table(report, "public.notes")["rows_target"] == 100  # it has no key: one part is all of it
    assert parts(filled, started)["succeeded"] == 11 + len(report["tables"]) - 1
    journal = open_journal(filled.aws, NAME)
    assert Place(filled.aws.client("dynamodb"), journal.table, NAME).cut() == Cut.from_json(report["cut"])
    assert published(filled) == (1, 0)

    [(key,)] = execute(filled.source_dsn, "SELECT id::text FROM payments ORDER BY id OFFSET 500 LIMIT 1")
    execute(filled.target_dsn, f"UPDATE payments SET merchant = 'forged' WHERE id = '{key}'")
    execute(filled.target_dsn, "DELETE FROM notes WHERE ctid = '(0,7)'")
    start(filled, rows=100)
    code, report, said = compare(capsys)
    assert code == 8, said
    payments = table(report, "public.payments")
    assert (payments["different"], payments["missing"], payments["extra"]) == (1, 0, 0)
    assert [(row["key"], [each["name"] for each in row["columns"]]) for row in payments["examples"]] == [
        ({"id": key}, ["merchant"])
    ]
    assert table(report, "public.notes")["missing"] == 1
    assert "forged" not in json.dumps(report)
    assert published(filled) == (2, 2)

    code, report, said = compare(capsys, "--table", "public.refunds", "--max-load", "50", "--sha256")
    assert (code, [each["table"] for each in report["tables"]], report["invariants"]) == (0, ["public.refunds"], [])
    assert wish(filled, said) == {"tables": ["public.refunds"], "max_load": 50, "hash": "sha256"}
    assert published(filled) == (2, 2)  # a part of the tables says nothing about all of them
    code, _, said = compare(capsys, "--snapshot")
    assert (code, "goes without --snapshot" in said) == (3, True)
    code, _, said = compare(capsys, "--table", "nowhere.%")
    assert (code, "NothingToCompare: no table on either side" in said) == (1, True)


def wish(stage, said):
    """Return the input of the execution that a command said it watched."""
    [execution] = [line.split()[-1] for line in said.splitlines() if "Step Functions is at it" in line]
    return json.loads(stage.aws.client("stepfunctions").describe_execution(executionArn=execution)["input"])


def published(stage):
    """Return how many comparisons were published, and the most tables that one of them found different."""
    now = datetime.now(UTC)
    [found] = stage.aws.client("cloudwatch").get_metric_statistics(
        Namespace="Paymig",
        MetricName="ValidationMismatches",
        Dimensions=[{"Name": "Migration", "Value": NAME}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86400,
        Statistics=["Maximum", "SampleCount"],
    )["Datapoints"]
    return found["SampleCount"], found["Maximum"]


def test_what_was_compared_before_it_was_stopped_is_kept(filled, capsys):
    client = filled.aws.client("stepfunctions")
    first = start(filled, rows=50)
    wait_for(lambda: client.list_map_runs(executionArn=first)["mapRuns"])
    wait_for(lambda: parts(filled, first)["succeeded"] >= 8)
    client.stop_execution(executionArn=first)
    wait_for(lambda: parts(filled, first)["running"] == 0)
    counts = parts(filled, first)
    assert counts["pending"] > 0
    code, report, said = compare(capsys)
    assert code == 0, said
    [second] = [line.split()[-1] for line in said.splitlines() if "Step Functions is at it" in line]
    assert second != first
    again = parts(filled, second)
    # A part that was under way when it was stopped may have left its result all the same.
    assert counts["pending"] <= again["total"] <= counts["pending"] + counts["aborted"]
    assert (table(report, "public.payments")["rows_source"], report["verdict"]) == (1001, "equal")


def test_a_part_that_fails_is_tried_again_and_named_where_that_does_not_help(filled, capsys):
    """One dies with its connections: a lock of another session lets it wait, and the session is then cut off."""
    with closing(psycopg2.connect(filled.target_dsn)) as locking, locking.cursor() as cursor:
        cursor.execute("LOCK TABLE transactions IN ACCESS EXCLUSIVE MODE")
        started = start(filled, rows=500)
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = {}"
        for _ in range(8):
            wait_for(lambda: execute(filled.target_dsn, cut.format("'paymig_validation'")))
    code, _, said = compare(capsys)
    assert code == 0, said
    assert started in said
    assert parts(filled, started)["failed"] == 0

    execute(filled.target_dsn, "REVOKE SELECT ON transactions FROM paymig_validation")
    code, _, said = compare(capsys)
    assert code == 1
    assert "a part of public.transactions: InsufficientPrivilege: permission denied" in said
    assert "the same command goes on with the parts that are left" in said
