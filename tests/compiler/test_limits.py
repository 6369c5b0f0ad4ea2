"""The largest specs, and CloudFormation's and Lambda's limits."""

import json
import zipfile
from io import BytesIO

import pytest

from compiler.compile import Compiled, compile_spec
from schemas.diagnostics import SpecError
from schemas.load import parse
from tests.strategies import SPECS

TEXT = (SPECS / "payments.yaml").read_text()
TABLES = "tables: {include: [public.%], exclude: [public.tmp_%]}"


def with_tables(count: int, invariants: int = 0) -> str:
    """The full spec with that many tables, named one by one with the longest names, and invariants over them."""
    assert TABLES in TEXT
    tables = [f"public.{'t' * 58}_{number:04}" for number in range(count)]
    queries = "".join(
        f"    - {{name: rows_{number}, sql: SELECT count(*) FROM {tables[number]}}}\n" for number in range(invariants)
    )
    text = TEXT.replace(TABLES, f"tables: {{include: [{', '.join(tables)}]}}")
    return text.replace("  invariants:\n", f"  invariants:\n{queries}")


def compiled(text: str) -> Compiled:
    return compile_spec(parse(text, "migration.yaml", SPECS))


def test_a_thousand_tables_and_invariants_reach_dms_and_the_validation() -> None:
    result = compiled(with_tables(1000, invariants=1000))
    task = json.loads(result.templates["replication"])["Resources"]["Task"]["Properties"]
    assert len([one for one in json.loads(task["TableMappings"])["rules"] if one["rule-action"] == "include"]) == 1000
    with zipfile.ZipFile(BytesIO(result.assets["validation"].data)) as archive:
        told = json.loads(archive.read("settings.json"))
    assert (len(told["tables"]["include"]), len(told["invariants"])) == (1000, 1002)
    assert max(map(len, result.templates.values())) < 2**20


def test_more_tables_than_a_template_holds_are_refused_at_their_line_with_a_way_out() -> None:
    text = with_tables(4000)
    with pytest.raises(SpecError) as raised:
        compiled(text)
    [found] = raised.value.diagnostics
    assert found.code == "PMG310"
    assert text.splitlines()[found.line - 2].startswith("replication:")
    assert "pattern" in found.hint
