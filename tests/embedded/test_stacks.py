"""Stacks behave as CloudFormation's do: nested ones, failing ones, slow ones."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from paymig.embedded.faults import Fault
from paymig.embedded.process import EmbeddedAws
from tests.embedded.contract import att, ref, resource
from tests.embedded.stack import Stack

SECRET_GENERATOR = {"SecretStringTemplate": "{}", "GenerateStringKey": "password"}


def child(value: str, **more) -> dict:
    return {
        "Parameters": {"Value": {"Type": "String"}},
        "Resources": {
            "Topic": resource("SNS::Topic"),
            "Secret": resource("SecretsManager::Secret", GenerateSecretString=SECRET_GENERATOR),
            "Kept": resource("SSM::Parameter", Type="String", Value=value),
            **more,
        },
        "Outputs": {"SecretArn": {"Value": ref("Secret")}, "Topic": {"Value": att("Topic", "TopicName")}},
    }


def nested(url: str, value: str = "x") -> dict:
    return resource("CloudFormation::Stack", TemplateURL=url, Parameters={"Value": value})


def test_a_nested_update_keeps_unchanged_resources(deploy, put_template) -> None:
    first, second = put_template(child("one")), put_template(child("two"))
    stack = deploy(
        {"Child": nested(first)}, Secret=att("Child", "Outputs.SecretArn"), Topic=att("Child", "Outputs.Topic")
    )
    before, child_id = stack.outputs, stack.ref("Child")
    outputs = {"Secret": att("Child", "Outputs.SecretArn"), "Topic": att("Child", "Outputs.Topic")}
    assert stack.apply({"Child": nested(second)}, outputs) == "UPDATE_COMPLETE", stack.failures()
    assert stack.outputs == before
    assert stack.ref("Child") == child_id


def test_outputs_flow_from_child_to_child(deploy, put_template) -> None:
    url = put_template(child("one"))
    stack = deploy(
        {
            "One": nested(url),
            "Two": resource(
                "CloudFormation::Stack", TemplateURL=url, Parameters={"Value": att("One", "Outputs.Topic")}
            ),
        }
    )
    parameters = stack.cfn.describe_stacks(StackName=stack.ref("Two"))["Stacks"][0]
    assert parameters["Parameters"][0]["ParameterValue"].startswith(stack.name)
    assert parameters["ParentId"] == stack.stack_id


def test_a_change_set_looks_into_nested_stacks(deploy, put_template) -> None:
    first, second = put_template(child("one")), put_template(child("two", More=resource("SQS::Queue")))
    stack = deploy({"Child": nested(first), "Other": nested(first)})
    body = json.dumps({"Resources": {"Child": nested(second), "Other": nested(first), "Third": nested(first)}})
    made = stack.cfn.create_change_set(
        StackName=stack.stack_id, ChangeSetName="look", TemplateBody=body, IncludeNestedStacks=True
    )
    found = {
        change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"]
        for change in stack.cfn.describe_change_set(ChangeSetName=made["Id"])["Changes"]
    }
    assert sorted(found) == ["Child", "Third"]
    inside = {name: _actions(stack, change["ChangeSetId"]) for name, change in found.items()}
    assert inside["Child"] == {"Kept": "Modify", "More": "Add"}
    assert inside["Third"] == {"Kept": "Add", "Secret": "Add", "Topic": "Add"}
    stack.cfn.delete_change_set(ChangeSetName=made["Id"])
    with pytest.raises(ClientError, match="does not exist"):
        stack.cfn.describe_change_set(ChangeSetName=found["Child"]["ChangeSetId"])


def _actions(stack, change_set_id: str) -> dict[str, str]:
    changes = stack.cfn.describe_change_set(ChangeSetName=change_set_id)["Changes"]
    return {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]["Action"] for one in changes}


def test_a_failed_nested_create_leaves_nothing(aws, deploy, put_template) -> None:
    aws.faults(Fault(logical_id="Last", error="the quota is used up"))
    last = resource("SNS::Topic", after=("Topic", "Secret"))
    stack = deploy({"Child": nested(put_template(child("one", Last=last)))})
    assert stack.status == "ROLLBACK_COMPLETE"
    reason = next(line for line in stack.failures() if line.startswith("Child:"))
    assert "was not successfully created: The following resource(s) failed to create: [Last]" in reason
    child_id = reason.split()[3]
    assert stack.cfn.describe_stacks(StackName=child_id)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    failed = [event for event in stack.events(child_id) if event["ResourceStatus"] == "CREATE_FAILED"]
    assert [(event["LogicalResourceId"], event["ResourceStatusReason"]) for event in failed] == [
        ("Last", "the quota is used up")
    ]
    assert not [topic for topic in aws.client("sns").list_topics()["Topics"] if stack.name in topic["TopicArn"]]


def test_a_failed_nested_update_goes_back(aws, deploy, put_template) -> None:
    stack = deploy({"Child": nested(put_template(child("one")))})
    parameter = _parameter_of(stack)
    aws.faults(Fault(logical_id="Secret", operation="update", error="no"))
    changed = child("two")
    changed["Resources"]["Secret"]["Properties"]["Description"] = "new"
    assert stack.apply({"Child": nested(put_template(changed))}) == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"] == "one"
    aws.faults()
    assert stack.apply({"Child": nested(put_template(changed))}) == "UPDATE_COMPLETE"
    assert aws.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"] == "two"


def _parameter_of(stack) -> str:
    found = stack.cfn.describe_stack_resource(StackName=stack.ref("Child"), LogicalResourceId="Kept")
    return found["StackResourceDetail"]["PhysicalResourceId"]


def test_an_update_tells_only_of_what_changes(deploy) -> None:
    stack = deploy({"Same": resource("SNS::Topic"), "Other": resource("SNS::Topic", DisplayName="a")})
    before = len(stack.events())
    assert (
        stack.apply({"Same": resource("SNS::Topic"), "Other": resource("SNS::Topic", DisplayName="b")})
        == "UPDATE_COMPLETE"
    )
    told = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in stack.events()[before:]]
    both = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    assert told == [(stack.name, both[0]), *(("Other", status) for status in both), (stack.name, both[1])]


def test_an_unknown_type_in_a_child_is_refused(deploy, put_template) -> None:
    url = put_template({"Resources": {"It": {"Type": "AWS::Imaginary::Thing"}}})
    stack = deploy({"Child": resource("CloudFormation::Stack", TemplateURL=url)})
    assert stack.status == "ROLLBACK_COMPLETE"
    assert "Unrecognized resource types: [AWS::Imaginary::Thing]" in "".join(stack.failures())


def test_a_fault_fails_a_resource_and_says_which(aws, deploy) -> None:
    aws.faults(Fault(logical_id="Bad", resource_type="AWS::SNS::Topic", error="no more topics"))
    stack = deploy({"Good": resource("SNS::Topic"), "Bad": resource("SNS::Topic", after=("Good",))})
    assert stack.status == "ROLLBACK_COMPLETE"
    assert stack.failures() == ["Bad: no more topics"]
    back = next(event for event in stack.events() if event["ResourceStatus"] == "ROLLBACK_IN_PROGRESS")
    assert (
        back["ResourceStatusReason"] == "The following resource(s) failed to create: [Bad]. Rollback requested by user."
    )


def test_a_fault_strikes_as_often_as_it_says(aws, deploy) -> None:
    aws.faults(Fault(logical_id="It", operation="update", error="once", times=1))
    stack = deploy({"It": resource("SNS::Topic", DisplayName="a")})
    assert stack.apply({"It": resource("SNS::Topic", DisplayName="b")}) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.apply({"It": resource("SNS::Topic", DisplayName="b")}) == "UPDATE_COMPLETE"


def test_a_slow_resource_is_seen_in_progress_in_its_child(aws, deploy, put_template) -> None:
    url = put_template(child("one"))
    stack = Stack(aws, "slow")
    aws.faults(Fault(logical_id="Secret", delay=0.5))
    stack.start({"Child": nested(url)})
    seen = set()
    while stack.status.endswith("IN_PROGRESS"):
        children = {
            event["PhysicalResourceId"]
            for event in stack.events()
            if event["LogicalResourceId"] == "Child" and event.get("PhysicalResourceId")
        }
        latest = [stack.events(stack_id)[-1] for stack_id in (stack.stack_id, *children)]
        seen |= {(event["LogicalResourceId"], event["ResourceStatus"]) for event in latest}
        time.sleep(0.02)
    assert {("Secret", "CREATE_IN_PROGRESS"), ("Child", "CREATE_IN_PROGRESS")} <= seen
    assert stack.status == "CREATE_COMPLETE"
    assert stack.delete() == "DELETE_COMPLETE"


def test_an_update_can_be_cancelled(aws, deploy) -> None:
    one = {"A": resource("SNS::Topic", DisplayName="a"), "B": resource("SNS::Topic", after=("A",), DisplayName="a")}
    two = {"A": resource("SNS::Topic", DisplayName="b"), "B": resource("SNS::Topic", after=("A",), DisplayName="b")}
    stack = deploy(one)
    aws.faults(Fault(logical_id="A", delay=0.5, times=1))
    stack.start(two)
    stack.cfn.cancel_update_stack(StackName=stack.stack_id)
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    topic = aws.client("sns").get_topic_attributes(TopicArn=stack.ref("A"))["Attributes"]
    assert topic["DisplayName"] == "a"


def test_a_stuck_rollback_can_be_continued(aws, deploy) -> None:
    one = {"A": resource("SNS::Topic", DisplayName="a"), "B": resource("SNS::Topic", after=("A",), DisplayName="a")}
    two = {"A": resource("SNS::Topic", DisplayName="b"), "B": resource("SNS::Topic", after=("A",), DisplayName="b")}
    stack = deploy(one)
    aws.faults(
        Fault(logical_id="B", operation="update", error="no", times=1),
        Fault(logical_id="A", operation="update", delay=0.3, times=1),
    )
    stack.start(two)
    time.sleep(0.1)
    aws.faults(
        Fault(logical_id="B", operation="update", error="no", times=1),
        Fault(logical_id="A", operation="update", error="stuck"),
    )
    assert stack.wait() == "UPDATE_ROLLBACK_FAILED"
    aws.faults()
    stack.cfn.continue_update_rollback(StackName=stack.stack_id)
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"


def test_faults_that_make_no_sense_are_refused(aws) -> None:
    with pytest.raises(Exception, match="not a list of faults"):
        aws._admin("PUT", "/_paymig/faults", '[{"colour": "red"}]')


def test_zones_are_those_of_the_region() -> None:
    with EmbeddedAws(region="us-west-2") as west:
        shown = west.client("ec2").describe_availability_zones()["AvailabilityZones"]
        assert [zone["ZoneName"][-1] for zone in shown] == ["a", "b", "c", "d"]
        stack = Stack(west, "zones")
        zone = {"Fn::Select": [3, {"Fn::GetAZs": ref("AWS::Region")}]}
        assert stack.apply({"It": resource("SNS::Topic", DisplayName=zone)}) == "CREATE_COMPLETE", stack.failures()
        topic = west.client("sns").get_topic_attributes(TopicArn=stack.ref("It"))["Attributes"]
        assert topic["DisplayName"] == "us-west-2d"


def test_a_template_in_a_bucket_that_does_not_exist(deploy) -> None:
    stack = deploy(
        {"Child": resource("CloudFormation::Stack", TemplateURL="https://s3.us-east-2.amazonaws.com/none/x.json")}
    )
    assert "cannot be read" in "".join(stack.failures())


def test_a_log_group_without_a_name_is_named_after_its_stack_and_keeps_that_name(aws, deploy) -> None:
    stack = deploy({"Group": resource("Logs::LogGroup", RetentionInDays="1")})
    name = stack.ref("Group")
    assert name.startswith(f"{stack.name}-Group-")
    assert stack.apply({"Group": resource("Logs::LogGroup", RetentionInDays="3")}) == "UPDATE_COMPLETE"
    assert stack.ref("Group") == name
    [group] = aws.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["retentionInDays"] == 3
    named = resource("Logs::LogGroup", LogGroupName="mine", RetentionInDays="3")
    assert stack.apply({"Group": named}) == "UPDATE_COMPLETE"
    assert stack.ref("Group") == "mine"
    assert stack.apply({"Group": resource("Logs::LogGroup", RetentionInDays="3")}) == "UPDATE_COMPLETE"
    assert stack.ref("Group").startswith(f"{stack.name}-Group-")
    assert aws.client("logs").describe_log_groups(logGroupNamePrefix="mine")["logGroups"] == []
