"""Reading a spec: environments, positions, files, and secrets that stay out of every output."""

import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.diagnostics import Severity, Span, SpecError, render_json, render_text
from schemas.load import load, parse
from tests.fragments import complete
from tests.strategies import SPECS

PAYMENTS = SPECS / "payments.yaml"


def text_at(spec, path):
    span = spec.locate(path)
    assert span.line == span.end_line
    return spec.text.splitlines()[span.line - 1][span.column - 1 : span.end_column - 1]


def test_an_overlay_merges_mappings_and_is_where_its_values_are():
    spec = load(PAYMENTS, "staging")
    assert spec.migration.full_name == "payments-staging"
    assert (spec.migration.database.capacity.min, spec.migration.database.capacity.max) == (0.5, 4)
    assert spec.migration.database.backup_retention == load(PAYMENTS).migration.database.backup_retention
    assert text_at(spec, "database.capacity.max") == "4"
    assert text_at(load(PAYMENTS), "database.capacity.max") == "32"
    assert text_at(spec, "replication.instance.storage") == "100GiB"
    assert text_at(spec, "environment") == "staging"


def test_the_specs_own_environment_can_be_named():
    assert load(PAYMENTS, "prod").migration == load(PAYMENTS).migration


def test_an_overlay_replaces_lists_with_their_positions():
    fragment = "cutover:\n  steps: [{to: 5%, bake: 1h}, {to: 100%, bake: 1h}]\n"
    fragment += "environments:\n  staging:\n    cutover: {steps: [{to: 100%, bake: 2h}]}\n"
    spec = parse(complete(fragment), "migration.yaml", SPECS, "staging")
    assert len(spec.migration.cutover.steps) == 1
    assert text_at(spec, "cutover.steps[0].bake") == "2h"
    assert ("cutover", "steps", 1) not in spec.positions


def test_a_default_is_located_at_its_nearest_written_ancestor():
    spec = load(SPECS / "minimal.yaml")
    assert spec.locate("source.database.tls.mode") == spec.locate("source.database.tls")
    assert spec.locate("source.database.port") == spec.locate("source.database")
    assert spec.locate("cutover.steps.2.to") == spec.locate(()) == spec.locate(("cutover",))
    assert spec.locate("source.api.ip_addresses[0]") == spec.locate(("source", "api", "ip_addresses", 0))


@pytest.mark.parametrize(("line_end", "mark"), [("\n", "\ufeff"), ("\r\n", ""), ("\r\n", "\ufeff")])
def test_byte_order_marks_and_line_ends_change_no_position(tmp_path, line_end, mark):
    text = complete("database: {instances: 3}\nnetwork: {cidr: 10.9.0.0/16}\n")
    shutil.copy(SPECS / "onprem-ca.pem", tmp_path)
    (tmp_path / "spec.yaml").write_bytes((mark + text.replace("\n", line_end)).encode())
    spec = load(tmp_path / "spec.yaml")
    assert spec.locate("database.instances") == Span(1, 23, 1, 24)
    assert spec.locate("network.cidr") == Span(2, 17, 2, 28)


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"name: \xff", (1, 7)), (b"name: x\nregion: \xe9t\xe9", (2, 9)), ("name: x".encode("utf-16"), (1, 1))],
)
def test_what_is_not_utf_8_is_shown_where_it_is(tmp_path, content, place):
    (tmp_path / "spec.yaml").write_bytes(content)
    with pytest.raises(SpecError) as refused:
        load(tmp_path / "spec.yaml")
    (found,) = refused.value.diagnostics
    assert (found.code, found.line, found.column) == ("PMG001", *place)


def test_a_folder_is_no_spec(tmp_path):
    with pytest.raises(SpecError, match="PMG001 this is a folder"):
        load(tmp_path)


def test_a_file_too_large_is_refused_before_it_is_parsed(tmp_path):
    (tmp_path / "spec.yaml").write_text("# " + "x" * 2**20)
    with pytest.raises(SpecError, match="PMG009"):
        load(tmp_path / "spec.yaml")


def test_warnings_do_not_stop():
    spec = parse(complete("load_balancer: {access_logs: 90d}\n"), "migration.yaml", SPECS)
    assert [(found.code, found.severity) for found in spec.warnings] == [("PMG218", Severity.WARNING)]


def test_colour_changes_nothing_else():
    with pytest.raises(SpecError) as refused:
        parse(complete("name: 5\n"), "migration.yaml", SPECS)
    error = refused.value
    plain, coloured = (render_text(error.diagnostics, error.sources, color) for color in (False, True))
    for code in ("1;31", "31", "1", "0"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain


_SECRET = st.from_regex(r"[A-Za-z0-9+!$%&=-]{4,30}", fullmatch=True).map(lambda text: f"Zq9{text}")
_WAYS = [
    "source_password: {}\n",
    'database: {{password: "{}", instances: two}}\n',
    "api: {{handler: 5,\n  db_token:\n    {}}}\n",
    "tags: {{ApiKey: '{}', Owner: 5}}\n",
    "network:\n  access_key: {}\n   cidr: x\n",
    "network: {{token: '{}', token: other}}\n",
    "network: {{cidr: x, cidr: y, secret-key: '{}'\n",
    "environments: {{staging: {{passwd: '{}', databse: 5}}}}\n",
    "x: &a '{}'\ny: 5\npassword: *a\n",
    "passwords: [one, '{}']\n",
    "tags: {{Link: 'postgres://me:{}@db.example.com/'}}\n",
]


@pytest.mark.parametrize("way", _WAYS)
@given(secret=_SECRET)
def test_a_secret_is_in_no_output(way, secret):
    with pytest.raises(SpecError) as refused:
        parse(complete(way.format(secret)), "migration.yaml", SPECS)
    error = refused.value
    outputs = (str(error), render_json(error.diagnostics), render_text(error.diagnostics, error.sources))
    assert not [output for output in outputs if secret in output]


def test_reading_a_spec_imports_nothing_heavy():
    code = (
        "import sys, pathlib; from schemas.load import load; load(pathlib.Path(sys.argv[1])); "
        "print(*{'jsonschema', 'boto3', 'botocore', 'troposphere', 'cfnlint', 'rich', 'click'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, PAYMENTS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
