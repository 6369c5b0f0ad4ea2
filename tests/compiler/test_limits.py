"""The largest specs, and CloudFormation's and Lambda's limits."""

import json
import re
import zipfile
from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.compile import Compiled, compile_spec
from compiler.limits import exceeded
from compiler.lint import lint
from paymig.cli import main
from schemas.diagnostics import Severity, SpecError
from schemas.load import parse
from schemas.routes import overlap, priority
from tests.strategies import SPECS

TEXT = (SPECS / "payments.yaml").read_text()
TABLES = "tables: {include: [public.%], exclude: [public.tmp_%]}"


def with_tables(count: int, invariants: int = 0, spec: str = TEXT) -> str:
    """A spec with that many tables, named one by one with the longest names, and invariants over them."""
    assert TABLES in spec
    tables = [f"public.{'t' * 58}_{number:04}" for number in range(count)]
    queries = "".join(
        f"    - {{name: rows_{number}, sql: SELECT count(*) FROM {tables[number]}}}\n" for number in range(invariants)
    )
    text = spec.replace(TABLES, f"tables: {{include: [{', '.join(tables)}]}}")
    return text.replace("  invariants:\n", f"  invariants:\n{queries}")


def compiled(text: str) -> Compiled:
    return compile_spec(parse(text, "migration.yaml", SPECS))


def test_a_thousand_tables_and_invariants_reach_dms_and_the_validation() -> None:
    result = compiled(with_tables(1000, invariants=1000))
    task = json.loads(result.templates["replication"])["Resources"]["Task"]["Properties"]
    rules = json.loads(task["TableMappings"])["rules"]
    places = [one["object-locator"]["schema-name"] for one in rules if one["rule-action"] == "include"]
    assert sorted(places) == ["paymig"] + 1000 * ["public"]
    with zipfile.ZipFile(BytesIO(result.assets["validation"].data)) as archive:
        told = json.loads(archive.read("settings.json"))
    assert (len(told["tables"]["include"]), len(told["invariants"])) == (1000, 1004)
    assert max(map(len, result.templates.values())) < 2**20


def test_more_tables_than_a_template_holds_are_refused_at_their_line_with_a_way_out() -> None:
    text = with_tables(4000)
    with pytest.raises(SpecError) as raised:
        compiled(text)
    [found] = raised.value.diagnostics
    assert found.code == "PMG310"
    assert text.splitlines()[found.line - 2].startswith("replication:")
    assert "pattern" in found.hint


def with_routes(*names: str) -> str:
    """The full spec with a function for each of these names."""
    routes = "".join(
        f"    {name}: {{paths: [/{name}, /{name}/*], handler: payment_api.handler.handler}}\n" for name in names
    )
    return TEXT.replace("\napi:\n", f"\napi:\n  routes:\n{routes}" if names else "\napi:\n", 1)


FORTY = tuple(f"service-{chr(97 + number % 26)}{number}" for number in range(40))


def test_forty_functions_stay_far_under_the_limits_each_in_a_stack_of_its_own() -> None:
    result = compiled(with_routes(*FORTY))
    contents = {name: json.loads(body) for name, body in result.templates.items()}
    assert len(contents) == 11 + 40
    for name, content in contents.items():
        for section, most in (("Resources", 500), ("Parameters", 200), ("Outputs", 200)):
            assert len(content.get(section, {})) < most / 2, name
        assert len(result.templates[name]) < 2**20 / 2, name
    rules = [
        content["Resources"]["Rule"]["Properties"] for content in contents.values() if "Rule" in content["Resources"]
    ]
    assert len({rule["Priority"] for rule in rules}) == 40
    assert {rule["Conditions"][0]["PathPatternConfig"]["Values"][0] for rule in rules} == {f"/{name}" for name in FORTY}
    assert result.source_map.path("api_service_a0", "Function", "MemorySize") == "api.routes.service-a0.memory"


def test_forty_functions_a_thousand_tables_and_twenty_environments_are_compiled_in_one_call(tmp_path, capsys) -> None:
    """The largest spec: each environment has all of it, and what its overlay says."""
    instances = {"prod": 2, "staging": 2, **{f"region-{number}": number % 16 + 1 for number in range(18)}}
    overlays = "".join(
        f"  {name}: {{database: {{instances: {count}}}}}\n" for name, count in instances.items() if name[0] == "r"
    )
    text = with_tables(1000, spec=with_routes(*FORTY)).replace("\nenvironments:\n", f"\nenvironments:\n{overlays}")
    for name in ("onprem-ca.pem", "patches"):
        (tmp_path / name).symlink_to(SPECS / name)
    (tmp_path / "spec.yaml").write_text(text)
    command = ["compile", str(tmp_path / "spec.yaml"), "--all-environments", "-o", str(tmp_path), "--format", "json"]
    with pytest.raises(SystemExit) as ended:
        main(command)
    told = json.loads(capsys.readouterr().out)["environments"]
    assert (ended.value.code, told.keys()) == (0, instances.keys())
    for environment, count in instances.items():
        bodies = {path.stem: path.read_bytes() for path in (tmp_path / environment / "templates").iterdir()}
        assert sorted(bodies) == told[environment]["templates"] and len(bodies) == 11 + 40
        contents = {name: json.loads(body) for name, body in bodies.items()}
        assert [sentence for name in bodies for sentence in exceeded(contents[name], bodies[name])] == []
        kinds = [each["Type"] for each in contents["database"]["Resources"].values()]
        assert kinds.count("AWS::RDS::DBInstance") == count
        mappings = contents["replication"]["Resources"]["Task"]["Properties"]["TableMappings"]
        assert mappings.count('"table-name": "ttt') == 1000
        assert f'"payments-{environment}"'.encode() in bodies["database"]


