"""`strategy: together`: the traffic moves with the writer, both ways, and by nothing else."""

import psycopg2
import pytest

from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import record_of
from paymig.errors import AwsError
from paymig.journal.opening import open_journal
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.switchover.phases import Step
from schemas.load import load
from tests.paymig.operators import another, approve, history, live
from tests.paymig.paying import TOGETHER, checkout, dies_at, may_pay, type_


@pytest.fixture
def file(tmp_path):
    return checkout(tmp_path / "specs", TOGETHER)


@pytest.fixture
def spec(file):
    return load(file)


def test_the_traffic_follows_the_writer_forth_and_back(stage, spec, file, replicating, capsys):
    code, _, said = type_(capsys, file, "switchover")
    assert code == 3 and "gets 0 % of the traffic when the writer moves" in said
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    code, _, said = type_(capsys, file, "shift", "--to", "100%", "--force-step")
    assert code == 3 and "no traffic before the writer" in said
    assert type_(capsys, file, "cutover", "--plan")[1][-1]["ahead"] == ["paymig switchover", "paymig finalize"]

    code, _, said = type_(capsys, file, "approve", "--step", "100%")
    assert code == 2 and "100% is no step of this spec: it has switchover" in said

    planned = type_(capsys, file, "switchover", "--plan", yes=False)[1][-1]["steps"]
    assert [one["step"] for one in planned][-3:] == ["open", "traffic", "retire"]
    assert "old 100, new 0 becomes old 0, new 100" in planned[-2]["what"] and "rollback" in planned[-2]["back"]

    approve(stage, spec)
    code, told, said = type_(capsys, file, "cutover")
    assert code == 0 and told[-1]["next"] == "paymig finalize", said
    assert [may_pay(replicating, side, "there") for side in ("source", "target")] == [False, True]
    assert live(stage, spec) == Weights.to_new(100)
    planned = type_(capsys, file, "switchover", "--plan", yes=False)[1][-1]
    assert (planned["writer"], planned["steps"], planned["expected_pause"]) == ("target", [], None)
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))  # as where the command died before it
    planned = type_(capsys, file, "switchover", "--plan", yes=False)[1][-1]["steps"]
    assert [one["step"] for one in planned] == ["traffic"]
    code, told, _ = type_(capsys, file, "status", yes=False)
    assert code == 8 and "the traffic has not followed the writer to the target" in told[-1]["stopped"]
    assert type_(capsys, file, "cutover", "--plan")[1][-1]["ahead"] == ["paymig switchover", "paymig finalize"]
    assert type_(capsys, file, "switchover")[0] == 0
    assert live(stage, spec) == Weights.to_new(100)
    status = type_(capsys, file, "status", yes=False)[1][-1]
    assert (status["wanted"], status["stopped"]) == ("old 0, new 100", None)

    code, _, said = type_(capsys, file, "rollback")
    assert code == 0, said
    assert [may_pay(replicating, side, "back") for side in ("source", "target")] == [True, False]
    assert live(stage, spec) == Weights.to_new(0)


def test_the_traffic_does_not_wait_for_what_is_left_of_the_move(stage, spec, file, replicating, capsys):
    """Whoever asks the old API in between is refused his writes."""
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    approve(stage, spec)
    with dies_at(Step.RETIRE):
        type_(capsys, file, "switchover")
    assert live(stage, spec) == Weights.to_new(100)
    assert may_pay(replicating, "target", "there")
    assert type_(capsys, file, "switchover")[0] == 0
    with dies_at(Step.RETIRE):
        type_(capsys, file, "rollback")
    assert live(stage, spec) == Weights.to_new(0)
    assert may_pay(replicating, "source", "back")
    planned = type_(capsys, file, "switchover", "--plan", yes=False)[1][-1]["steps"]
    assert [one["step"] for one in planned][:2] == ["retire", "check"]
    assert type_(capsys, file, "rollback")[0] == 0
    assert history(stage.aws, spec)[-1] == ("switchback", "retire", "done")


def test_the_traffic_is_looked_at_again_when_nobody_else_can_move_it(stage, spec, file, replicating, capsys):
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    approve(stage, spec)

    def thinks(*_):
        weights.write(another(stage), record_of(spec.migration), Weights.to_new(50))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Console, "confirm", thinks)
        code, _, said = type_(capsys, file, "switchover")
    assert code == 3 and "gets 0 % of the traffic when the writer moves; now: old 50, new 50" in said, said
    assert ("switchover", "check", "intent") not in history(stage.aws, spec)


def test_a_turn_is_taken_back_where_somebody_moved_the_writer_away_meanwhile(stage, spec, file, replicating, capsys):
    """His move found the traffic where it should be, and had nothing to turn: what comes after it is taken back."""
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    approve(stage, spec)
    write, late = weights.write, []

    def overtaken(aws, record, after, **given):
        if not given and not late:  # by a way back that has ended when the weights are taken
            late.append(after)
            late.append(type_(capsys, file, "rollback"))
        write(aws, record, after, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "write", overtaken)
        code, _, said = type_(capsys, file, "switchover")
    assert late[0] == Weights.to_new(100) and late[1][0] == 0, late
    assert code == 3 and "lease was taken over" in said, said
    assert [may_pay(replicating, side, "there") for side in ("source", "target")] == [True, False]
    assert live(stage, spec) == Weights.to_new(0)


