"""What holds for every valid spec."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler import limits
from compiler.compile import Compiled, compile_spec
from compiler.lint import lint
from compiler.root import PARAMETERS
from schemas.load import load
from tests.compiler.walk import references, strings
from tests.examples import EXAMPLES
from tests.generated import compilable_specs, compile_data, small_specs
from tests.profiles import few
from tests.strategies import SPECS

_PSEUDO = re.compile(r"AWS::(AccountId|NoValue|Partition|Region|StackId|StackName|URLSuffix)")
_ACCOUNT_ID = re.compile(r"(?<![0-9A-Za-z])[0-9]{12}(?![0-9A-Za-z])")
_TIMESTAMP = re.compile(r"\b(19|20)\d\d-\d\d-\d\d\b")
_POLICY_LANGUAGE = "2012-10-17"
_SECRET_KEYS = {"Password", "MasterUserPassword", "SecretString", "SecretKey"}


def contents(compiled: Compiled) -> dict[str, dict[str, Any]]:
    return {name: json.loads(body) for name, body in compiled.templates.items()}


@given(compilable_specs, st.integers(), st.integers())
def test_the_order_of_keys_changes_nothing(data: dict[str, Any], one: int, other: int) -> None:
    first, second = compile_data(data, one), compile_data(data, other)
    assert first.templates == second.templates
    assert first.keys == second.keys
    assert first.asset_keys == second.asset_keys


@given(compilable_specs)
def test_templates_are_sound(data: dict[str, Any]) -> None:
    compiled = compile_data(data)
    templates = contents(compiled)
    for name, template in templates.items():
        assert not list(limits.exceeded(template, compiled.templates[name]))
        check_references(template)
        check_no_secrets(template)
    check_wiring(templates)
    check_causes(compiled, templates)


def check_references(template: dict[str, Any]) -> None:
    known = {*template["Resources"], *template.get("Parameters", {})}
    unknown = {name for name, _ in references(template) if name not in known and not _PSEUDO.fullmatch(name)}
    assert not unknown


def check_no_secrets(template: dict[str, Any]) -> None:
    assert not _SECRET_KEYS & set(strings(template))
    for text in strings(template):
        assert not _ACCOUNT_ID.search(text)
        assert text == _POLICY_LANGUAGE or not _TIMESTAMP.search(text)


def check_wiring(templates: dict[str, dict[str, Any]]) -> None:
    root = templates["root"]
    assert "Conditions" not in root
    assert root["Parameters"].keys() == {parameter.name for parameter in PARAMETERS}
    assert root["Parameters"].keys() <= {name for name, _ in references(root["Resources"])}
    stacks = {}
    for logical_id, stack in root["Resources"].items():
        url = stack["Properties"]["TemplateURL"]["Fn::Sub"]
        stacks[logical_id] = templates[re.search(r"/templates/(.+)\.\w{32}\.json$", url)[1]]
    for logical_id, template in stacks.items():
        passed = root["Resources"][logical_id]["Properties"].get("Parameters", {})
        wanted = template.get("Parameters", {})
        assert passed.keys() == wanted.keys()
        assert wanted.keys() <= {name for name, _ in references(template)}
    for name, attribute in references(root):
        if name in stacks:
            assert attribute is None or attribute.removeprefix("Outputs.") in stacks[name]["Outputs"]


def check_causes(compiled: Compiled, templates: dict[str, dict[str, Any]]) -> None:
    fields = vars(compiled.migration).keys()
    for name, template in templates.items():
        for logical_id in template["Resources"]:
            path = compiled.source_map.path(name, logical_id)
            assert path.split(".")[0] in fields
            assert compiled.source_map.locate(name, logical_id).line >= 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_fresh_process_gives_the_same_bytes(name: str, compiled_specs: dict[str, Compiled]) -> None:
    script = (
        "import sys, hashlib, pathlib\n"
        "from compiler.compile import compile_spec\n"
        "from schemas.load import load\n"
        "compiled = compile_spec(load(pathlib.Path(sys.argv[1])))\n"
        "sys.stdout.write(repr((compiled.keys, compiled.asset_keys)))\n"
    )
    root = Path(__file__).parents[2]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(root / "specs" / f"{name}.yaml")],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        # A key is the hash of the content.
        assert done.stdout == repr((compiled_specs[name].keys, compiled_specs[name].asset_keys))


def test_examples_lint_without_a_finding(compiled: Compiled) -> None:
    assert lint(compiled) == ()


@settings(max_examples=few(4), suppress_health_check=[HealthCheck.too_slow])
@given(small_specs)
def test_any_spec_lints_without_an_error(data: dict[str, Any]) -> None:
    assert [str(found) for found in lint(compile_data(data)) if found.severity == "error"] == []


def test_overlays_compile_too(compiled_specs: dict[str, Compiled]) -> None:
    staging = compile_spec(load(SPECS / "payments.yaml", "staging"))
    production = contents(compiled_specs["payments"])
    assert staging.migration.full_name == "payments-staging"
    assert contents(staging)["database"] != production["database"]
    assert contents(staging)["network"]["Resources"].keys() == production["network"]["Resources"].keys()