def test_a_route_s_function_is_excepted_from_scanners_rules_like_the_api_s() -> None:
    result = compiled(with_routes("refunds"))
    api, route = (json.loads(result.templates[name])["Resources"] for name in ("api", "api_refunds"))
    for logical_id in ("Function", "FunctionRole", "FunctionLogs"):
        assert route[logical_id].get("Metadata") == api[logical_id].get("Metadata")
    assert "Metadata" in route["Function"]


def test_a_route_s_template_passes_cfn_lint_and_its_findings_name_its_line() -> None:
    text = with_routes("refunds").replace("handler.handler}", "handler.handler, memory: 512MiB}")
    result = compiled(text)
    assert [str(one) for one in lint(result) if one.severity is Severity.ERROR] == []
    body, changed = re.subn(rb'"MemorySize": \d+', b'"MemorySize": 1', result.templates["api_refunds"])
    assert changed == 1
    [found] = lint(replace(result, templates={"api_refunds": body}))
    assert found.severity is Severity.ERROR and "api_refunds.Function.MemorySize" in found.message
    assert text.splitlines()[found.line - 1][found.column - 1 :] == "512MiB}"


names = st.sets(st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z][a-z0-9]{0,5})?", fullmatch=True), min_size=1, max_size=12)


@given(names, st.data())
def test_a_route_more_or_less_changes_no_other_stack(given: set[str], data: st.DataObject) -> None:
    """Stable under additions: what stands stays as it is, whichever name comes and wherever in the spec."""
    everything = data.draw(st.permutations(sorted(given)))
    if len({priority(name) for name in everything}) < len(everything):
        return  # refused, see tests/diagnostics/routes.md
    fewer = [name for name in everything if data.draw(st.booleans())]
    large, small = compiled(with_routes(*everything)), compiled(with_routes(*fewer))
    assert small.templates.keys() <= large.templates.keys()
    assert {name for name in small.templates if small.templates[name] != large.templates[name]} <= {"root"}
    old, new = (json.loads(one.templates["root"])["Resources"] for one in (small, large))
    assert old.items() <= new.items()


def test_two_routes_of_one_priority_are_told_apart_by_another_name() -> None:
    seen: dict[int, str] = {}
    for number in range(1000):
        name = f"r{number}"
        if (other := seen.setdefault(priority(name), name)) != name:
            break
    else:
        raise AssertionError("no two of a thousand names share a priority")
    with pytest.raises(SpecError) as raised:
        compiled(with_routes(other, name))
    assert [one.code for one in raised.value.diagnostics] == ["PMG230"]
    assert "same priority" in raised.value.diagnostics[0].message


def test_a_hundredth_route_is_refused() -> None:
    chosen: dict[int, str] = {}
    for number in range(200):
        chosen.setdefault(priority(f"r{number}"), f"r{number}")
    many = list(chosen.values())[:100]
    compiled(with_routes(*many[:99]))
    with pytest.raises(SpecError) as raised:
        compiled(with_routes(*many))
    assert [one.code for one in raised.value.diagnostics] == ["PMG231"]


patterns = st.text("ab*?", min_size=1, max_size=5)


def fits(pattern: str, text: str) -> bool:
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(char, re.escape(char)) for char in pattern), text) is not None


@given(patterns, patterns, st.text("ab", max_size=8))
def test_patterns_that_some_text_fits_both_of_overlap(one: str, other: str, text: str) -> None:
    assert overlap(one, other) == overlap(other, one)
    if fits(one, text) and fits(other, text):
        assert overlap(one, other)


@given(patterns, patterns)
def test_patterns_overlap_only_where_some_text_fits_both(one: str, other: str) -> None:
    """Every text that can matter is tried: one no longer than both patterns together."""
    if not overlap(one, other):
        return
    texts = [""]
    for _ in range(len(one) + len(other)):
        if any(fits(one, text) and fits(other, text) for text in texts):
            return
        texts = [
            text + char for text in texts for char in "ab" if begins(one, text + char) and begins(other, text + char)
        ]
    assert any(fits(one, text) and fits(other, text) for text in texts)


def begins(pattern: str, text: str) -> bool:
    """Whether some text that fits the pattern begins so."""
    return any(fits(pattern[:length], text) for length in range(len(pattern) + 1)) or (
        "*" in pattern and fits(pattern[: pattern.index("*") + 1], text)
    )
