"""Termination protection and stack policies: what other hands cannot do to a deployed migration."""

import json

import pytest
from botocore.exceptions import ClientError

from compiler.compile import compile_spec
from compiler.plan.stateful import LOST
from paymig.aws import stack
from paymig.console import Console
from paymig.deploy import Deployer
from paymig.destroy import destroy
from paymig.embedded.faults import Fault
from paymig.embedded.plugin.stack_policies import refusal
from paymig.errors import StackFailed
from paymig.journal.opening import open_journal
from paymig.rehearsal.stage import open_stage
from runtime_lambdas.runtime.waiting import paces
from schemas.load import parse
from tests.paymig.conftest import SPECS

ALL = {"Resource": "*"}
LOST_BY_FEWER = ("Network/NatAddress2", "Network/NatAddress3")


@pytest.fixture(scope="module")
def fewer(spec):
    """The spec, with addresses less."""
    changed = spec.text.replace("nat_gateways: per-zone", "nat_gateways: single")
    assert changed != spec.text
    return parse(changed, "migration.yaml", SPECS)


@pytest.fixture(scope="module")
def deployed(spec):
    with open_stage(spec.migration) as opened:
        run(opened, spec)
        yield opened


def run(stage, spec, *allowed):
    return Deployer(stage.aws, spec, compile_spec(spec), Console(), allowed_replacements=allowed).run(yes=True).outcome


def policies(stage, spec) -> dict[str, list[dict]]:
    """The statements of each stack's policy; the root's under an empty name."""
    cloudformation = stage.aws.client("cloudformation")
    stacks = {**stack.nested(stage.aws, spec.migration.full_name), "": spec.migration.full_name}
    return {
        component: json.loads(cloudformation.get_stack_policy(StackName=name)["StackPolicyBody"])["Statement"]
        for component, name in stacks.items()
    }


def steps(stage, spec) -> list[str]:
    entries = open_journal(stage.aws, spec.migration.full_name).entries()
    return [f"{entry.step}: {entry.kind}" for entry in entries]


def update(stage, name: str, remove: str) -> stack.Stack:
    """Update a stack past paymig, to its own template without one resource."""
    cloudformation = stage.aws.client("cloudformation")
    template = cloudformation.get_template(StackName=name)["TemplateBody"]
    del template["Resources"][remove]
    template["Outputs"] = {}
    found = stack.describe(stage.aws, name)
    cloudformation.update_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "UsePreviousValue": True} for key in found.parameters],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    for _ in paces(30):
        if not (found := stack.describe(stage.aws, name)).busy:
            break
    return found


def test_the_root_cannot_be_deleted_and_every_stack_keeps_what_holds_state(deployed, spec):
    name = spec.migration.full_name
    with pytest.raises(ClientError, match="TerminationProtection"):
        deployed.aws.client("cloudformation").delete_stack(StackName=name)
    found = policies(deployed, spec)
    assert found.keys() - {""} == stack.nested(deployed.aws, name).keys()
    for component, nested in stack.nested(deployed.aws, name).items():
        kept = {one.logical_id for one in stack.resources(deployed.aws, nested) if one.type in LOST}
        allow, *deny = found[component]
        assert (allow["Effect"], allow["Action"]) == ("Allow", "Update:*")
        assert {one.removeprefix("LogicalResourceId/") for part in deny for one in part["Resource"]} == kept
        assert (f"LogicalResourceId/{component}" in found[""][1]["Resource"]) is bool(kept)
    assert "LogicalResourceId/Cluster" in found["Database"][1]["Resource"]
    assert found[""][1]["Action"] == ["Update:Replace", "Update:Delete"]


def test_an_update_by_other_hands_deletes_nothing_that_holds_state(deployed, spec):
    name = stack.nested(deployed.aws, spec.migration.full_name)["Monitoring"]
    ended = update(deployed, name, "AuditLogs")
    assert ended.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "AuditLogs" in {one.logical_id for one in stack.resources(deployed.aws, name)}
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in deployed.aws.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    ]
    assert any("denied by stack policy" in reason and "Update:Delete" in reason for reason in reasons)


