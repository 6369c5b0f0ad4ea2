"""What the pages of printed diagnostics cannot show: files made for a test, the zone's name, tables of others."""

import json
import shutil
import zipfile
from importlib.resources import files

import pytest

from schemas.checks import aws_limits, routing
from schemas.checks.sql import why_not_select
from schemas.diagnostics import SpecError
from schemas.load import parse
from tests.fragments import complete
from tests.strategies import SPECS


def codes(fragment, folder=SPECS):
    try:
        return [found.code for found in parse(complete(fragment), "migration.yaml", folder).warnings]
    except SpecError as error:
        return [found.code for found in error.diagnostics]


@pytest.fixture(autouse=True)
def authority(tmp_path):
    """The file that the minimal spec names, where a test has a folder of its own."""
    shutil.copy(SPECS / "onprem-ca.pem", tmp_path)


@pytest.mark.parametrize("module", ["app/main.py", "app/main/__init__.py"])
def test_a_handler_is_found_in_a_folder_and_in_a_zip(tmp_path, module):
    (tmp_path / "code" / module).parent.mkdir(parents=True)
    (tmp_path / "code" / module).write_text("def handler(event, context): ...\n")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.write(tmp_path / "code" / module, module)
    for code in ("code", "code.zip"):
        assert codes(f"api: {{code: {code}, handler: app.main.handler}}\n", tmp_path) == []
        assert codes(f"api: {{code: {code}, handler: app.other.handler}}\n", tmp_path) == ["PMG215"]


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "code.zip").write_text("no zip")
    assert codes("api: {code: code.zip}\n", tmp_path) == ["PMG213"]


def test_a_path_no_file_can_have_is_refused(tmp_path):
    assert codes('extensions: {database: {patch: "a\\0b"}, api: {patch: ' + "x" * 5000 + "}}\n") == ["PMG213"] * 2


def test_tags_are_counted():
    def tags(count):
        return "tags: {" + ", ".join(f"t{number}: x" for number in range(count)) + "}\n"

    assert codes(tags(aws_limits.MOST_TAGS)) == []
    assert codes(tags(aws_limits.MOST_TAGS + 1)) == ["PMG306"]


@pytest.mark.parametrize(
    ("record", "api", "zone", "expected"),
    [
        ("api.example.com", "ip_addresses: [198.51.100.10]", "example.com.", []),
        ("api.example.com", "hostname: old.example.com", "example.com", []),
        ("example.com", "ip_addresses: [198.51.100.10]", "example.com", []),
        ("api.myexample.com", "ip_addresses: [198.51.100.10]", "example.com", ["PMG220"]),
        ("api.example.com", "hostname: old.example.com", "api.example.com.", ["PMG219"]),
        ("api.example.com", "ip_addresses: [198.51.100.10]", None, ["PMG224"]),
    ],
)
def test_the_record_against_its_zone(record, api, zone, expected):
    text = (SPECS / "minimal.yaml").read_text()
    text = text.replace("api.payments.example.com", record).replace("ip_addresses: [198.51.100.10]", api)
    spec = parse(text, "migration.yaml", SPECS)
    found = list(routing.against_zone(spec, zone))
    assert [diagnostic.code for diagnostic in found] == expected
    assert all(
        diagnostic.span == spec.locate("routing.hosted_zone" if zone is None else "routing.record")
        for diagnostic in found
    )


def _rules(name):
    data = files("cfnlint.data.schemas.extensions.aws_rds_dbcluster").joinpath(name).read_text()
    return [
        rule
        for rule in json.loads(data)["allOf"]
        if rule["if"]["properties"]["Engine"].get("const") == "aurora-postgresql"
    ]


def test_the_tables_are_those_of_cfn_lint():
    from cfnlint.helpers import AVAILABILITY_ZONES

    assert dict(aws_limits.ZONES) == {region: len(zones) for region, zones in AVAILABILITY_ZONES.items()}
    known = {v for rule in _rules("engine_version.json") for v in rule["then"]["properties"]["EngineVersion"]["enum"]}
    deprecated = {
        v
        for rule in _rules("engine_version_deprecated.json")
        for v in rule["if"]["properties"]["EngineVersion"]["enum"]
    }
    offered = {v for v in known - deprecated if "." in v and "-" not in v and int(v.split(".")[0]) >= 13}
    assert set(aws_limits.AURORA_VERSIONS) == offered


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        " select 1 ; ",
        "/* a /* nested */ one */ SELECT 1 -- ; DELETE",
        "SELECT 'it''s; DELETE FROM payments'",
        r"SELECT E'a\'; DELETE'",
        'SELECT "update", "a""; b" FROM t',
        "SELECT $tag$ ; $$ DELETE $tag$",
        "WITH t AS (SELECT 1) SELECT * FROM t",
        "SELECT updated_at, deleted FROM t FOR XML",
        "SELECT count(*) FROM t WHERE d > now() - interval '1 hour'",
    ],
)
def test_a_query_that_only_reads_is_taken(sql):
    assert why_not_select(sql) is None


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "SELECT 1;;",
        "SELECT 1; SELECT 2",
        "(SELECT 1)",
        "EXPLAIN SELECT 1",
        "WITH t AS (SELECT 1) TABLE t; x",
        "with t as (insert into a values (1) returning 1) select 1",
        "WITH t AS (VALUES (1)) TABLE t",
        "SELECT 1 FROM t FOR NO KEY UPDATE",
        "SELECT 1 FROM t FOR KEY SHARE",
        "SELECT 'a' 'b",
        'SELECT "a',
        r"SELECT 'a\'; DELETE FROM t; --'",
        "SELECT /* 1",
        "SELECT $a$ x $a$; DROP TABLE t",
    ],
)
def test_a_query_that_does_more_is_refused(sql):
    assert why_not_select(sql) is not None
