"""Shift and rollback, one at a time and against each other, on a deployed migration."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from compiler.compile import compile_spec
from paymig.aws import change_set, stack, weights
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import Deployer, record_of
from paymig.embedded.faults import Fault
from paymig.errors import AwsError, Refused
from paymig.journal.opening import open_journal
from paymig.rehearsal.stage import open_stage
from paymig.rollback import roll_back
from runtime_lambdas.runtime.journal.entry import Draft
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.runtime.journal.lease import LeaseHeld, LeaseLost
from tests.paymig.operators import (
    PATIENCE,
    Operator,
    another,
    history,
    hooked,
    live,
    paused,
    shift,
    unreachable,
    until,
)


@pytest.fixture(scope="module")
def stage(spec):
    with open_stage(spec.migration) as opened:
        Deployer(opened.aws, spec, compile_spec(spec), Console()).run(yes=True)
        yield opened


@pytest.fixture(autouse=True)
def at_home(stage, spec):
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))


def go(aws, spec, share: int, **options):
    return shift(aws, spec, share, **options)


def back(aws, spec, **options):
    return roll_back(aws, spec.migration, Console(), yes=True, **options)


def test_only_the_specs_steps_are_taken_unless_forced(stage, spec):
    with pytest.raises(Refused, match="37 % is no step of this spec; its steps are 1 %, 10 %, 50 %, 100 %") as refused:
        go(stage.aws, spec, 37)
    assert "--force-step" in refused.value.hint
    assert live(stage, spec) == Weights(100, 0)
    assert go(stage.aws, spec, 37, force_step=True).after == Weights(63, 37)
    assert go(stage.aws, spec, 0).before == Weights(63, 37)


def test_a_shift_is_recorded_with_who_why_and_what_was_reached(stage, spec):
    go(stage.aws, spec, 10, why="first customers")
    intent, done = list(open_journal(stage.aws, spec.migration.full_name).entries())[-2:]
    assert (intent.verb, intent.kind, intent.why) == ("shift", "intent", "first customers")
    assert intent.evidence == {"before": "old 100, new 0", "after": "old 90, new 10", "from": 0}
    assert (done.kind, done.evidence["live"]) == ("done", "old 90, new 10")
    assert intent.who == stage.aws.client("sts").get_caller_identity()["Arn"]
    assert intent.token == done.token > 0


def test_of_two_threads_one_shifts_and_the_other_hears_who_does(stage, spec):
    alice, bob = another(stage), another(stage)
    with paused(alice, "route53", "GetChange") as (reached, go_on):
        first = Operator(lambda: go(alice, spec, 10))
        assert reached.wait(PATIENCE)
        with pytest.raises(LeaseHeld, match="`paymig shift`") as held:
            go(bob, spec, 50)
        assert alice.caller() in held.value.message
        go_on.set()
        assert first.end().after == Weights(90, 10)
    assert live(stage, spec) == Weights(90, 10)
    assert go(bob, spec, 50).before == Weights(90, 10)


WAITING_SHIFT = """
import sys
from paymig.aws.session import Aws
from paymig.cli import main
make = Aws._make_client
def wait(**_):
    sys.stdin.readline()
def waiting(self, service):
    client = make(self, service)
    client.meta.events.register("before-send.route53.ChangeResourceRecordSets", wait)
    return client
