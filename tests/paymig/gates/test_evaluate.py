"""Judging: what is missing, stale or too small never passes, and what passes never moves away from its limit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymig.gates.evaluate import SILENCE, evaluate, failed
from paymig.gates.gate import Position, Readings, Sample
from schemas.migration import Gates
from schemas.validate import defaults

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(minutes=5)
LIMITS = defaults(Gates)
FINE = Readings(
    lag=Sample(0.4, NOW - timedelta(minutes=1)),
    equal=NOW - timedelta(minutes=4),
    differing=Sample(0, NOW - timedelta(minutes=4)),
    alarms={"a": "OK", "b": "INSUFFICIENT_DATA"},
    expected=frozenset({"a", "b"}),
    requests=1000,
    failures=5,
    last_request=NOW - timedelta(minutes=1),
)
AT_10 = Position(10, NOW - timedelta(hours=1), timedelta(hours=1))
AT_HOME = Position(0, None, timedelta(0))


def judged(readings=FINE, position=AT_10, limits=LIMITS) -> dict:
    return {gate.name: gate for gate in evaluate(limits, EVERY, readings, position, NOW)}


def ago(**time) -> datetime:
    return NOW - timedelta(**time)


def test_everything_as_it_should_be_passes():
    gates = judged()
    assert list(gates) == ["replication_lag", "validation_age", "alarms", "error_rate", "minimum_requests", "bake"]
    assert all(gate.passed for gate in gates.values())
    assert gates["replication_lag"].age == timedelta(minutes=1)
    assert (gates["error_rate"].value, gates["error_rate"].limit) == ("0.5 % of 1000", "at most 0.5%")


@pytest.mark.parametrize(
    ("gate", "change", "value"),
    [
        ("replication_lag", {"lag": None}, "missing"),
        ("replication_lag", {"lag": Sample(5.1, ago(minutes=1))}, "5.1 s"),
        ("replication_lag", {"lag": Sample(0, ago(minutes=12))}, "0 s, stale"),
        ("validation_age", {"equal": None}, "missing"),
        ("validation_age", {"equal": ago(minutes=16)}, "equal"),
        ("validation_age", {"differing": Sample(2, ago(minutes=3))}, "2 differences"),
        ("validation_age", {"differing": Sample(2, ago(minutes=4))}, "2 differences"),
        ("validation_age", {"equal": None, "differing": Sample(1, ago(hours=1))}, "1 differences"),
        ("alarms", {"alarms": {"a": "ALARM", "b": "ALARM"}}, "firing: a, b"),
        ("alarms", {"alarms": {"a": "OK"}}, "gone: b"),
        ("alarms", {"alarms": {}, "expected": None}, "missing"),
        ("alarms", {"alarms": {}, "expected": frozenset()}, "missing"),
        ("error_rate", {"failures": 6}, "0.6 % of 1000"),
        ("error_rate", {"requests": 0, "failures": 0, "last_request": None}, "missing"),
        ("error_rate", {"last_request": NOW - SILENCE - timedelta(seconds=1)}, "0.5 % of 1000, stale"),
        ("error_rate", {"requests": 499, "failures": 0}, "0 % of 499"),
        ("minimum_requests", {"requests": 499}, "499"),
        ("minimum_requests", {"requests": 0, "last_request": None}, "0"),
    ],
)
def test_what_is_missing_stale_too_much_or_too_little_does_not_pass(gate, change, value):
    found = judged(replace(FINE, **change))[gate]
    assert (found.passed, found.waiting, found.value) == (False, False, value)


def test_a_difference_that_a_later_comparison_did_not_find_again_is_over():
    assert judged(replace(FINE, differing=Sample(3, ago(minutes=9))))["validation_age"].passed


def test_any_alarm_may_fire_where_the_spec_does_not_look():
    limits = LIMITS.model_copy(update={"alarms": "any"})
    assert judged(replace(FINE, alarms={"a": "ALARM"}), limits=limits)["alarms"].passed


def test_at_home_there_is_no_traffic_to_judge():
    nothing = replace(FINE, requests=0, failures=0, last_request=None)
    gates = judged(nothing, AT_HOME)
    assert all(gates[name].passed for name in ("error_rate", "minimum_requests", "bake"))
    assert not judged(replace(nothing, lag=None), AT_HOME)["replication_lag"].passed


@pytest.mark.parametrize(
    ("since", "passed"), [(ago(minutes=59), False), (ago(minutes=60), True), (None, False), (ago(days=3), True)]
)
def test_the_share_of_now_has_to_have_baked(since, passed):
    assert judged(position=replace(AT_10, since=since))["bake"].passed is passed


def test_while_it_bakes_time_and_requests_are_waited_for_but_not_failures():
    baking = replace(AT_10, since=ago(minutes=1), baking=True)
    few = replace(FINE, requests=40, failures=2)
    gates = judged(few, baking)
    assert {name for name, gate in gates.items() if gate.waiting} == {"error_rate", "minimum_requests", "bake"}
    assert not failed(tuple(gates.values()))
    # Three failures are more than 0.5 % of 500, whatever is still to come.
    assert judged(replace(few, failures=3), baking)["error_rate"].failed
    none = judged(replace(FINE, requests=0, failures=0, last_request=None), baking)
    assert not failed(tuple(none.values()))
    assert failed(tuple(judged(replace(few, lag=None), baking).values())), "a missing value is waited for by nobody"


times = st.one_of(st.none(), st.integers(-300, 100_000).map(lambda s: NOW - timedelta(seconds=s)))
samples = st.one_of(st.none(), st.builds(Sample, st.floats(0, 1e6), times.filter(bool)))
states = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"]))
readings = st.builds(
    Readings,
    lag=samples,
    equal=times,
    differing=samples,
    alarms=states,
    expected=st.one_of(st.none(), st.frozensets(st.sampled_from("abcd"))),
    requests=st.integers(0, 5000),
    failures=st.integers(0, 5000),
    last_request=times,
)
positions = st.builds(
    Position,
    share=st.sampled_from([0, 1, 10, 50, 100]),
    since=times,
    bake=st.integers(0, 90_000).map(lambda s: timedelta(seconds=s)),
    baking=st.booleans(),
)


@given(readings, positions)
def test_what_passes_was_there_fresh_and_enough(found, position):
    gates = judged(found, position)
    assert all(not (gate.passed and gate.waiting) for gate in gates.values())
    if gates["replication_lag"].passed:
        assert found.lag.value <= 5 and NOW - found.lag.at <= 2 * EVERY + timedelta(minutes=1)
    if gates["validation_age"].passed:
        assert NOW - found.equal <= LIMITS.validation_age
        assert not (found.differing and found.differing.value and found.differing.at >= found.equal)
    if gates["alarms"].passed:
        assert found.expected and found.expected <= found.alarms.keys() and "ALARM" not in found.alarms.values()
    if position.share:
        if gates["error_rate"].passed:
            assert found.requests >= 500 and found.failures / found.requests <= 0.005
            assert NOW - found.last_request <= SILENCE
        if gates["minimum_requests"].passed:
            assert found.requests >= 500
    assert position.baking or not any(gate.waiting for gate in gates.values())


@given(readings, positions, st.sampled_from(["lag", "equal", "alarms", "last_request"]))
def test_taking_a_value_away_makes_no_gate_pass(found, position, what):
    less = replace(found, **{what: {} if what == "alarms" else None})
    before, after = judged(found, position), judged(less, position)
    assert {name for name, gate in after.items() if gate.passed} <= {n for n, gate in before.items() if gate.passed}


@given(readings, positions, st.integers(0, 5000))
def test_a_failure_more_makes_no_gate_pass(found, position, more):
    worse = replace(found, failures=found.failures + more)
    before, after = judged(found, position), judged(worse, position)
    assert {name for name, gate in after.items() if gate.passed} <= {n for n, gate in before.items() if gate.passed}
    assert {name for name, gate in before.items() if gate.failed} <= {n for n, gate in after.items() if gate.failed}
