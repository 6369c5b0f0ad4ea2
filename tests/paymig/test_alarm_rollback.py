"""The rollback alarm sets the weights back by itself: alarm, event, the deployed function, Route 53, the journal."""

import json

import pytest

from paymig.aws import change_set, stack, weights
from paymig.aws.weights import Weights
from paymig.deploy import record_of, tags_of
from paymig.embedded.faults import Fault
from paymig.journal.opening import open_journal
from runtime_lambdas.runtime.journal.lease import LeaseLost
from tests.paymig.operators import PATIENCE, Operator, another, history, paused, shift, until

DONE = ("rollback", "send the traffic back", "done")


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
    until(lambda: history(stage.aws, spec)[-1] == DONE, "the alarm did not bring the traffic back")
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
    stage.embedded.faults(Fault(logical_id="Records", operation="update", delay=PATIENCE))
    change_set.execute(stage.aws, proposed)
    alarm()
    until(lambda: history(stage.aws, spec)[-1] == DONE, "the alarm did not bring the traffic back")
    assert stack.describe(stage.aws, root.name).busy
    stage.embedded.faults()  # only now does the update get to the record
    until(lambda: not stack.describe(stage.aws, root.name).busy, "the update does not end")
    until(lambda: not open_journal(stage.aws, root.name).lease().held, "the function does not end")
    assert stack.describe(stage.aws, root.name).parameters["NewWeight"] == "37"
    assert weights.read(stage.aws, record_of(spec.migration)) == Weights(100, 0)


class Heard:
    """The states of the rollback alarm that a rule of EventBridge has passed on, in order."""

    def __init__(self, stage, rule):
        self._sqs = stage.aws.client("sqs")
        self._queue = self._sqs.create_queue(QueueName=f"of-{rule}"[:80])["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        target = {"Id": "heard", "Arn": asked["Attributes"]["QueueArn"]}
        assert not stage.aws.client("events").put_targets(Rule=rule, Targets=[target])["FailedEntryCount"]
        self._states = []

    def so_far(self):
        while found := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                detail = json.loads(message["Body"])["detail"]
                if "RollbackAlarm" in detail["alarmName"]:
                    self._states.append(detail["state"]["value"])
        return self._states


def test_an_alarm_that_is_over_moves_nothing(stage, spec, alarm):
    every = {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]}
    events = stage.aws.client("events")
    [rule] = [one["Name"] for one in events.list_rules()["Rules"] if "RollbackRule" in one["Name"]]
    events.put_rule(Name="every-state", EventPattern=json.dumps(every))
    happened, called_for = Heard(stage, "every-state"), Heard(stage, rule)
    record = record_of(spec.migration)
    alarm()
    until(lambda: history(stage.aws, spec)[-1] == DONE, "the alarm did not bring the traffic back")
    until(lambda: not open_journal(stage.aws, spec.migration.full_name).lease().held, "the function does not end")
    weights.write(stage.aws, record, Weights.to_new(25))
    alarm("OK")
    until(lambda: happened.so_far()[-1:] == ["OK"], "the alarm is not over")
    assert called_for.so_far() == ["ALARM"]
    assert weights.read(stage.aws, record) == Weights.to_new(25)
