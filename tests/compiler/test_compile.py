import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.compile import Compiled, compile_spec, write
from schemas.diagnostics import SpecError
from schemas.load import load, parse
from tests.strategies import SPECS


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_write_gives_what_the_manifest_says(payments: Compiled, tmp_path: Path) -> None:
    write(payments, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["migration"] == "payments-prod"
    assert manifest["region"] == "us-east-2"
    assert set(manifest["templates"]) == {path.stem for path in (tmp_path / "templates").iterdir()}
    for name, entry in manifest["templates"].items():
        body = (tmp_path / "templates" / f"{name}.json").read_bytes()
        assert body.endswith(b"\n")
        assert hashlib.sha256(body).hexdigest() == entry["sha256"]
        assert entry["key"] == f"templates/{name}.{entry['sha256'][:32]}.json"
    assert {entry["key"] for entry in manifest["assets"].values()} == {
        f"assets/{path.name}" for path in (tmp_path / "assets").iterdir()
    }
    for entry in manifest["assets"].values():
        assert hashlib.sha256((tmp_path / entry["key"]).read_bytes()).hexdigest() == entry["sha256"]
    required = {parameter["name"] for parameter in manifest["parameters"] if parameter["required"]}
    assert required == {"ArtifactBucket", "JournalTable", "SourceAdminSecretArn", "SourceSecretArn"}


def test_write_twice_changes_nothing_and_removes_what_is_stale(payments: Compiled, tmp_path: Path) -> None:
    write(payments, tmp_path)
    first = snapshot(tmp_path)
    (tmp_path / "templates" / "gone.json").write_text("{}")
    (tmp_path / "assets" / "gone.0123.zip").write_text("")
    (tmp_path / "notes.txt").write_text("not ours")
    write(payments, tmp_path)
    assert snapshot(tmp_path) == first | {"notes.txt": b"not ours"}


def test_the_source_map_leads_to_the_line(payments: Compiled, tmp_path: Path) -> None:
    write(payments, tmp_path)
    source_map = json.loads((tmp_path / "source-map.json").read_text())
    lines = (SPECS / "payments.yaml").read_text().splitlines()
    entry = source_map["templates"]["database"]["Cluster"]
    assert lines[entry["line"] - 1].startswith("database:")
    capacity = entry["properties"]["ServerlessV2ScalingConfiguration"]
    assert lines[capacity["line"] - 1][capacity["column"] - 1 :].startswith("{min: 1, max: 32}")
    assert set(source_map["templates"]["network"]) == set(json.loads(payments.templates["network"])["Resources"])


def test_moving_a_line_of_the_spec_changes_no_template(payments: Compiled) -> None:
    text = (SPECS / "payments.yaml").read_text()
    moved = compile_spec(parse("# a comment\n\n" + text, "migration.yaml", SPECS))
    assert moved.templates == payments.templates
    assert moved.source_map.locate("database", "Cluster") != payments.source_map.locate("database", "Cluster")


@pytest.mark.parametrize("content", ["", "not a certificate", "-----BEGIN PRIVATE KEY-----"])
def test_an_authority_that_is_no_certificate_is_refused(tmp_path: Path, content: str) -> None:
    text = (SPECS / "payments.yaml").read_text()
    text = text[: text.index("\nenvironments:")]
    (tmp_path / "onprem-ca.pem").write_text(content)
    with pytest.raises(SpecError) as raised:
        compile_spec(parse(text, "migration.yaml", tmp_path))
    [found] = raised.value.diagnostics
    assert found.code == "PMG315"
    assert text.splitlines()[found.line - 1][found.column - 1 :].startswith("onprem-ca.pem")


def test_compiling_loads_neither_boto3_nor_cfn_lint() -> None:
    script = (
        "import sys, pathlib\n"
        "from compiler.compile import compile_spec\n"
        "from schemas.load import load\n"
        "compile_spec(load(pathlib.Path(sys.argv[1])))\n"
        "sys.stdout.write(' '.join(sorted({'boto3', 'botocore', 'cfnlint', 'jsonschema'} & set(sys.modules))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(SPECS / "payments.yaml")], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


def test_examples_load_without_warnings() -> None:
    assert load(SPECS / "payments.yaml").warnings == ()
