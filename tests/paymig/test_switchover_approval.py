"""The writer moves once it has been approved, by a command, by the machine and by the function alike."""

import json
from datetime import timedelta

import pytest

from paymig import approvals
from paymig.cutover import in_cloud
from paymig.journal.opening import open_journal
from paymig.operation import Operation
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.phases import Step
from schemas.load import load
from tests.paymig.operators import BOB, another, approve
from tests.paymig.paying import checkout, dies_at, may_pay, type_


@pytest.fixture
def file(tmp_path):
    return checkout(tmp_path / "specs")


@pytest.fixture
def spec(file):
    found = load(file)
    assert found.migration.cutover.switchover.approval == "second-person"
    return found


class Desk:
    """Who types `paymig switchover`, and what he meets."""

    def __init__(self, capsys, stage, file, replicating):
        self._capsys, self._stage, self._file, self._databases = capsys, stage, file, replicating

    def waits(self, *options, why):
        code, _, said = type_(self._capsys, self._file, "switchover", *options)
        assert code == 4 and f"the step switchover waits for approval: {why}" in said, said
        assert self.writers(f"still after {why}") == ["source"]

    def is_refused(self, *words, why):
        code, _, said = type_(self._capsys, self._file, *words)
        assert code == 3 and why in said, said

    def works(self, *words):
        code, told, said = type_(self._capsys, self._file, *words)
        assert code == 0, said
        return told[-1]

    def dies(self, step):
        with dies_at(step):
            type_(self._capsys, self._file, "switchover")

    def rewrite(self, old, new):
        text = self._file.read_text()
        assert old in text
        self._file.write_text(text.replace(old, new))

    def approve(self, who=BOB):
        return approve(self._stage, load(self._file), who=who)

    def writers(self, key):
        return [side for side in ("source", "target") if may_pay(self._databases, side, f"{side} {key}")]

    def entries(self):
        return list(open_journal(another(self._stage), "ledger-prod").entries())


@pytest.fixture
def desk(capsys, stage, file, replicating):
    return Desk(capsys, stage, file, replicating)


def test_the_writer_waits_for_an_approval_and_uses_it_up(desk, monkeypatch):
    with monkeypatch.context() as nowhere:
        nowhere.delattr("paymig.cutover.driver._databases")  # no database is touched before it is approved
        desk.waits(why="nobody has approved it")
    desk.works("approve", "--step", "switchover")
    desk.waits(why="the approval of arn:aws:")
    with monkeypatch.context() as past:
        past.setattr(approvals, "LIFE", -timedelta(seconds=1))
        expired = desk.approve()
    desk.waits(why=f"the approval of {BOB} at {expired.time:%Y-%m-%d %H:%M} UTC has expired")

    approved = desk.approve()
    desk.dies(Step.COMPARE)
    assert desk.writers("fenced") == []
    desk.is_refused("shift", "--to", "0", why="a switchover stopped half-way")
    desk.rewrite("pause_budget: 25s", "pause_budget: 24s")
    desk.waits(why=f"the approval of {BOB} at {approved.time:%Y-%m-%d %H:%M} UTC was for another spec")

    desk.rewrite("pause_budget: 24s", "pause_budget: 25s")
    desk.works("switchover")
    assert desk.writers("moved") == ["target"]
    [commit] = [entry for entry in desk.entries() if (entry.step, entry.kind) == ("commit", "done")]
    assert (commit.evidence["approval"], commit.evidence["approved_by"]) == (approved.sequence, BOB)
    desk.works("switchover")  # the target is the writer: there is nothing that one could approve

    desk.works("rollback")
    desk.waits(why=f"the approval of {BOB} at {approved.time:%Y-%m-%d %H:%M} UTC")


def test_past_the_point_of_no_return_nobody_is_asked(desk):
    desk.approve()
    desk.dies(Step.OPEN)
    assert desk.writers("between") == []
    desk.rewrite("pause_budget: 25s", "pause_budget: 24s")
    assert desk.works("switchover")["writer"] == "target"
    assert desk.writers("completed") == ["target"]


def test_the_machine_and_the_function_wait_as_well(desk, stage, spec, file):
    """Whoever goes around the command meets the same rule: it is the spec's, and stands beside the function's code."""
    desk.waits("--in-cloud", why="nobody has approved it")
    machine = stage.aws.client("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    assert not stage.aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    at = Operation(file, None, None, None, stage.aws.endpoint_url, "json", False)
    with pytest.raises(approvals.NotApproved, match="nobody has approved it"):
        in_cloud.run(at, Wish.SWITCHOVER, "around the command")
    approve(stage, spec, who=stage.aws.caller())
    [function] = [
        one["FunctionName"]
        for one in stage.aws.client("lambda").list_functions()["Functions"]
        if "Switchover" in one["FunctionName"]
    ]
    seen = approvals.digest(stage.aws, spec, at.journal)
    for given, why in (({}, "another spec"), ({"seen": seen}, "is your own")):
        event = {"action": "switchover", "who": stage.aws.caller(), **given}
        answer = stage.aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        refused = json.loads(answer["Payload"].read())
        assert refused["errorType"] == "NotApproved" and why in refused["errorMessage"]
    assert desk.writers("refused") == ["source"]

    approved = desk.approve()
    assert desk.works("switchover", "--in-cloud")["writer"] == "target"
    [commit] = [entry for entry in desk.entries() if (entry.step, entry.kind) == ("commit", "done")]
    assert commit.evidence["approval"] == approved.sequence
