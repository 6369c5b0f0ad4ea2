"""The design rules, by number, over the templates of specs/payments.yaml; what is left to the operator says so."""

import json
import re
from typing import Any

import pytest

from compiler.bootstrap import bootstrap
from tests.compiler.conftest import ROOT
from tests.compiler.design_rules import (  # the modules enter their rules
    RULES,
    Rule,
    Stacks,
    compute,  # noqa: F401
    credentials,  # noqa: F401
    migration,  # noqa: F401
    network,  # noqa: F401
    operation,  # noqa: F401
)

LEFT = {5, 11, 20, 22, 29, 33, 34, 37, 43}
"""Of these rules a part is left to the operator."""

_ENTRY = re.compile(r"^- \*\*(\d+)\. [^*]+\.\*\* (.+)", re.MULTILINE)


@pytest.fixture(scope="session")
def stacks(templates: dict[str, dict[str, Any]]) -> Stacks:
    return Stacks(templates, json.loads(bootstrap()))


@pytest.mark.parametrize(
    "rule", [RULES[number] for number in sorted(RULES)], ids=lambda rule: f"{rule.number}-{rule.name}"
)
def test_rule(stacks: Stacks, rule: Rule) -> None:
    rule.holds(stacks)


def test_every_rule_is_looked_at() -> None:
    assert sorted(RULES) == list(range(1, 57))


def test_what_is_left_to_the_operator_says_so_and_why() -> None:
    page = (ROOT / "docs" / "fine-print.md").read_text()
    section = page.partition("\n## Left to the operator\n")[2].partition("\n## ")[0]
    entries = {int(number): reason for number, reason in _ENTRY.findall(section)}
    assert entries.keys() == LEFT
    assert all(len(reason) > 40 for reason in entries.values())
