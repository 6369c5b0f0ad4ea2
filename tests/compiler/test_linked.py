"""References across nested stacks end at resources, and what says the same looks the same."""

from typing import Any

import pytest

from compiler.compile import Compiled
from compiler.linked import link, references
from compiler.plan.sources import templates_of

URL = "https://s3.${AWS::Region}.${AWS::URLSuffix}/${Bucket}/templates/{}.00000000000000000000000000000000.json"


def migration(**nested: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A root that nests a producer `one` and a consumer `two`, whose parameter is the producer's output."""
    root = {
        "Parameters": {"Bucket": {"Type": "String"}, "Size": {"Type": "Number", "Default": 5}},
        "Resources": {
            "One": {
                "Type": "AWS::CloudFormation::Stack",
                "Properties": {"TemplateURL": {"Fn::Sub": URL.replace("{}", "one")}},
            },
            "Two": {
                "Type": "AWS::CloudFormation::Stack",
                "Properties": {
                    "TemplateURL": {"Fn::Sub": URL.replace("{}", "two")},
                    "Parameters": {"Given": {"Fn::GetAtt": ["One", "Outputs.Id"]}, "Size": {"Ref": "Size"}},
                },
            },
        },
    }
    one = {
        "Resources": {"Thing": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"Id": {"Value": {"Fn::GetAtt": ["Thing", "Arn"]}}},
    }
    return {"root": root, "one": one, **nested}


def resolved(value: Any, parameters: dict[str, str] | None = None, **sections: Any) -> Any:
    """What a value in the consumer becomes."""
    declared = {"Given": {"Type": "String"}, "Size": {"Type": "Number"}, "Own": {"Type": "String", "Default": "mine"}}
    two = {
        "Parameters": declared | {"Loose": {"Type": "String"}},
        "Resources": {
            "User": {"Type": "AWS::SNS::Topic", "Properties": {"Value": value}},
            "Other": {"Type": "AWS::SNS::Topic"},
        },
        **sections,
    }
    return link(migration(two=two), parameters or {})["Two/User"].properties["Value"]


QUEUE = {"Fn::GetAtt": ["One/Thing", "Arn"]}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"Ref": "Given"}, QUEUE),
        ({"Ref": "Other"}, {"Ref": "Two/Other"}),
        ({"Ref": "AWS::Region"}, {"Ref": "AWS::Region"}),
        ({"Ref": "Size"}, 5),
        ({"Ref": "Own"}, "mine"),
        ({"Ref": "Loose"}, {"Ref": "Two/Loose"}),
        ({"Fn::GetAtt": "Other.TopicName"}, {"Fn::GetAtt": ["Two/Other", "TopicName"]}),
        ({"Fn::Sub": "${Given}"}, QUEUE),
        ({"Fn::Sub": "a${Own}b"}, "amineb"),
        ({"Fn::Sub": "${!Own}"}, "${Own}"),
        ({"Fn::Sub": "${Other.TopicName}/x"}, {"Fn::Join": ["", [{"Fn::GetAtt": ["Two/Other", "TopicName"]}, "/x"]]}),
        ({"Fn::Sub": ["${a}-${Own}", {"a": {"Ref": "Size"}}]}, "5-mine"),
        ({"Fn::Join": [":", ["a", {"Ref": "Given"}, "b"]]}, {"Fn::Join": ["", ["a:", QUEUE, ":b"]]}),
        ({"Fn::Sub": "a:${Given}:b"}, {"Fn::Join": ["", ["a:", QUEUE, ":b"]]}),
        ({"Fn::Join": ["", [{"Fn::Sub": "a:${Given}"}, ":b"]]}, {"Fn::Join": ["", ["a:", QUEUE, ":b"]]}),
        ({"Fn::Join": [",", []]}, ""),
        ([{"Ref": "Own"}, {"a": {"Ref": "Own"}}], ["mine", {"a": "mine"}]),
    ],
)
def test_a_value_is_brought_to_one_form(value: Any, wanted: Any) -> None:
    assert resolved(value) == wanted


def test_parameters_of_the_root_count() -> None:
    assert resolved({"Ref": "Size"}, {"Size": "7"}) == "7"


def test_conditions_and_mappings_stand_for_what_they_hold() -> None:
    conditions = {"Big": {"Fn::Equals": [{"Ref": "Size"}, 5]}, "Small": {"Fn::Not": [{"Condition": "Big"}]}}
    mappings = {"Sizes": {"mine": {"cpu": 4}}}
    assert resolved({"Fn::If": ["Small", 1, {"Ref": "Given"}]}, Conditions=conditions) == {
        "Fn::If": [{"Fn::Not": [{"Fn::Equals": [5, 5]}]}, 1, QUEUE]
    }
    assert resolved({"Fn::FindInMap": ["Sizes", {"Ref": "Own"}, "cpu"]}, Mappings=mappings) == 4
    assert resolved({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "cpu"]}, Mappings=mappings) == {
        "Fn::FindInMap": [mappings["Sizes"], {"Ref": "AWS::Region"}, "cpu"]
    }


def test_a_nested_stack_of_unknown_content_keeps_its_properties() -> None:
    templates = migration()
    found = link(templates, {})
    assert found["One"].properties == {}
    assert found["Two"].properties["Parameters"]["Given"] == QUEUE
    assert (
        found["Two"]
        .properties["TemplateURL"]["Fn::Join"][1][-1]
        .endswith("/templates/two.00000000000000000000000000000000.json")
    )


def test_every_reference_of_a_compiled_spec_ends_at_a_resource_or_a_root_parameter(compiled: Compiled) -> None:
    templates = templates_of(compiled)
    found = link(templates, {})
    assert len(found) == sum(len(template["Resources"]) for template in templates.values())
    ends = {place for resource in found.values() for place in references(dict(resource.properties))}
    assert ends > {"Network/Vpc", "Security/DatabaseGroup"}
    assert ends <= found.keys() | templates["root"]["Parameters"].keys()
