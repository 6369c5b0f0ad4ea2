"""`check` and `compile` tell their findings to people, programs and services."""

import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from paymig import cli

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


@pytest.fixture
def bad(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text((SPECS / "minimal.yaml").read_text().replace("region:", "regoin:"))
    return str(file)


@pytest.mark.parametrize("command", [["check"], ["compile", "-o", "build"]])
def test_services_are_told_of_a_bad_spec_on_standard_output(capsys, bad, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *command, bad, "--format", "github")
    assert (code, err) == (1, "")
    assert f"::error file={bad},line=5," in out
    code, out, err = run(capsys, *command, bad, "--format", "sarif")
    assert (code, err) == (1, "")
    assert "PMG101" in {one["ruleId"] for one in json.loads(out)["runs"][0]["results"]}


def test_a_good_spec_gives_services_nothing_else(capsys, tmp_path):
    spec = str(SPECS / "minimal.yaml")
    assert run(capsys, "check", spec, "--format", "github") == (0, "", "")
    code, out, _ = run(capsys, "compile", spec, "-o", str(tmp_path), "--format", "sarif")
    assert (code, json.loads(out)["runs"][0]["results"]) == (0, [])
    assert (tmp_path / "manifest.json").is_file()


def test_several_specs_are_checked_at_once(capsys, bad):
    good = str(SPECS / "minimal.yaml")
    code, out, _ = run(capsys, "check", good, bad)
    assert code == 1
    assert f"{good}: good" in out and f"{bad}:5:1" in out
    code, out, _ = run(capsys, "check", good, bad, "--format", "json")
    assert code == 1 and {one["file"] for one in json.loads(out)} == {bad}
    assert run(capsys, "check", good, str(SPECS / "payments.yaml"))[0] == 0


def understood(line: str) -> None:
    """Let a command parse its arguments; what it does not know raises."""
    _, name, *arguments = shlex.split(line.partition(">")[0])
    import_module(f"paymig.commands.{name}").command.make_context(name, arguments)


def test_the_examples_use_commands_as_they_are(tmp_path, monkeypatch):
    (tmp_path / "migration.yaml").write_text((SPECS / "minimal.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    workflow = YAML(typ="safe").load(ROOT / "docs" / "examples" / "github-workflow.yaml")
    steps = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    commands = [step for step in steps if step.startswith("paymig ")]
    assert len(commands) >= 4
    for line in commands:
        understood(line)


def test_the_hook_checks_the_files_it_is_given(tmp_path, monkeypatch):
    (tmp_path / "migration.yaml").write_text((SPECS / "minimal.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    [hook] = YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")
    understood(f"{hook['entry']} migration.yaml migration.yaml")
    assert re.search(hook["files"], "teams/payments/migration.yaml") and not re.search(hook["files"], "other.yaml")
    [repository] = YAML(typ="safe").load(ROOT / "docs" / "examples" / "pre-commit-config.yaml")["repos"]
    assert [one["id"] for one in repository["hooks"]] == [hook["id"]]
