"""Shifting under gates that are read from CloudWatch: refused, baked, gone back, resumed."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace

import pytest
from botocore.retries.standard import ExponentialBackoff
from click.testing import CliRunner

from compiler.compile import compile_spec
from paymig import bake as bakes
from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.commands.shift import command
from paymig.console import Console
from paymig.deploy import Deployer, record_of
from paymig.errors import Refused
from paymig.gates.judge import judge
from paymig.gates.position import position
from paymig.journal.opening import open_journal
from paymig.rehearsal.stage import open_stage
from paymig.traffic.move import WentBack
from paymig.traffic.shift import Shifter
from runtime_lambdas.runtime.journal.lease import LeaseLost
from tests.paymig.operators import Operator, another, history, live, unreachable

BAKE = timedelta(seconds=2)
INTENT = ("shift", "bake", "intent")


@pytest.fixture(scope="module")
def spec(spec):
    cutover = spec.migration.cutover
    steps = [step.model_copy(update={"bake": BAKE, "approval": "none"}) for step in cutover.steps]
    # Alarms about databases and replication that nobody plays here would fire sooner or later.
    limits = {"minimum_requests": 3, "alarms": "any", "validation_age": timedelta(hours=3)}
    gates = cutover.gates.model_copy(update=limits)
    changed = cutover.model_copy(update={"steps": steps, "gates": gates})
    validation = spec.migration.validation.model_copy(update={"every": timedelta(hours=1)})
    return replace(spec, migration=spec.migration.model_copy(update={"cutover": changed, "validation": validation}))


@pytest.fixture(scope="module")
def stage(spec):
    with open_stage(spec.migration) as opened:
        yield opened


@pytest.fixture(scope="module")
def outputs(stage, spec):
    return Deployer(stage.aws, spec, compile_spec(spec), Console()).run(yes=True).outputs


@pytest.fixture(autouse=True)
def at_home(stage, spec, outputs, monkeypatch):
    monkeypatch.setattr(bakes, "INTERVAL", 0.1)
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))


_minutes = count()


@pytest.fixture
def publish(stage, spec, outputs):
    """Publish what the validation function publishes, each time a minute later, and what a load balancer does, now."""

    def put(ago: int | None = None, **values: float) -> None:
        now = datetime.now(UTC)
        later = now - timedelta(minutes=100 - next(_minutes) if ago is None else ago)
        own = ("Paymig", "Migration", spec.migration.full_name, later)
        balancer = ("AWS/ApplicationELB", "LoadBalancer", outputs["LoadBalancerName"], now)
        for name, value in values.items():
            namespace, dimension, of, time = balancer if name.startswith(("HTTP", "Request")) else own
            datum = {
                "MetricName": name,
                "Value": value,
                "Timestamp": time,
                "Dimensions": [{"Name": dimension, "Value": of}],
            }
            stage.aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])

    return put


@pytest.fixture
def all_is_well(publish):
    publish(ValidationEqual=1, ValidationMismatches=0, ReplicationLagSeconds=0.3)


@pytest.fixture
def client(stage, outputs):
    def health() -> None:
        host = outputs["LoadBalancerDnsName"]
        assert stage.embedded.alb_request("GET", host, "/health", port=443).status == 200

    return SimpleNamespace(health=health)


def shifter(aws, spec, **options) -> Shifter:
    return Shifter(aws, spec, Console(), **options)


def gates(stage, spec, share: int = 0) -> dict:
    where = position(spec.migration, Weights.to_new(share), open_journal(stage.aws, spec.migration.full_name).entries())
    return {gate.name: gate for gate in judge(stage.aws, spec.migration)(where)}


def test_nothing_moves_while_nothing_is_known(stage, spec, capsys):
    with pytest.raises(Refused, match=r"replication_lag is missing, .*validation_age is missing") as refused:
        shifter(stage.aws, spec).shift(1, yes=True)
    assert "nothing was moved" in refused.value.message
    assert live(stage, spec) == Weights(100, 0)
    shown = capsys.readouterr().err
    assert all(name in shown for name in ("replication_lag", "minimum_requests", "no traffic yet", "not looked at"))


def test_the_gates_are_read_from_what_is_published(stage, spec, publish, client):
    publish(ValidationEqual=1, ValidationMismatches=0, ReplicationLagSeconds=2.5)
    found = gates(stage, spec)
    assert found["replication_lag"].value == "2.5 s" and found["replication_lag"].passed
    assert found["validation_age"].passed and found["validation_age"].age > timedelta(minutes=90)
    publish(ValidationMismatches=4)
    assert gates(stage, spec)["validation_age"].value == "4 differences"
    publish(ValidationEqual=1, ValidationMismatches=0, ReplicationLagSeconds=9)
    assert gates(stage, spec)["replication_lag"].value == "9 s"
    publish(ReplicationLagSeconds=0)
    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(10))
    before = gates(stage, spec, 10)["minimum_requests"].value
    for _ in range(3):
        client.health()
    after = gates(stage, spec, 10)
    assert int(after["minimum_requests"].value) - int(before) == 3, "the balancer counts"
    assert after["error_rate"].value.startswith("0 % of ")
    assert after["bake"].value == "not known", "the journal knows nothing of this move"


def test_alarms_are_looked_at_where_the_spec_says_so(stage, spec, outputs):
    limits = spec.migration.cutover.gates.model_copy(update={"alarms": "none"})
    cutover = spec.migration.cutover.model_copy(update={"gates": limits})
    strict = replace(spec, migration=spec.migration.model_copy(update={"cutover": cutover}))
    name = next(alarm for alarm in outputs["AlarmNames"].split(",") if "FirewallBlocks" in alarm)
    cloudwatch = stage.aws.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    assert name in gates(stage, strict)["alarms"].value
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")
    assert name not in gates(stage, strict)["alarms"].value


def test_a_shift_bakes_until_time_and_requests_suffice(stage, spec, all_is_well, client, capsys):
    shifting = Operator(lambda: shifter(another(stage), spec).shift(1, yes=True))
    for _ in range(3):
        client.health()
    move = shifting.end()
    assert (move.after, move.baked) == (Weights(99, 1), True)
    assert history(stage.aws, spec)[-2:] == [("shift", "bake", "intent"), ("shift", "bake", "done")]
    assert "baking 1 %" in capsys.readouterr().err
    intent, done = list(open_journal(stage.aws, spec.migration.full_name).entries())[-2:]
    assert done.time - intent.time >= BAKE
    assert shifter(stage.aws, spec).shift(10, yes=True, bake=False).before == Weights(99, 1), "the step of 1 % is done"
    with pytest.raises(Refused, match=r"bake is .*must be at least 2s at 10 %"):
        shifter(stage.aws, spec).shift(50, yes=True)
    assert live(stage, spec) == Weights(90, 10)


def test_a_gate_that_fails_during_the_bake_takes_the_traffic_back_to_where_it_was(stage, spec, all_is_well, publish):
    shifter(stage.aws, spec).shift(1, yes=True, bake=False)
    publish(RequestCount=100)  # those of the test before may be of a minute before this share's
    alice = shifter(another(stage), slower(spec), judge=after_the_bake(stage, spec))
    shifting = baking(stage, spec, lambda: alice.shift(10, yes=True))
    publish(ReplicationLagSeconds=60)
    ended = shifting.end()
    assert isinstance(ended, WentBack), ended
    assert "replication_lag is 60 s, must be at most 5s" in ended.message and "from 10 % to 1 %" in ended.message
    assert ended.exit_code == 8
    assert live(stage, spec) == Weights(99, 1)
    assert history(stage.aws, spec)[-4:] == [
        ("shift", "bake", "intent"),
        ("shift", "bake", "failed"),
        ("shift", "go back", "intent"),
        ("shift", "go back", "done"),
    ]
    publish(ReplicationLagSeconds=0)


def baking(stage, spec, shifting):
    """Start a shift and wait until it bakes."""
    intents = history(stage.aws, spec).count(INTENT)
    operator = Operator(shifting)
    ends = time.monotonic() + 20
    while history(stage.aws, spec).count(INTENT) == intents:
        assert time.monotonic() < ends, "it does not bake"
        time.sleep(0.02)
    return operator


def slower(spec):
    """A bake of an hour."""
    steps = [step.model_copy(update={"bake": timedelta(hours=1)}) for step in spec.migration.cutover.steps]
    cutover = spec.migration.cutover.model_copy(update={"steps": steps})
    return replace(spec, migration=spec.migration.model_copy(update={"cutover": cutover}))


def after_the_bake(stage, spec):
    """CloudWatch's word, without the bake of the share before."""

    def now(where):
        return judge(another(stage), spec.migration)(where if where.baking else replace(where, bake=timedelta(0)))

    return now


