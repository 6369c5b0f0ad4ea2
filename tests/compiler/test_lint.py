"""cfn-lint's findings as lines of the spec; only what changed is linted."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

import compiler.lint as lint_module
from compiler.compile import Compiled
from compiler.lint import LintError, lint, lint_all
from compiler.lint_worker import OPTIONS
from schemas.diagnostics import Severity
from tests.strategies import SPECS

CFN_LINT = "import sys; from cfnlint.runner import main; sys.exit(main())"


def broken(compiled: Compiled, template: str, old: str, new: str) -> Compiled:
    text = compiled.templates[template].decode()
    assert old in text
    return replace(compiled, templates={**compiled.templates, template: text.replace(old, new).encode()})


def test_a_finding_leads_to_the_line_of_the_spec(payments: Compiled) -> None:
    found = lint(broken(payments, "database", '"EngineVersion": "16.9"', '"EngineVersion": "9.1"'))
    assert found
    lines = (SPECS / "payments.yaml").read_text().splitlines()
    for one in found:
        assert one.code == "PMG901"
        assert "database.Cluster.EngineVersion" in one.message
        assert lines[one.line - 1][one.column - 1 :].startswith('"16.9"')


def test_parent_and_children_are_compared(payments: Compiled) -> None:
    found = lint(broken(payments, "root", '"NetworkVpcId":', '"NetworkVpcIdentifier":'))
    assert any("E3043" in one.message and one.severity is Severity.ERROR for one in found)
    lines = (SPECS / "payments.yaml").read_text().splitlines()
    [security, *_] = [one for one in found if "E3043" in one.message]
    assert lines[security.line - 1].startswith("security:")


@pytest.fixture
def linted(monkeypatch, tmp_path) -> list[str]:
    """An empty cache; gives the templates that cfn-lint is asked for."""
    monkeypatch.setenv("PAYMIG_CACHE_DIR", str(tmp_path))
    asked: list[str] = []
    run = lint_module._run

    def watched(units):
        asked.extend(f"{unit.name} {unit.region}" for unit in units)
        return run(units)

    monkeypatch.setattr(lint_module, "_run", watched)
    return asked


@pytest.fixture
def few(payments: Compiled) -> Compiled:
    """The root and two of its templates: linting takes its time."""
    return replace(payments, templates={name: payments.templates[name] for name in ("root", "database", "routing")})


def faulty_of(compiled: Compiled) -> Compiled:
    return broken(compiled, "database", '"EngineVersion": "16.9"', '"EngineVersion": "9.1"')


def test_only_what_changed_is_linted_again(few: Compiled, linted: list[str], monkeypatch, tmp_path) -> None:
    faulty = faulty_of(few)
    first = lint(faulty)
    assert first
    assert sorted(linted) == ["database us-east-2", "root us-east-2", "routing us-east-2"]
    del linted[:]
    assert lint(faulty) == first
    assert linted == []

    assert lint(few) == ()
    assert sorted(linted) == ["database us-east-2", "root us-east-2"], "the root is compared with what it nests"
    del linted[:]

    (entry, *_) = (tmp_path / "lint").iterdir()
    entry.write_text("[{")
    assert lint(few) == () and lint(faulty) == first
    assert len(linted) == 1, "a damaged result is none"
    del linted[:]

    monkeypatch.setattr(lint_module, "_version", lambda: b"another cfn-lint")
    assert lint(faulty) == first
    assert len(linted) == len(few.templates)


def test_environments_share_what_is_the_same_and_keep_their_own_places(few: Compiled, linted: list[str]) -> None:
    faulty = faulty_of(few)
    alone = (lint(faulty), lint(few))
    del linted[:]
    elsewhere = replace(faulty, migration=faulty.migration.model_copy(update={"region": "eu-west-1"}))
    found = lint_all([faulty, few, faulty, elsewhere])
    assert (found[0], found[1], found[2]) == (alone[0], alone[1], alone[0])
    assert found[3]
    assert sorted(linted) == ["database eu-west-1", "root eu-west-1", "routing eu-west-1"]


def test_it_finds_what_cfn_lint_itself_finds(few: Compiled, linted: list[str], tmp_path) -> None:
    faulty = broken(faulty_of(few), "root", '"LoadBalancerDnsName":', '"LoadBalancerName":')
    for name, body in faulty.templates.items():
        content = lint_module._with_local_children(body) if name == "root" else body
        (tmp_path / f"{name}.json").write_bytes(content)
    command = [sys.executable, "-c", CFN_LINT, "--format", "json", "--regions", "us-east-2", *OPTIONS, "--"]
    files = [f"{name}.json" for name in faulty.templates]
    said = subprocess.run([*command, *files], cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    expected = {(one["Rule"]["Id"], one["Message"]) for one in json.loads(said)}
    assert len(expected) >= 2
    found = [one.message.partition(" at ") for one in lint(faulty)]
    assert {(rule, rest.partition(": ")[2]) for rule, _, rest in found} == expected


def test_a_linter_that_stops_is_told(payments: Compiled, linted: list[str], monkeypatch) -> None:
    monkeypatch.setattr(lint_module, "_MAIN", "import os; os.abort()")
    with pytest.raises(LintError, match="stopped with exit code"):
        lint(payments)
    monkeypatch.setattr(lint_module, "find_spec", lambda _: None)
    with pytest.raises(LintError, match="not installed"):
        lint(payments)
