"""`strategy: together`: the traffic moves with the writer, both ways, and by nothing else."""

import pytest

from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import record_of
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


def test_a_move_whose_operator_lost_the_lease_does_not_keep_the_traffic(stage, spec, file, replicating, capsys):
    """A rollback that found the traffic where it should be had nothing to change: what comes after it is taken back."""
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    approve(stage, spec)
    journal = open_journal(another(stage), spec.migration.full_name)
    write = weights.write

    def late(aws, record, after, **given):
        if not given:
            with hold(journal, "rollback", over=True):
                write(aws, record, after)
        else:
            write(aws, record, after, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "write", late)
        code, _, said = type_(capsys, file, "switchover")
    assert code == 3 and "lease was taken over" in said, said
    assert live(stage, spec) == Weights.to_new(0)
    assert type_(capsys, file, "switchover")[0] == 0
    assert live(stage, spec) == Weights.to_new(100)
