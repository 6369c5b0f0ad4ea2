"""The rollback alarm sets the weights back by itself: alarm, event, the deployed function, Route 53."""

import time

from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.deploy import record_of


def test_an_alarm_takes_the_traffic_back(stage, spec, deploy):
    outputs = deploy(spec).outputs
    record = record_of(spec.migration)
    weights.write(stage.aws, record, Weights.to_new(50))
    name = next(alarm for alarm in outputs["AlarmNames"].split(",") if "ErrorRateAlarm" in alarm)
    stage.aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    started = time.monotonic()
    while weights.read(stage.aws, record) != Weights(100, 0):
        assert time.monotonic() - started < 30, "the alarm did not bring the traffic back"
        time.sleep(0.05)


def test_an_alarm_that_is_over_moves_nothing(stage, spec, deploy):
    outputs = deploy(spec).outputs
    record = record_of(spec.migration)
    weights.write(stage.aws, record, Weights.to_new(25))
    name = next(alarm for alarm in outputs["AlarmNames"].split(",") if "ErrorRateAlarm" in alarm)
    stage.aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")
    time.sleep(2)
    assert weights.read(stage.aws, record) == Weights.to_new(25)