@pytest.mark.parametrize("word", ["switchover", "rollback"])
def test_a_turn_stays_where_the_writer_is_where_it_was_to_be(stage, spec, file, replicating, capsys, word):
    """Who took the lease over completed the same command: he found the traffic at the writer, and that is its place."""
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    approve(stage, spec)
    if word == "rollback":
        assert type_(capsys, file, "switchover")[0] == 0
    journal = open_journal(another(stage), spec.migration.full_name)
    write, turns = weights.write, []

    def overtaken(aws, record, after, **given):
        write(aws, record, after, **given)
        turns.append(after)
        if word == "rollback":
            turns.append(type_(capsys, file, word)[0])
        else:
            with hold(journal, "rollback", over=True):
                pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "write", overtaken)
        code, _, said = type_(capsys, file, word)
    there, sides = (0, [True, False]) if word == "rollback" else (100, [False, True])
    assert turns == [Weights.to_new(there), *([0] if word == "rollback" else [])]
    assert code == 3 and "lease was taken over" in said, said
    assert [may_pay(replicating, side, "there") for side in ("source", "target")] == sides
    assert live(stage, spec) == Weights.to_new(there)
    assert type_(capsys, file, word)[0] == 0
    status = type_(capsys, file, "status", yes=False)[1][-1]
    assert (status["wanted"], status["stopped"]) == (str(Weights.to_new(there)), None)
    assert live(stage, spec) == Weights.to_new(there)


def test_the_way_back_is_started_and_used_while_the_name_servers_do_not_answer(
    stage, spec, file, replicating, capsys, monkeypatch
):
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    approve(stage, spec)
    write, asked = weights.write, []

    def refuses(*given, **named):
        asked.append(given)
        raise AwsError("Route 53 does not answer")

    def refuses_once(*given, **named):
        (write if asked else refuses)(*given, **named)

    monkeypatch.setattr(weights, "write", refuses_once)
    code, told, said = type_(capsys, file, "switchover")
    assert (code, told[-1]["writer"]) == (0, "target"), said
    assert [(one["step"], one["what"]) for one in told[:-1]][-7:] == [
        ("open", "done"),
        ("traffic", "begins"),
        ("traffic", "failed"),
        ("retire", "begins"),
        ("retire", "done"),
        ("traffic", "begins"),
        ("traffic", "done"),
    ]
    assert "done    traffic" in said
    assert live(stage, spec) == Weights.to_new(100)

    monkeypatch.setattr(weights, "write", refuses)
    code, told, said = type_(capsys, file, "rollback")
    assert code == 5 and "Route 53 does not answer" in said, said
    assert [(one["step"], one["what"]) for one in told][-4:] == [
        ("retire", "begins"),
        ("retire", "done"),
        ("traffic", "begins"),
        ("traffic", "failed"),
    ]
    assert [may_pay(replicating, side, "back") for side in ("source", "target")] == [True, False]
    monkeypatch.setattr(weights, "write", write)
    assert type_(capsys, file, "rollback")[0] == 0
    assert live(stage, spec) == Weights.to_new(0)


def test_nothing_is_asked_of_the_name_servers_about_a_side_that_is_not_the_writer(
    stage, spec, file, replicating, capsys, monkeypatch
):
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    approve(stage, spec)
    with dies_at(Step.RETIRE):
        type_(capsys, file, "switchover")
    committed = []

    def refuses(*_):
        committed.append(open_journal(another(stage), spec.migration.full_name).writer().side)
        raise AwsError("Route 53 does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(weights, "look", refuses)
        code, _, said = type_(capsys, file, "rollback")
    assert code == 5 and "Route 53 does not answer" in said, said
    assert set(committed) == {"source"}, "what a switchover left was ended, and the way back gone, without asking"
    assert [may_pay(replicating, side, "back") for side in ("source", "target")] == [True, False]
    assert history(stage.aws, spec)[-1] == ("switchback", "retire", "done")


def test_a_traffic_left_behind_is_turned_where_no_database_is_reached(
    stage, spec, file, replicating, capsys, monkeypatch
):
    """As by a team whose moves are made by the machine in AWS."""
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    approve(stage, spec)

    def out_of_reach(*_, **__):
        raise psycopg2.OperationalError("no route to host")

    for word, there in (("switchover", 100), ("rollback", 0)):
        assert type_(capsys, file, word)[0] == 0
        weights.write(another(stage), record_of(spec.migration), Weights.to_new(100 - there))
        with monkeypatch.context() as patch:
            patch.setattr(psycopg2, "connect", out_of_reach)
            code, _, said = type_(capsys, file, word)
        assert code == 0, said
        assert live(stage, spec) == Weights.to_new(there)
