"""The rollback alarm sets the weights back by itself: alarm, event, the deployed function, Route 53, the journal."""

import time

import pytest

from paymig.aws import change_set, stack, weights
from paymig.aws.weights import Weights
from paymig.deploy import record_of, tags_of
from paymig.embedded.faults import Fault
from paymig.journal.opening import open_journal
from runtime_lambdas.runtime.journal.lease import LeaseLost
from tests.paymig.operators import PATIENCE, Operator, another, history, paused, shift, until


@pytest.fixture
def alarm(deploy, spec, stage):
    outputs = deploy(spec).outputs
    name = next(alarm for alarm in outputs["AlarmNames"].split(",") if "ErrorRateAlarm" in alarm)

    def set_off(state: str = "ALARM") -> None:
        stage.aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")

    return set_off


def test_an_alarm_takes_the_traffic_back_and_the_journal_tells(stage, spec, alarm):
    record = record_of(spec.migration)
    weights.write(stage.aws, record, Weights.to_new(50))
    alarm()
    done = ("rollback", "send the traffic back", "done")
    until(lambda: history(stage.aws, spec)[-1] == done, "the alarm did not bring the traffic back")
    assert weights.read(stage.aws, record) == Weights(100, 0)
    entry = list(open_journal(stage.aws, spec.migration.full_name).entries())[-1]
    assert entry.who.startswith("arn:aws:lambda:") and "Rollback" in entry.who
    assert entry.why.startswith("alarm ")


@pytest.mark.parametrize("call", ["ChangeResourceRecordSets", "GetChange"])
def test_an_alarm_beats_a_shift_that_is_about_to_write_or_to_read_back(stage, spec, alarm, call):
    record = record_of(spec.migration)
    alice = another(stage)
    with paused(alice, "route53", call) as (reached, go_on):
        late = Operator(lambda: shift(alice, spec, 50))
        assert reached.wait(PATIENCE)
        alarm()
        until(lambda: history(stage.aws, spec)[-1][0::2] == ("rollback", "done"), "no rollback")
        go_on.set()
        assert isinstance(late.end(), LeaseLost)
    assert weights.read(stage.aws, record) == Weights(100, 0)


def test_an_alarm_undoes_what_an_update_under_way_does_to_the_record(stage, spec, alarm):
    root = stack.describe(stage.aws, spec.migration.full_name)
    parameters = root.parameters | {"OldWeight": "63", "NewWeight": "37"}
    proposed = change_set.propose(
        stage.aws, root.name, root, {"UsePreviousTemplate": True}, parameters, tags_of(spec.migration)
    )
    stage.embedded.faults(Fault(logical_id="Records", operation="update", delay=1.5))
    change_set.execute(stage.aws, proposed)
    alarm()
    until(lambda: not stack.describe(stage.aws, root.name).busy, "the update does not end")
    until(lambda: not open_journal(stage.aws, root.name).lease().held, "the function does not end")
    assert stack.describe(stage.aws, root.name).parameters["NewWeight"] == "37"
    assert weights.read(stage.aws, record_of(spec.migration)) == Weights(100, 0)


def test_an_alarm_that_is_over_moves_nothing(stage, spec, alarm):
    record = record_of(spec.migration)
    weights.write(stage.aws, record, Weights.to_new(25))
    alarm("OK")
    time.sleep(2)
    assert weights.read(stage.aws, record) == Weights.to_new(25)