def test_a_second_deploy_has_nothing_to_protect(deployed, spec):
    before = steps(deployed, spec)
    assert run(deployed, spec) == "unchanged"
    assert steps(deployed, spec) == before


def test_what_a_dead_deploy_left_open_the_next_one_closes(deployed, spec):
    wanted, name = policies(deployed, spec), spec.migration.full_name
    cloudformation = deployed.aws.client("cloudformation")
    cloudformation.set_stack_policy(
        StackName=stack.nested(deployed.aws, name)["Database"],
        StackPolicyBody=json.dumps({"Statement": wanted[""][:1]}),
    )
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    assert policies(deployed, spec) != wanted
    assert run(deployed, spec) == "unchanged"
    assert policies(deployed, spec) == wanted
    assert stack.describe(deployed.aws, name).protected


def test_what_a_deploy_names_is_opened_for_it_and_nothing_else(deployed, spec, fewer):
    closed = policies(deployed, spec)
    deployed.embedded.faults(Fault(resource_type="AWS::EC2::Route", operation="update", error="the fault of this test"))
    with pytest.raises(StackFailed):
        run(deployed, fewer, *LOST_BY_FEWER)
    deployed.embedded.faults()
    assert policies(deployed, spec) == closed, "closed again after a failure"

    assert run(deployed, fewer, *LOST_BY_FEWER) == "updated"
    after = policies(deployed, spec)
    # What is gone needs no policy any more: there is nothing to close.
    assert steps(deployed, spec)[-3:] == [
        "open the stack policies: done", "execute the change set: intent", "execute the change set: done",
    ]  # fmt: skip
    assert after.keys() == closed.keys()
    gone = {f"LogicalResourceId/{place.partition('/')[2]}" for place in LOST_BY_FEWER}
    assert gone <= set(closed["Network"][1]["Resource"])
    assert set(after["Network"][1]["Resource"]) == set(closed["Network"][1]["Resource"]) - gone
    assert {name: one for name, one in after.items() if name != "Network"} == {
        name: one for name, one in closed.items() if name != "Network"
    }


def test_destroy_lifts_it_after_the_confirmation(deployed, spec, capsys):
    assert stack.describe(deployed.aws, spec.migration.full_name).protected
    assert destroy(deployed.aws, spec.migration, Console(), yes=True)
    assert "termination protection will be lifted" in capsys.readouterr().err
    assert stack.describe(deployed.aws, spec.migration.full_name) is None


@pytest.mark.parametrize(
    ("policy", "action", "allowed"),
    [
        ([], "Update:Modify", False),
        ([("Allow", "Update:*", ALL)], "Update:Delete", True),
        ([("Allow", "Update:*", {"Resource": "LogicalResourceId/Other"})], "Update:Modify", False),
        ([("Allow", "Update:*", {"NotResource": "LogicalResourceId/Other"})], "Update:Modify", True),
        ([("Deny", "Update:Replace", ALL), ("Allow", "Update:*", ALL)], "Update:Replace", False),
        ([("Deny", "Update:Replace", ALL), ("Allow", "Update:*", ALL)], "Update:Modify", True),
        (
            [
                ("Allow", "Update:*", ALL),
                ("Deny", "Update:*", {**ALL, "Condition": {"StringLike": {"ResourceType": "AWS::RDS::*"}}}),
            ],
            "Update:Modify",
            False,
        ),
    ],
)  # fmt: skip
def test_a_policy_allows_what_it_names_and_denial_wins(policy, action, allowed):
    statements = [{"Effect": effect, "Action": verb, "Principal": "*", **rest} for effect, verb, rest in policy]
    found = refusal(json.dumps({"Statement": statements}), "Cluster", "AWS::RDS::DBCluster", action)
    assert (found is None) is allowed
    assert allowed or "LogicalResourceId/Cluster" in found