Aws._make_client = waiting
from paymig.gates import judge
judge.judge = lambda *_: lambda _: ()
main(sys.argv[1:])
"""


def test_of_two_processes_one_shifts_and_the_other_hears_who_does(stage, spec):
    """Whichever comes first holds the lease and waits before it writes, until the other one has been refused."""
    command = [
        sys.executable,
        "-c",
        WAITING_SHIFT,
        "shift",
        spec.file,
        "--yes",
        "--no-bake",
        "--format",
        "json",
        "--to",
    ]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [
        subprocess.Popen([*command, share], env=environment(stage), text=True, **pipes) for share in ("10", "50")
    ]
    until(lambda: any(process.poll() is not None for process in processes), "neither is refused")
    ended = [(process.communicate("go on\n", timeout=PATIENCE), process.returncode) for process in processes]
    assert sorted(code for _, code in ended) == [0, 3], ended
    for (out, err), code in ended:
        if code == 0:
            assert Weights(**json.loads(out.splitlines()[-1])["after"]) == live(stage, spec)
        else:
            assert "the lease is held by" in err and "`paymig shift`" in err


def environment(stage) -> dict[str, str]:
    return {**os.environ, **stage.embedded.environment()}


@pytest.mark.parametrize("start", [0, 10])
def test_a_rollback_beats_a_shift_that_is_about_to_write(stage, spec, start):
    go(stage.aws, spec, start)
    alice, bob = another(stage), another(stage)
    with paused(alice, "route53", "ChangeResourceRecordSets") as (reached, go_on):
        late = Operator(lambda: go(alice, spec, 50))
        assert reached.wait(PATIENCE)
        assert back(bob, spec).after == Weights(100, 0)
        go_on.set()
        stopped = late.end()
    assert isinstance(stopped, LeaseLost), stopped
    assert live(stage, spec) == Weights(100, 0)


def test_a_dead_operators_lease_does_not_hold_a_rollback_up(stage, spec):
    go(stage.aws, spec, 50)
    dead, _ = open_journal(another(stage), spec.migration.full_name).acquire("deploy")
    with pytest.raises(LeaseHeld):
        go(stage.aws, spec, 100)
    assert back(another(stage), spec).before == Weights(50, 50)
    assert history(stage.aws, spec)[-3:] == [
        ("rollback", "take the lease over", "note"),
        ("rollback", "send the traffic back", "intent"),
        ("rollback", "send the traffic back", "done"),
    ]
    assert open_journal(stage.aws, spec.migration.full_name).lease().token == dead.token + 1


def test_a_rollback_needs_no_cloudformation(stage, spec, capsys):
    go(stage.aws, spec, 50)
    bob = another(stage)
    with unreachable(bob, "cloudformation"):
        assert back(bob, spec).after == Weights(100, 0)
    assert live(stage, spec) == Weights(100, 0)
    assert "paymig status" in capsys.readouterr().err
    assert history(stage.aws, spec)[-1] == ("rollback", "send the traffic back", "done")


def test_without_the_journal_a_rollback_wants_the_operators_word(stage, spec):
    go(stage.aws, spec, 50)
    bob = another(stage)
    with unreachable(bob, "dynamodb"):
        with pytest.raises(AwsError) as refused:
            back(bob, spec)
        assert "--without-journal" in refused.value.hint
        assert live(stage, spec) == Weights(50, 50)
        assert back(bob, spec, without_journal=True).after == Weights(100, 0)


def test_a_rollback_mends_weights_that_are_both_zero(stage, spec):
    zone = spec.migration.routing.hosted_zone
    client = stage.aws.client("route53")
    records = client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    changes = [
        {"Action": "UPSERT", "ResourceRecordSet": record | {"Weight": 0}} for record in records if "Weight" in record
    ]
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    with pytest.raises(Refused, match="both weights"):
        go(stage.aws, spec, 10)
    assert back(stage.aws, spec).after == Weights(100, 0)
    assert live(stage, spec) == Weights(100, 0)


@contextmanager
def writer_put_back(stage, spec):
    """What moves the writer in between is forgotten."""
    table = open_journal(stage.aws, spec.migration.full_name)._table.name
    key = {"migration": {"S": spec.migration.full_name}, "item": {"S": "control"}}
    try:
        yield
    finally:
        stage.aws.client("dynamodb").delete_item(TableName=table, Key=key)


def commit_writer(aws, spec) -> None:
    journal = open_journal(aws, spec.migration.full_name)
    with hold(journal, "switchover") as holding:
        journal.commit_writer(holding.lease, 0, "target", Draft("switchover", "test of the writer", "note"))


def test_once_the_writer_has_moved_weights_alone_do_not(stage, spec):
    with writer_put_back(stage, spec):
        commit_writer(stage.aws, spec)
        for act in (lambda: go(stage.aws, spec, 10), lambda: back(stage.aws, spec)):
            with pytest.raises(Refused, match="the target is the writer"):
                act()
    assert live(stage, spec) == Weights(100, 0)


def test_a_writer_that_moves_while_a_rollback_waits_for_its_answer_keeps_the_traffic(stage, spec, monkeypatch):
    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(100))
    alice, bob = another(stage), another(stage)
    monkeypatch.setattr(Console, "confirm", lambda *_: commit_writer(alice, spec))
    with writer_put_back(stage, spec), pytest.raises(Refused, match="the target is the writer"):
        back(bob, spec)
    assert live(stage, spec) == Weights(0, 100)
    assert not open_journal(stage.aws, spec.migration.full_name).lease().held


def test_a_shift_waits_for_no_deploy_and_a_deploy_for_no_shift(stage, spec):
    journal = open_journal(another(stage), spec.migration.full_name)
    with hold(journal, "deploy"), pytest.raises(LeaseHeld, match="`paymig deploy`"):
        go(stage.aws, spec, 10)
    with hold(journal, "shift"), pytest.raises(LeaseHeld, match="`paymig shift`"):
        Deployer(stage.aws, spec, compile_spec(spec), Console()).run(yes=True)
    assert live(stage, spec) == Weights(100, 0)


def change_records(stage, spec, share: int, delay: float) -> change_set.ChangeSet:
    """Propose an update that gives AWS `share` percent, and make it slow."""
    stage.embedded.faults(Fault(logical_id="Records", operation="update", delay=delay))
    root = stack.describe(stage.aws, spec.migration.full_name)
    parameters = root.parameters | {"OldWeight": str(100 - share), "NewWeight": str(share)}
    proposed = change_set.propose(stage.aws, root.name, root, {"UsePreviousTemplate": True}, parameters, {})
    assert proposed is not None
    return proposed


def test_a_rollback_undoes_what_an_update_under_way_does_to_the_record(stage, spec, capsys):
    """An update that began before the rollback sets the record when the traffic is back already."""
    change_set.execute(stage.aws, change_records(stage, spec, 37, delay=1.5))
    go_back_at = time.monotonic()
    with pytest.raises(Refused, match="UPDATE_IN_PROGRESS"):
        go(another(stage), spec, 10)
    back(another(stage), spec)
    assert time.monotonic() - go_back_at > 1, "it watched the update to its end"
    stage.embedded.faults()
    assert stack.describe(stage.aws, spec.migration.full_name).parameters["NewWeight"] == "37"
    assert live(stage, spec) == Weights(100, 0)
    assert "moved the traffic; sending it back again" in capsys.readouterr().err


@pytest.mark.parametrize("act", [lambda aws, spec: go(aws, spec, 10), back])
def test_moving_traffic_voids_change_sets_that_hold_older_weights(stage, spec, act):
    proposed = change_records(stage, spec, 77, delay=0.01)
    stage.embedded.faults()
    act(another(stage), spec)
    after = live(stage, spec)
    with pytest.raises(change_set.Overtaken):
        change_set.execute(stage.aws, proposed)
    assert live(stage, spec) == after


def test_a_hand_made_change_during_a_shift_is_kept_and_reported(stage, spec):
    alice = another(stage)

    def meddle(**_):
        weights.write(another(stage), record_of(spec.migration), Weights.to_new(1))

    with hooked(alice, "route53", "ChangeResourceRecordSets", meddle), pytest.raises(Refused, match="old 99, new 1"):
        go(alice, spec, 10)
    assert live(stage, spec) == Weights(99, 1)