def test_requests_that_fail_take_the_traffic_back(stage, spec, all_is_well, publish):
    shifting = baking(stage, spec, lambda: shifter(another(stage), slower(spec)).shift(1, yes=True))
    publish(RequestCount=100, HTTPCode_Target_5XX_Count=90)
    ended = shifting.end()
    assert isinstance(ended, WentBack) and "error_rate is " in ended.message, ended
    assert live(stage, spec) == Weights(100, 0)


def test_a_bake_that_was_interrupted_is_watched_on(stage, spec, all_is_well, publish, client, capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    publish(RequestCount=100_000)  # what failed in the test before is outvoted
    with monkeypatch.context() as patch:
        patch.setattr(bakes, "time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupt))
        with pytest.raises(KeyboardInterrupt):
            shifter(stage.aws, spec).shift(1, yes=True)
    assert "paymig shift --to 1%" in capsys.readouterr().err
    assert live(stage, spec) == Weights(99, 1)
    assert history(stage.aws, spec)[-1] == ("shift", "bake", "failed")
    for _ in range(3):
        client.health()
    move = shifter(another(stage), spec).shift(1, yes=True)
    assert (move.before, move.after, move.baked) == (Weights(100, 0), Weights(99, 1), True)
    began = [e for e in history(stage.aws, spec) if e == ("shift", "move the traffic", "done")]
    assert shifter(another(stage), spec).shift(1, yes=True).baked, "and once more, at once"
    assert [e for e in history(stage.aws, spec) if e == ("shift", "move the traffic", "done")] == began


@pytest.mark.parametrize(("share", "error"), [(0, LeaseLost), (37, Refused)])
def test_a_bake_ends_when_others_move_the_traffic(stage, spec, all_is_well, publish, share, error):
    shifting = baking(stage, spec, lambda: shifter(another(stage), slower(spec)).shift(1, yes=True))
    if error is LeaseLost:
        open_journal(stage.aws, spec.migration.full_name).acquire("rollback", over=True)
    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(share))
    assert isinstance(shifting.end(), error)
    assert live(stage, spec) == Weights.to_new(share), "nobody's move is undone"
    journal = open_journal(stage.aws, spec.migration.full_name)
    if (lease := journal.lease()).held:
        journal.break_lease(lease)


def test_gates_that_cannot_be_read_for_long_are_gates_that_failed(stage, spec, all_is_well, monkeypatch):
    monkeypatch.setattr(bakes, "BLIND", 0.5)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    alice = another(stage)
    shifting = baking(stage, spec, lambda: shifter(alice, slower(spec)).shift(1, yes=True))
    with unreachable(alice, "cloudwatch"):
        ended = shifting.end()
    assert isinstance(ended, WentBack) and "gates is unreadable" in ended.message, ended
    assert live(stage, spec) == Weights(100, 0)


def test_time_passes_faster_in_a_rehearsal(stage, spec, all_is_well, publish):
    publish(RequestCount=100_000)
    assert shifter(stage.aws, slower(spec), speed=3600).shift(1, yes=True).baked


def test_downwards_no_gate_is_asked(stage, spec, publish):
    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(50))
    publish(ReplicationLagSeconds=1000)
    assert shifter(stage.aws, spec).shift(10, yes=True).after == Weights(90, 10)
    assert shifter(stage.aws, spec).shift(0, yes=True).after == Weights(100, 0)


def run(stage, spec, *arguments: str):
    return CliRunner().invoke(
        command,
        [spec.file, "--endpoint-url", stage.embedded.endpoint_url, *arguments],
        env=stage.embedded.environment() | {"COLUMNS": "240"},
    )


def test_the_plan_says_what_would_happen_and_changes_nothing(stage, spec, publish):
    publish(ago=0, ValidationEqual=1, ValidationMismatches=0, ReplicationLagSeconds=0.3)
    before = history(stage.aws, spec)
    planned = run(stage, spec, "--to", "1%", "--plan", "--format", "json")
    told = json.loads(planned.stdout.splitlines()[-1])
    assert (told["before"], told["after"], told["bake"]) == ({"old": 100, "new": 0}, {"old": 99, "new": 1}, 1800)
    assert {gate["gate"]: gate["passed"] for gate in told["gates"]}["replication_lag"] is True
    shown = run(stage, spec, "--to", "1%", "--plan").stdout
    assert "move api.payments.example.com from 0 % to 1 % on AWS" in shown
    assert "going back:" in shown and "nothing is lost" in shown and "validation_age" in shown
    assert history(stage.aws, spec) == before
    assert live(stage, spec) == Weights(100, 0)
