"""`strategy: together`: the traffic moves with the writer, both ways, and by nothing else."""

import pytest

from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.deploy import record_of
from schemas.load import load
from tests.paymig.operators import another, approve, live
from tests.paymig.paying import checkout, may_pay, type_

TOGETHER = """\
  strategy: together
  steps: [{to: 100%, bake: 1h, approval: required}]
"""


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
    assert [one["step"] for one in planned][-3:] == ["open", "retire", "traffic"]
    assert "old 100, new 0 becomes old 0, new 100" in planned[-1]["what"] and "rollback" in planned[-1]["back"]

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
    assert type_(capsys, file, "switchover")[0] == 0
    assert live(stage, spec) == Weights.to_new(100)
    status = type_(capsys, file, "status", yes=False)[1][-1]
    assert status["wanted"] == "old 0, new 100"

    code, _, said = type_(capsys, file, "rollback")
    assert code == 0, said
    assert [may_pay(replicating, side, "back") for side in ("source", "target")] == [True, False]
    assert live(stage, spec) == Weights.to_new(0)
