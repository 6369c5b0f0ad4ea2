from dataclasses import replace

from compiler.compile import Compiled
from compiler.lint import lint
from schemas.diagnostics import Severity
from tests.strategies import SPECS


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
