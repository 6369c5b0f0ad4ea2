"""Deploying the full spec to the embedded AWS: to the end, again, half-way, and over live weights."""

from dataclasses import replace

import pytest

from compiler.compile import compile_spec
from paymig.aws import bootstrap, change_set, stack, weights
from paymig.aws.events import Follower
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import Deployer, record_of
from paymig.destroy import destroy
from paymig.embedded.faults import Fault
from paymig.errors import NotConfirmed, Refused, StackFailed
from paymig.status import look
from tests.paymig.operators import hooked


def with_memory(spec, mebibytes: int):
    api = spec.migration.api.model_copy(update={"memory": mebibytes * 2**20})
    return replace(spec, migration=spec.migration.model_copy(update={"api": api}))


def live(stage, spec) -> Weights | None:
    return weights.read(stage.aws, record_of(spec.migration))


def test_a_migration_lives(stage, spec, deploy):
    """Create, nothing to do, change over live weights, refuse to destroy under traffic, destroy."""
    created = deploy(spec)
    assert created.outcome == "created"
    assert created.uploaded > 10
    assert live(stage, spec) == Weights(100, 0)
    assert look(stage.aws, spec.migration).healthy
    assert set(stack.nested(stage.aws, created.stack)) == {
        "Api", "Control", "Database", "LoadBalancer", "Monitoring",
        "Network", "Replication", "Routing", "Security", "Validation",
    }  # fmt: skip

    again = deploy(spec)
    assert (again.outcome, again.uploaded) == ("unchanged", 0)

    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(37))
    assert look(stage.aws, spec.migration).recorded == Weights(100, 0)
    assert deploy(with_memory(spec, 1024)).outcome == "updated"
    assert live(stage, spec) == Weights(63, 37)
    assert look(stage.aws, spec.migration).recorded == Weights(63, 37)

    with pytest.raises(Refused, match="37 % of the traffic"):
        destroy(stage.aws, spec.migration, Console(), yes=True)
    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(0))
    assert destroy(stage.aws, spec.migration, Console(), yes=True)
    assert not look(stage.aws, spec.migration).healthy
    assert bootstrap.find(stage.aws) is not None, "the journal outlives the stacks"
    assert not destroy(stage.aws, spec.migration, Console(), yes=True)


def test_a_long_history_is_not_read_to_its_end(stage, spec, deploy):
    name = deploy(spec).stack
    stacks = [name, *stack.nested(stage.aws, name).values()]
    events = stage.aws.client("cloudformation").get_paginator("describe_stack_events")
    pages = [page for id_ in stacks for page in events.paginate(StackName=id_)]
    assert len(pages) > len(stacks), "some stack has more events than a page holds"
    reads = []
    with hooked(stage.aws, "cloudformation", "DescribeStackEvents", lambda **_: reads.append(1)):
        Follower(stage.aws, name)
    assert len(reads) == len(stacks)


def test_a_failure_names_its_cause_and_its_line_and_leaves_nothing(stage, spec, deploy):
    stage.embedded.faults(Fault(logical_id="Cluster", operation="create", error="the fault of this test"))
    with pytest.raises(StackFailed) as failed:
        deploy(spec)
    line = spec.locate("database").line
    assert "Database/Cluster (AWS::RDS::DBCluster) ended CREATE_FAILED: " in failed.value.message
    assert "the fault of this test" in failed.value.message
    assert f"{spec.file}:{line}:" in failed.value.message
    assert failed.value.exit_code == 6
    root = stack.describe(stage.aws, spec.migration.full_name)
    assert root.status == "ROLLBACK_COMPLETE"
    assert not stage.aws.client("rds").describe_db_clusters()["DBClusters"]
    with pytest.raises(Refused, match="ROLLBACK_COMPLETE"):
        deploy(spec)
    stage.embedded.faults()
    assert destroy(stage.aws, spec.migration, Console(), yes=True)
    assert deploy(spec).outcome == "created"


def test_a_deploy_that_fails_half_way_leaves_the_live_weights(stage, spec, deploy):
    deploy(spec)
    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(37))
    stage.embedded.faults(Fault(logical_id="Function", operation="update", error="the fault of this test", times=1))
    with pytest.raises(StackFailed):
        deploy(with_memory(spec, 1024))
    assert stack.describe(stage.aws, spec.migration.full_name).status == "UPDATE_ROLLBACK_COMPLETE"
    assert live(stage, spec) == Weights(63, 37)
    stage.embedded.faults()
    assert deploy(with_memory(spec, 1024)).outcome == "updated"
    assert live(stage, spec) == Weights(63, 37)


def test_declining_and_proposing_change_nothing(stage, spec):
    deployer = Deployer(stage.aws, spec, compile_spec(spec), Console())
    with pytest.raises(NotConfirmed):
        deployer.run(yes=False)
    assert stack.describe(stage.aws, spec.migration.full_name) is None
    proposed = deployer.run(yes=True, execute=False)
    assert proposed.outcome == "proposed"
    assert stack.describe(stage.aws, spec.migration.full_name).status == "REVIEW_IN_PROGRESS"
    assert live(stage, spec) is None
    assert deployer.run(yes=True).outcome == "created", "a proposed change set is no obstacle"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (None, "CREATE"),
        ("REVIEW_IN_PROGRESS", "CREATE"),
        ("CREATE_COMPLETE", "UPDATE"),
        ("UPDATE_COMPLETE", "UPDATE"),
        ("UPDATE_ROLLBACK_COMPLETE", "UPDATE"),
        ("CREATE_IN_PROGRESS", None),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None),
        ("ROLLBACK_COMPLETE", None),
        ("CREATE_FAILED", None),
        ("DELETE_FAILED", None),
        ("UPDATE_ROLLBACK_FAILED", None),
    ],
)
def test_what_a_stack_allows(status, kind):
    found = status and stack.Stack("id", "payments-prod", status, None, {}, {}, None, False)
    if kind:
        assert change_set.kind_for(found) == kind
    else:
        with pytest.raises(Refused) as refused:
            change_set.kind_for(found)
        assert status in refused.value.message
        assert refused.value.hint
