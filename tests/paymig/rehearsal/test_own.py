"""A rehearsal of the operator's own: tables and rows, clients, the API of today and the new one."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from paymig.cli import cli
from paymig.errors import EmbeddedError, PaymigError
from paymig.rehearsal.own import class_of
from paymig.rehearsal.scenario import changed
from paymig.rehearsal.stage import open_stage
from schemas.diagnostics import SpecError
from schemas.load import load, parse

OWN = Path(__file__).with_name("own")
SPECS = Path(__file__).parents[3] / "specs"
PATCH = {
    "api": {"code": "api.zip", "handler": "orders.handler"},
    "replication": {"tables": {"include": ["shop.%"], "exclude": []}},
    "validation": {"invariants": []},
    "rehearsal": {"schema": "dump.sql", "workload": "load.py", "old_api": "old_api.py"},
}


WITNESS = """

class Workload(Workload):
    def prove(self, running, receipts, unknown):
        running.execute("SELECT DISTINCT taken_by FROM shop.orders")
        pathlib.Path({!r}).write_text(json.dumps([taker for (taker,) in running.fetchall()]))
        return super().prove(running, receipts, unknown)
"""
"""Of the operator's workload: it writes down who the writer says took the orders."""


@pytest.fixture
def spec(tmp_path):
    folder = shutil.copytree(SPECS, tmp_path / "spec")
    shutil.copytree(OWN, folder, dirs_exist_ok=True)
    shutil.make_archive(folder / "api", "zip", folder / "api")
    with (folder / "load.py").open("a") as file:
        file.write("\nimport pathlib\n" + WITNESS.format(str(tmp_path / "takers.json")))
    file = folder / "payments.yaml"
    file.write_text(changed(file.read_text(), PATCH))
    return file


def test_it_is_played_to_the_end_with_the_proof(spec, tmp_path):
    arguments = [str(spec), "--environment", "staging", "--rate", "20", "--duration", "1"]
    done = CliRunner().invoke(cli, ["rehearse", *arguments, "--report", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "report" / "rehearsal.json").read_text())
    assert report["kept"], report["verdict"]
    assert report["migration"] == "payments-staging"
    assert report["proof"]["writer"] == "target"
    assert report["proof"]["promised"] == report["proof"]["found"] > 50
    assert report["proof"]["counts"]["by_kind"] == {"order": report["proof"]["counts"]["requests"]}
    assert min(report["proof"]["counts"]["by_side"].values()) > 10
    # Both served: the old API, and the deployed function, which knows its own name.
    [function] = {*json.loads((tmp_path / "takers.json").read_text())} - {"the old API", "nobody knows"}
    assert function.startswith("payments-staging-Api-")
    [table] = report["comparison"]["tables"]
    assert table["table"] == "shop.orders"
    assert table["rows_target"] > 50
    assert "fill the source" not in {phase["name"] for phase in report["phases"]}


@pytest.mark.parametrize("key", ["schema", "workload", "old_api"])
def test_a_file_that_is_not_there_is_told_with_its_place(key):
    text = (SPECS / "minimal.yaml").read_text() + f"rehearsal:\n  {key}: gone/away.x\n"
    with pytest.raises(SpecError) as caught:
        parse(text, "migration.yaml", SPECS)
    [found] = caught.value.diagnostics
    lines = text.splitlines()
    assert (found.code, found.span.line) == ("PMG213", len(lines))
    assert found.span.column == lines[-1].index("gone") + 1
    assert "gone/away.x" in found.message


def test_a_dump_that_cannot_be_restored_says_where(tmp_path):
    dump = tmp_path / "dump.sql"
    dump.write_text("CREATE TABLE a (x int);\nCREATE TABEL b (x int);\n")
    with pytest.raises(EmbeddedError, match=r"dump\.sql:2: ERROR") as caught, open_stage(MINIMAL.migration, dump):
        pass
    assert "pg_dump" in caught.value.hint


MINIMAL = load(SPECS / "minimal.yaml")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("class Workload: pass", "lacks next, answered, prove"),
        ("x = 1", "AttributeError"),
        ("raise ValueError('no')", "ValueError: no"),
        ("class", "SyntaxError"),
    ],
)
def test_what_is_no_workload_is_refused(tmp_path, text, why):
    file = tmp_path / "load.py"
    file.write_text(text)
    with pytest.raises(PaymigError, match=re.escape(why)):
        class_of(file, "Workload", ("next", "answered", "prove"))
    with pytest.raises(PaymigError, match="no Python file"):
        class_of(tmp_path / "load.txt", "Workload", ())
