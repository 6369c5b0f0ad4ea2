"""`paymig preflight` as an operator types it, against the embedded AWS and real servers."""

import json
import shlex

import pytest

from paymig import cli
from paymig.commands.preflight import command
from tests.paymig.preflight.pairs import run

SPEC = "specs/payments.yaml"
TOLD = {"PMG401", "PMG461", "PMG490"}
"""Of a good pair: the servers have no TLS, nothing matches what the spec excludes, and something moves."""


@pytest.fixture
def preflight(stage, capsys, monkeypatch):
    """Type the command with arguments; return its exit code and what it printed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", stage.embedded.account_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "embedded")

    def typed(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["preflight", SPEC, "--endpoint-url", stage.aws.endpoint_url, *arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return typed


def test_a_good_source_passes_and_a_bad_one_does_not(stage, spec, preflight):
    code, out, err = preflight("--format", "json")
    assert (code, err) == (0, "")
    assert {found["code"] for found in json.loads(out)} == TOLD
    database = spec.migration.source.database.name
    run(stage.source, database, "SET ROLE payments_owner; CREATE TABLE t (x int, n numeric)")
    code, out, err = preflight("--format", "json")
    assert code == 8
    (found,) = [found for found in json.loads(out) if found["code"] == "PMG402"]
    text = spec.text.splitlines()[found["line"] - 1]
    assert text[found["column"] - 1 : found["end_column"] - 1] == "public.%"
    run(stage.source, database, *found["sql"])
    assert "PMG402" not in {found["code"] for found in json.loads(preflight("--format", "json")[1])}
    code, out, err = preflight()
    assert "error[PMG420]: public.t.n is numeric" in out
    assert "^^^^^^^^" in out
    assert out.splitlines()[-1].startswith("1 error, ")
    code, out, err = preflight("--format", "github")
    assert f"::error file={SPEC}" in out
    assert json.loads(preflight("--format", "sarif")[1])["runs"][0]["results"]


def test_the_function_in_aws_sees_the_same(stage, deploy, spec, preflight):
    code, _, err = preflight("--in-aws")
    assert code == 3
    assert "has no switchover function yet" in err
    deploy(spec)
    here, there = (json.loads(preflight("--format", "json", *how)[1]) for how in ((), ("--in-aws",)))
    assert {found["code"] for found in here} == TOLD
    assert {found["side"] for found in here} == {"source", "target"}
    # Nobody made the control role yet, and that must not pass for a target without findings.
    assert {found["code"] for found in there} == TOLD | {"PMG491"}


def test_a_source_that_is_not_reached_is_told_in_a_line(stage, preflight):
    stage.source.stop()
    code, out, err = preflight()
    assert (code, out) == (3, "")
    assert "the source can't be read" in err
    assert "--in-aws" in err
    assert "Traceback" not in err


def test_the_example_of_the_help_is_a_command():
    words = shlex.split(command.epilog.removeprefix("Example: ").partition("|")[0])
    assert command.make_context("preflight", words[2:]).params["output"] == "json"
