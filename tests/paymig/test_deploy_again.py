"""Deploys that meet: two at once, one that was left alone, one that finds what somebody changed by hand."""

import functools
import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from compiler.compile import compile_spec
from paymig.aws import bootstrap, change_set, stack, weights
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import Deployer, record_of
from paymig.embedded.faults import Fault
from paymig.errors import Refused, StackFailed
from paymig.follow import Watch
from paymig.journal.opening import open_journal
from paymig.rehearsal.stage import open_stage
from runtime_lambdas.runtime.journal.lease import LeaseLost
from schemas.load import load
from tests.paymig.operators import PATIENCE, Operator, another, history, hooked, live, paused
from tests.processes import PAYMIG

FOREVER = 600
"""Seconds that an operation takes unless its fault is lifted."""


def with_memory(spec, mebibytes: int):
    api = spec.migration.api.model_copy(update={"memory": mebibytes * 2**20})
    return replace(spec, migration=spec.migration.model_copy(update={"api": api}))


def deploy(aws, spec, console=None, **options):
    return Deployer(aws, spec, compile_spec(spec), console or Console(), **options).run(yes=True)


class Following(Console):
    """Tells when its deploy begins to follow another one's operation."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def say(self, line) -> None:
        super().say(line)
        if "following what is under way" in str(line):
            self.reached.set()


@pytest.fixture(scope="module")
def deployed(spec):
    with open_stage(spec.migration) as opened:
        deploy(opened.aws, spec)
        yield opened


@pytest.fixture
def slow(deployed):
    """Put faults in force for the length of a test."""
    yield deployed.embedded.faults
    deployed.embedded.faults()


def until_busy(aws, spec) -> None:
    ends = time.monotonic() + PATIENCE
    while (found := stack.describe(aws, spec.migration.full_name)) is None or not found.busy:
        assert time.monotonic() < ends
        time.sleep(0.02)


def deploy_beside(deployed, slow, spec, fault: Fault):
    """Deploy while another deploy of the same waits at a fault; lift it when the second follows the first."""
    slow(fault)
    first = Operator(lambda: deploy(another(deployed), spec))
    until_busy(deployed.aws, spec)
    console = Following()
    second = Operator(lambda: deploy(another(deployed), spec, console))
    assert console.reached.wait(PATIENCE)
    slow()
    return first.end(), second.end()


def test_a_second_deploy_follows_the_one_under_way(deployed, slow, spec, capsys):
    fault = Fault(logical_id="Function", operation="update", delay=FOREVER)
    first, second = deploy_beside(deployed, slow, with_memory(spec, 1280), fault)
    assert first.outcome == "updated"
    assert (second.outcome, second.change_set) == ("followed", None)
    assert "Another deploy is at work" in capsys.readouterr().err


def test_a_follower_hears_of_the_failure_and_its_cause(deployed, slow, spec):
    fault = Fault(logical_id="Function", operation="update", delay=FOREVER, error="the fault of this test", times=1)
    for ended in deploy_beside(deployed, slow, with_memory(spec, 1536), fault):
        assert isinstance(ended, StackFailed), ended
        assert "the fault of this test" in ended.message


def test_two_first_deploys_at_once_end_with_one_stack(stage, spec):
    """Before the first deploy there is no lease to take: the table that holds it is being made."""
    both = [Operator(lambda: deploy(another(stage), spec)) for _ in range(2)]
    ended = [one.end() for one in both]
    outcomes = {getattr(one, "outcome", repr(one)) for one in ended}
    assert outcomes in ({"created", "followed"}, {"created", "unchanged"})


@functools.cache
def compiled(file: str):
    return compile_spec(load(Path(file)))


def make_bootstrap(aws, spec):
    watch = Watch(aws, compiled(spec.file), Console())
    return bootstrap.ensure(aws, watch.execute, watch.settle)


def is_faster(aws, spec) -> None:
    make_bootstrap(aws, spec)


def cleans_up(aws, spec) -> None:
    change_set.clean(aws, stack.describe(aws, bootstrap.STACK))


def deletes(aws, spec) -> None:
    found = stack.describe(aws, bootstrap.STACK)
    if found is not None and found.status == "REVIEW_IN_PROGRESS":
        aws.client("cloudformation").delete_stack(StackName=bootstrap.STACK)


@pytest.mark.parametrize("meddle", [is_faster, cleans_up, deletes])
def test_whenever_another_first_deploy_comes_between_there_is_one_bootstrap_stack(stage, spec, meddle):
    """At each call to CloudFormation in turn: whatever was waiting may be gone, and all of it may be made."""
    index, calls = 0, 1
    while index < calls:
        aws = another(stage)
        count = 0

        def between(**_):
            nonlocal count
            count += 1
            if count == index + 1:  # noqa: B023 - called within this turn
                meddle(another(stage), spec)

        with hooked(aws, "cloudformation", "", between):
            made = make_bootstrap(aws, spec)
        calls = count
        found = stack.describe(aws, bootstrap.STACK)
        assert found.status == "CREATE_COMPLETE", index
        assert (made.bucket, made.journal_table) == (found.outputs["ArtifactBucket"], found.outputs["JournalTable"])
        assert not list(aws.client("cloudformation").list_change_sets(StackName=found.name)["Summaries"])[1:], index
        aws.client("cloudformation").delete_stack(StackName=found.id)
        Watch(aws, compiled(spec.file), Console()).settle(found.id)
        index += 1
    assert calls > 8


def command(stage, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [*PAYMIG, *arguments],
        env={**os.environ, **stage.embedded.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_stops_following_and_the_next_deploy_goes_on(stage, spec):
    stage.embedded.faults(Fault(logical_id="Cluster", operation="create", delay=FOREVER))
    left = command(stage, "deploy", spec.file, "--yes", "--format", "json")
    assert any(json.loads(line)["logical_id"] == "Cluster" for line in left.stdout)
    left.send_signal(signal.SIGINT)
    _, err = left.communicate(timeout=PATIENCE)
    assert left.returncode == 130, err
    assert f"Stack {spec.migration.full_name} goes on in AWS; to follow it again: paymig deploy" in err
    assert not open_journal(stage.aws, spec.migration.full_name).lease().held
    assert stack.describe(stage.aws, spec.migration.full_name).status == "CREATE_IN_PROGRESS"

    resumed = command(stage, "deploy", spec.file, "--yes", "--format", "json")
    lines = [json.loads(resumed.stdout.readline())]
    stage.embedded.faults()
    lines += [json.loads(line) for line in resumed.stdout]
    _, err = resumed.communicate(timeout=PATIENCE)
    assert resumed.returncode == 0, err
    assert lines[-1]["event"] == "result"
    assert lines[-1]["outcome"] == "followed"
    events = [line for line in lines if line["event"] == "resource"]
    assert len(lines) == len(events) + 1
    first = events[0]
    assert (first["status"], first["type"]) == ("CREATE_IN_PROGRESS", stack.NESTED), "from the operation's beginning"
    ends = [(event["logical_id"], event["status"]) for event in events]
    assert ends.count((spec.migration.full_name, "CREATE_COMPLETE")) == 1
    assert history(stage.aws, spec)[:4] == [
        ("deploy", "execute the change set", "intent"),
        ("deploy", "execute the change set", "failed"),
        ("deploy", "follow the operation under way", "intent"),
        ("deploy", "follow the operation under way", "done"),
    ]


def test_traffic_that_moved_while_the_question_stood_voids_the_change_set(deployed, spec):
    """The rollback function takes no lease: what it did must not be undone by an update with older weights."""
    alice = another(deployed)
    weights.write(alice, record_of(spec.migration), Weights.to_new(10))

    class Hesitant(Console):
        def confirm(self, question: str, yes: bool) -> None:
            weights.write(another(deployed), record_of(spec.migration), Weights.to_new(0))

    changed = with_memory(spec, 1792)
    with pytest.raises(Refused, match="moved from old 90, new 10 to old 100, new 0"):
        Deployer(alice, changed, compile_spec(changed), Hesitant()).run(yes=False)
    assert live(deployed, spec) == Weights(100, 0)
    assert not change_set.clean(alice, stack.describe(alice, spec.migration.full_name)), "nothing is left over"
    assert deploy(alice, changed).outcome == "updated"
    assert live(deployed, spec) == Weights(100, 0)


def test_a_lease_lost_before_the_execution_stops_the_deploy(deployed, spec):
    alice = another(deployed)
    changed = with_memory(spec, 2048)
    with paused(alice, "cloudformation", "CreateChangeSet", about="payments-prod") as (reached, go_on):
        late = Operator(lambda: deploy(alice, changed))
        assert reached.wait(PATIENCE)
        open_journal(another(deployed), spec.migration.full_name).acquire("rollback", over=True)
        go_on.set()
        stopped = late.end()
    assert isinstance(stopped, LeaseLost), stopped
    assert "`paymig rollback`" in stopped.message
    journal = open_journal(deployed.aws, spec.migration.full_name)
    journal.break_lease(journal.lease())
    assert deploy(alice, changed).outcome == "updated", "the change set that was left over is no obstacle"


def test_what_was_changed_by_hand_is_shown_and_stops_a_deploy_where_state_is_at_stake(deployed, spec, capsys):
    lambdas, rds = deployed.aws.client("lambda"), deployed.aws.client("rds")
    name = next(
        f["FunctionName"] for f in lambdas.list_functions()["Functions"] if "rollback" in f["FunctionName"].lower()
    )
    timeout = lambdas.get_function_configuration(FunctionName=name)["Timeout"]
    lambdas.update_function_configuration(FunctionName=name, Timeout=timeout + 1)
    assert deploy(deployed.aws, with_memory(spec, 2304)).outcome == "updated", "no state is at stake"
    assert f"/Timeout is {timeout + 1}, not {timeout}" in capsys.readouterr().err

    cluster = rds.describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"]
    rds.modify_db_cluster(DBClusterIdentifier=cluster, DeletionProtection=False)
    before = history(deployed.aws, spec)
    with pytest.raises(Refused, match="Database/Cluster") as refused:
        deploy(deployed.aws, with_memory(spec, 2560))
    assert "/DeletionProtection is false, not true" in capsys.readouterr().err
    assert "--accept-drift Database/Cluster" in refused.value.hint
    assert history(deployed.aws, spec) == before
    assert not change_set.clean(deployed.aws, stack.describe(deployed.aws, spec.migration.full_name))
    accepted = deploy(deployed.aws, with_memory(spec, 2560), accepted_drift=["Database/Cluster"])
    assert accepted.outcome == "updated"
    rds.modify_db_cluster(DBClusterIdentifier=cluster, DeletionProtection=True)


def test_change_sets_that_others_left_over_are_deleted_but_not_foreign_ones(deployed, spec):
    root = stack.describe(deployed.aws, spec.migration.full_name)
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    client = deployed.aws.client("cloudformation")
    for name in ("paymig-left", "somebody-elses"):
        client.create_change_set(StackName=root.name, ChangeSetName=name, ChangeSetType="UPDATE", TemplateBody=body)
    assert [id_.split("/")[-2] for id_ in change_set.clean(deployed.aws, root)] == ["paymig-left"]
    left = [summary["ChangeSetName"] for summary in client.list_change_sets(StackName=root.name)["Summaries"]]
    assert "somebody-elses" in left and "paymig-left" not in left
    client.delete_change_set(StackName=root.name, ChangeSetName="somebody-elses")


def test_an_update_executed_twice_is_started_once(deployed, spec):
    """The first attempt's answer is lost: the repetition finds the change set started, and follows it."""
    alice = another(deployed)
    started = []

    def strike(request, **_):
        started.append(request)
        if len(started) == 1:
            URLLib3Session().send(request)
            raise ConnectionClosedError(endpoint_url=request.url)

    with hooked(alice, "cloudformation", "ExecuteChangeSet", strike):
        assert deploy(alice, with_memory(spec, 2816)).outcome == "updated"
    assert len(started) == 2
