"""The JSON Schema agrees with the models, explains every key, and is the committed one."""

import copy

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from schemas import json_schema
from tests.strategies import SPECS, specs

SCHEMA = json_schema.schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def example_spec(name):
    return YAML(typ="safe", pure=True).load(SPECS / f"{name}.yaml")


def test_it_is_a_schema_and_the_committed_one():
    Draft202012Validator.check_schema(SCHEMA)
    assert json_schema.FILE.read_text() == json_schema.text()


@pytest.mark.parametrize("name", ["payments", "minimal"])
def test_the_specs_are_valid(name):
    VALIDATOR.validate(example_spec(name))


@given(specs())
def test_every_valid_spec_is_valid(data):
    VALIDATOR.validate(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("database", "instances"), "two"),
        (("api", "timeout"), 30),
        (("source", "database", "hots"), "db"),
        (("environments", "staging", "database", "instances"), "two"),
        (("environments", "staging", "source"), {"database": {"prot": 5432}}),
        (("environments", "staging", "environments"), {}),
        (("environments", "Staging!"), {}),
        (("cutover", "steps", 0), {"to": "1%"}),
    ],
)
def test_what_the_models_refuse_is_invalid(path, value):
    data = copy.deepcopy(example_spec("payments"))
    at = data
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    assert not VALIDATOR.is_valid(data)


def test_an_overlay_requires_nothing():
    data = example_spec("payments")
    data["environments"]["staging"] = {"source": {"database": {"host": "other.corp.example.com"}}}
    VALIDATOR.validate(data)


def test_every_key_is_explained():
    for name, definition in {"": SCHEMA, **SCHEMA["$defs"]}.items():
        for key, entry in definition["properties"].items():
            place = f"{name}.{key}"
            assert entry.get("description"), place
            assert entry.get("examples"), place
            assert entry["examples"][0] is not None, place
            assert "title" not in entry, place
            optional = key not in definition.get("required", ())
            if not name.startswith("Overlay"):
                assert ("default" in entry) is optional, place


def test_examples_and_defaults_are_valid_themselves():
    for name, definition in {"": SCHEMA, **SCHEMA["$defs"]}.items():
        if name.startswith("Overlay"):
            continue
        for key, entry in definition["properties"].items():
            validator = Draft202012Validator({"$defs": SCHEMA["$defs"], **entry})
            if key not in definition.get("required", ()):
                assert validator.is_valid(entry["default"]), f"{name}.{key}"
            complete = "$ref" not in entry or "required" not in SCHEMA["$defs"][entry["$ref"].split("/")[-1]]
            if complete and key != "environments":
                assert validator.is_valid(entry["examples"][0]), f"{name}.{key}"
