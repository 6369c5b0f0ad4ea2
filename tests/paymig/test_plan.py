"""`paymig plan`, against folders and against what is deployed, and the refusal to lose what holds state."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from rich.console import Console as RichConsole

from compiler.compile import compile_spec, write
from compiler.linked import link
from compiler.parameters import SOURCE_ADMIN_SECRET_ARN
from compiler.plan.change import Action, Plan
from compiler.plan.compare import compare
from compiler.plan.sources import locator, templates_of
from compiler.plan.stateful import endangered
from paymig import cli, plan
from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import Deployer, record_of
from paymig.errors import Refused
from paymig.plan_view import text
from schemas.load import parse
from tests.generated import compile_data, small_specs
from tests.paymig.small import open_place
from tests.profiles import few

SPECS = Path(__file__).parents[2] / "specs"
TEXT = (SPECS / "payments.yaml").read_text()


def spec_with(*replaced: tuple[str, str]):
    changed = TEXT
    for old, new in replaced:
        assert old in changed
        changed = changed.replace(old, new)
    return parse(changed, "migration.yaml", SPECS)


def change_sets(stage, spec) -> list[str]:
    listed = stage.aws.client("cloudformation").list_change_sets(StackName=spec.migration.full_name)
    return [one["ChangeSetId"] for one in listed["Summaries"]]


def redeploy(stage, spec, allowed) -> str:
    deployer = Deployer(stage.aws, spec, compile_spec(spec), Console(), allowed_replacements=allowed)
    return deployer.run(yes=True).outcome


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def printed(found: Plan) -> str:
    out = StringIO()
    RichConsole(file=out, width=40, soft_wrap=True).print(text(found))
    return out.getvalue()


@pytest.fixture
def folder(compiled, tmp_path):
    write(compiled, tmp_path / "build")
    return tmp_path / "build"


@pytest.fixture
def smaller(tmp_path):
    """The full spec with a zone less, beside the files that it names."""
    file = tmp_path / "smaller.yaml"
    changed = TEXT.replace("availability_zones: 3", "availability_zones: 2")
    changed = changed.replace("onprem-ca.pem", str(SPECS / "onprem-ca.pem"))
    file.write_text(changed[: changed.index("extensions:")])
    return file


def test_the_same_spec_against_its_folder_is_empty(capsys, folder):
    code, out, _ = run(capsys, "plan", str(SPECS / "payments.yaml"), "--against", str(folder))
    assert (code, out) == (0, "Plan: nothing to change\n")


def test_losing_what_holds_state_is_refused_until_it_is_named(capsys, folder, smaller):
    code, out, err = run(capsys, "plan", str(smaller), "--against", str(folder), "--format", "json")
    data = json.loads(out)
    assert code == 3
    assert "Network/NatAddress3" in data["refused"]
    assert "Network/NatAddress3 (AWS::EC2::EIP): deleted" in err and "--allow-replace Network/NatAddress3" in err
    named = [part for place in data["refused"] for part in ("--allow-replace", place)]
    code, out, _ = run(capsys, "plan", str(smaller), "--against", str(folder), *named, "--format", "json")
    assert (code, json.loads(out)["refused"]) == (0, [])
    for change in data["changes"]:
        assert change["cause"]["line"] >= 1 and change["cause"]["file"]


def test_a_folder_without_a_compile_is_refused(capsys, tmp_path):
    code, _, err = run(capsys, "plan", str(SPECS / "payments.yaml"), "--against", str(tmp_path))
    assert code == 3 and "manifest.json" in err and "paymig compile" in err


def test_the_text_has_a_line_for_each_change_however_narrow_the_terminal(folder, compiled):
    new = compile_spec(spec_with(("memory: 512MiB", "memory: 1GiB"), ("10.20.0.0/16", "10.21.0.0/16")))
    found = plan.against_folder(folder, new)
    lines = printed(found).splitlines()
    for change in found.changes:
        assert any(change.logical_id in line and change.type in line for line in lines)
    assert any("MemorySize: 512 → 1024  migration.yaml:" in line for line in lines)
    assert any("± Vpc" in line and "replaced" in line for line in lines)
    assert any("VpcId: follows Network/Vpc  (replacement)" in line for line in lines)


def test_a_new_stack_is_one_line(compiled):
    locate = locator(compiled.source_map)
    lines = printed(compare({}, link(templates_of(compiled), {}), locate, locate)).splitlines()
    assert len(lines) == 1 + sum(name != "root" for name in compiled.templates)
    assert any("+ Network  " in line and "resources" in line for line in lines)


def test_after_a_deploy_the_plan_is_empty_whatever_the_weights(stage, spec, compiled, deploy):
    first = plan.against_deployed(stage.aws, compiled)
    assert {change.action for change in first.changes} == {Action.ADD}
    deploy(spec)
    assert plan.against_deployed(stage.aws, compiled).changes == ()
    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(37))
    assert plan.against_deployed(stage.aws, compiled).changes == ()

    bigger = spec_with(("memory: 512MiB", "memory: 1GiB"))
    found = {change.place: change for change in plan.against_deployed(stage.aws, compile_spec(bigger)).changes}
    assert [one.path for one in found["Api/Function"].properties] == ["MemorySize"]
    assert not [place for place in found if not place.startswith("Api/")]
    deploy(bigger)
    assert plan.against_deployed(stage.aws, compile_spec(bigger)).changes == ()

    moved = spec_with(("payments-owner-AbCdEf", "payments-owner-GhIjKl"), ("memory: 512MiB", "memory: 1GiB"))
    other = plan.against_deployed(stage.aws, compile_spec(moved))
    assert SOURCE_ADMIN_SECRET_ARN.name not in printed(other), "a parameter is shown where it ends"
    assert "Replication/SourceEndpoint" in {change.place for change in other.changes}


@settings(max_examples=few(3), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(small_specs)
def test_after_any_deploy_the_plan_is_empty(data: dict[str, Any]) -> None:
    """Deployed by its text, planned by another text that says the same."""
    compiled = compile_data(data)
    spec = compiled.source_map.spec
    with open_place(spec.migration) as place:
        assert Deployer(place.aws, spec, compiled, Console()).run(yes=True).outcome == "created"
        assert plan.against_deployed(place.aws, compile_data(data, 1)).changes == ()


def test_a_deploy_that_would_lose_what_holds_state_is_refused(stage, spec, deploy):
    deploy(spec)
    before = change_sets(stage, spec)
    fewer = spec_with(("nat_gateways: per-zone", "nat_gateways: single"))
    with pytest.raises(Refused) as refused:
        deploy(fewer)
    assert "Network/NatAddress3" in refused.value.message
    assert change_sets(stage, spec) == before, "refused before anything was proposed"
    lost = [change.place for change in endangered(plan.against_deployed(stage.aws, compile_spec(fewer)))]
    assert redeploy(stage, fewer, lost) == "updated"
    assert plan.against_deployed(stage.aws, compile_spec(fewer)).changes == ()
