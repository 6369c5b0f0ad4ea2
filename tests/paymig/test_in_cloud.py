"""The state machine that moves the writer, in the embedded AWS, between two real servers, by the deployed function."""

from contextlib import nullcontext
from functools import partial

import psycopg2
import pytest

from paymig import approvals
from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.cli import main
from paymig.cutover import in_cloud, traffic, way_back
from paymig.deploy import record_of
from paymig.journal.opening import open_journal
from paymig.operation import Operation
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.switchover import databases as moves
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.phases import Step
from schemas.load import load
from tests.paymig.operators import Operator, another, approve, history, live, until
from tests.paymig.paying import TOGETHER, checkout, dies_at, execute, may_pay, type_
from tests.runtime_lambdas.switchover.campaign import apart


@pytest.fixture
def file(tmp_path, request):
    return checkout(tmp_path / "specs", getattr(request, "param", ""))


@pytest.fixture
def spec(file):
    return load(file)


@pytest.fixture
def command(capsys, file):
    return partial(type_, capsys, file)


def test_the_writer_moves_and_comes_back_by_the_machine(stage, file, spec, replicating, command):
    approve(stage, spec)
    with hold(open_journal(another(stage), spec.migration.full_name), "shift"):
        code, told, said = command("switchover", "--in-cloud")
        assert code == 3
        assert "LeaseHeld: " in said
        assert "for `paymig shift`" in said
    at = Operation(file, None, None, None, stage.aws.endpoint_url, "json", False)
    seen = approvals.digest(stage.aws, spec, at.journal)
    started = in_cloud._start(at, Wish.SWITCHOVER, "by one operator", seen)
    assert in_cloud._start(at, Wish.SWITCHOVER, "by another one, meanwhile", seen) == started
    code, told, said = command("switchover", "--in-cloud")
    assert code == 0, said
    *events, result = told
    assert (result["writer"], result["epoch"]) == ("target", 1)
    assert 0 < result["pause"] < 25  # the budget
    assert [one["step"] for one in events if one["what"] == "done"][-3:] == ["commit", "open", "retire"]
    assert [may_pay(replicating, side, "after") for side in ("source", "target")] == [False, True]

    code, told, said = command("rollback", "--in-cloud")
    assert code == 0, said
    assert told[-1]["writer"] == "source"
    assert [may_pay(replicating, side, "back") for side in ("source", "target")] == [True, False]
    assert execute(stage.source_dsn, "SELECT idempotency_key FROM payments ORDER BY 1") == [
        ("after",),
        ("back",),
        ("before",),
    ]
    code, told, said = command("finalize", "--in-cloud")
    assert code == 3
    assert "MoveRefused: the source is still the writer" in said
    assert sorted((one["name"], one["status"]) for one in executions(stage)) == [
        ("finalize-2-1", "FAILED"),
        ("switchback-1-1", "SUCCEEDED"),
        ("switchover-0-1", "FAILED"),
        ("switchover-0-2", "SUCCEEDED"),
    ]


def test_the_lease_of_an_operator_who_died_here_does_not_keep_the_machine_from_its_work(
    stage, spec, replicating, command
):
    approve(stage, spec)
    assert apart(lambda: open_journal(another(stage), spec.migration.full_name).acquire("shift"), nullcontext()) == 0
    assert open_journal(another(stage), spec.migration.full_name).lease().held
    code, told, said = command("switchover", "--in-cloud")
    assert (code, told[-1]["writer"]) == (0, "target"), said
    assert ("unlock", "end the lease", "note") in history(stage.aws, spec)


def test_a_way_back_in_the_cloud_promises_only_what_was_looked_at(
    stage, spec, file, replicating, command, capsys, monkeypatch
):
    approve(stage, spec)
    code, _, said = command("switchover")
    assert code == 0, said
    code, _, said = type_(capsys, file, "rollback", "--in-cloud", yes=False)
    assert code == 4 and "nothing is lost: the source follows it" in said, said

    execute(stage.source_dsn, "ALTER SUBSCRIPTION paymig_ledger_prod_rev DISABLE")
    code, _, said = command("rollback", "--in-cloud")
    assert code == 3 and "does not work" in said and "paymig rollback without --in-cloud" in said, said
    assert "switchback-1-1" not in [one["name"] for one in executions(stage)], "it was refused before it was asked for"

    def out_of_reach(*_):
        raise psycopg2.OperationalError("no route to host")

    monkeypatch.setattr(way_back, "engine_for", out_of_reach)
    code, _, said = type_(capsys, file, "rollback", "--in-cloud", yes=False)
    assert code == 4 and "that nothing is lost is not verified" in said and "no route to host" in said, said
    code, _, said = command("rollback", "--in-cloud")
    assert code == 3 and "paymig rollback without --in-cloud" in said, said
    assert "switchback-1-1" in [one["name"] for one in executions(stage)]
    assert [may_pay(replicating, side, "still") for side in ("source", "target")] == [False, True]


def test_a_way_back_in_the_cloud_is_asked_for_where_a_switchover_has_only_to_be_ended(
    stage, spec, file, replicating, command, capsys
):
    """The target is open and takes payments: the writer moves by somebody's word, and not into a certain loss."""
    approve(stage, spec)
    with dies_at(Step.RETIRE):
        command("switchover")
    assert may_pay(replicating, "target", "there")
    code, _, said = type_(capsys, file, "rollback", "--in-cloud", yes=False)
    assert code == 4 and "Move the writer back to the source?" in said, said
    execute(stage.source_dsn, "ALTER SUBSCRIPTION paymig_ledger_prod_rev DISABLE")
    code, _, said = command("rollback", "--in-cloud")
    assert code == 3 and "does not work" in said, said
    assert executions(stage) == []


@pytest.mark.parametrize("file", [TOGETHER], indirect=True)
def test_who_watches_tells_how_the_move_ended_and_waits_for_who_turns_the_traffic(
    stage, file, spec, replicating, command, capsys, monkeypatch
):
    record = record_of(spec.migration)
    weights.write(another(stage), record, Weights.to_new(0))
    approve(stage, spec)
    with dies_at(Step.RETIRE):
        command("switchover")
    weights.write(another(stage), record, Weights.to_new(0))  # as where it died before it turned the traffic
    journal = open_journal(another(stage), spec.migration.full_name)
    with hold(journal, "shift"), monkeypatch.context() as patch:
        patch.setattr(traffic, "_PATIENCE", 1)
        code, _, said = command("switchover", "--in-cloud")
    assert code == 3 and "LeaseHeld: the lease is held by" in said and "the execution is arn:" in said, said
    assert "Whether the traffic is at the writer is not known" in said
    assert live(stage, spec) == Weights.to_new(0)

    assert command("switchover", "--in-cloud")[0] == 0
    assert live(stage, spec) == Weights.to_new(100)
    weights.write(another(stage), record, Weights.to_new(0))
    with hold(journal, "shift") as holding:  # another watcher
        operator = Operator(lambda: command("switchover", "--in-cloud"))
        until(
            lambda: "Somebody else is at work" in capsys.readouterr().err or not operator.is_alive(), "it never waits"
        )
        weights.write(another(stage), record, Weights.to_new(100))
        holding.note("find the traffic there", live=str(Weights.to_new(100)))
    code, told, said = operator.end()
    assert (code, told[-1]["writer"]) == (0, "target"), said

    at = Operation(file, None, None, None, stage.aws.endpoint_url, "json", False)
    write, turned = weights.write, []

    def watched_by_two(*given, **named):
        write(*given, **named)
        turned.append(given[2])
        traffic.follow_later(at, "source", "")

    monkeypatch.setattr(weights, "write", watched_by_two)
    code, told, said = command("rollback", "--in-cloud")
    assert (code, told[-1]["writer"]) == (0, "source"), said
    assert turned == [Weights.to_new(0)]
    assert live(stage, spec) == Weights.to_new(0)


def executions(stage):
    client = stage.aws.client("stepfunctions")
    [machine] = [one for one in client.list_state_machines()["stateMachines"] if one["name"].endswith("-move")]
    return client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]


class Died(BaseException):
    """The operator's process is gone."""


@pytest.mark.parametrize("cloud", [(), ("--in-cloud",)])
def test_a_way_back_that_died_past_its_point_of_no_return_is_completed_by_rollback(
    stage, file, spec, replicating, command, monkeypatch, cloud
):
    """Until then nobody can pay: the target is fenced for good, and the source is not open yet."""
    approve(stage, spec)
    code, told, said = command("switchover")
    assert code == 0, said

    def die(*_):
        raise Died

    with monkeypatch.context() as last_moment, pytest.raises(Died):
        last_moment.setattr(moves.Databases, "_open", die)
        main(["rollback", str(file), "--yes"])
    assert [may_pay(replicating, side, "nowhere") for side in ("source", "target")] == [False, False]

    code, told, said = command("rollback", *cloud)
    assert code == 0, said
    assert told[-1]["writer"] == "source"
    assert [may_pay(replicating, side, "back") for side in ("source", "target")] == [True, False]
