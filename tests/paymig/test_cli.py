"""The commands that need no AWS, and the boundary from exception to exit code."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from paymig import cli
from paymig.errors import AwsError, NotConfirmed, PaymigError, Refused, StackFailed
from paymig.failures import explain

SPECS = Path(__file__).parents[2] / "specs"


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_a_mistyped_command_is_answered_with_the_nearest(capsys):
    code, _, error = run(capsys, "depoly")
    assert code == 2
    assert "Did you mean 'deploy'?" in error


def test_without_a_spec_the_command_says_what_to_do(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, error = run(capsys, "check")
    assert code == 2
    assert "paymig init" in error


def test_init_writes_a_spec_that_lacks_only_the_certificate_and_never_overwrites(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "init")[0] == 0
    code, out, _ = run(capsys, "check", "--format", "json")
    assert (code, [found["code"] for found in json.loads(out)]) == (1, ["PMG213"])
    shutil.copy(SPECS / "onprem-ca.pem", tmp_path)
    assert run(capsys, "check")[0] == 0
    Path("migration.yaml").write_text("mine")
    code, _, error = run(capsys, "init")
    assert (code, Path("migration.yaml").read_text()) == (3, "mine")
    assert "exists already" in error


def test_check_shows_every_error_and_exits_1(capsys, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        (SPECS / "minimal.yaml").read_text().replace("region: us-east-2", "regoin: us-east-2\nnetwork: {cidr: 3}")
    )
    code, out, _ = run(capsys, "check", str(bad))
    assert code == 1
    assert f"{bad}:5:1" in out and "regoin" in out
    assert f"{bad}:6:17" in out
    code, out, _ = run(capsys, "check", "--format", "json", str(bad))
    assert code == 1
    assert {found["line"] for found in json.loads(out)} >= {5, 6}


def test_every_command_that_reads_a_bad_spec_exits_1_with_its_place(capsys, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 2\n")
    for command in (["compile"], ["graph"], ["deploy"], ["status"], ["shift", "--to", "1"], ["rollback"], ["destroy"]):
        code, _, error = run(capsys, command[0], str(bad), *command[1:])
        assert code == 1, command
        assert f"{bad}:1:" in error


def test_compile_writes_what_the_manifest_says(capsys, tmp_path):
    code, out, _ = run(capsys, "compile", str(SPECS / "payments.yaml"), "-o", str(tmp_path), "--format", "json")
    assert code == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(json.loads(out)["templates"]) == set(manifest["templates"])
    assert {f.stem for f in (tmp_path / "templates").iterdir()} == set(manifest["templates"])
    assert {f"assets/{f.name}" for f in (tmp_path / "assets").iterdir()} == {
        a["key"] for a in manifest["assets"].values()
    }


def test_graph_draws_every_component(capsys, tmp_path):
    picture = tmp_path / "graph.svg"
    assert run(capsys, "graph", str(SPECS / "payments.yaml"), "-o", str(picture))[0] == 0
    code, mermaid, _ = run(capsys, "graph", str(SPECS / "payments.yaml"))
    assert code == 0
    for name in ("Network", "LoadBalancer", "Routing"):
        assert f"  {name}[" in mermaid
    assert picture.read_text().count('class="c"') == mermaid.count("[")
    assert run(capsys, "graph", str(SPECS / "payments.yaml"), "-o", str(tmp_path / "graph.bmp"))[0] == 2


@pytest.mark.parametrize(("text", "share"), [("10", 10), ("10%", 10), ("0", 0), ("100%", 100)])
def test_shares_are_read(text, share):
    from paymig.commands.shift import Share

    assert Share().convert(text, None, None) == share


@pytest.mark.parametrize("text", ["101", "-1", "1.5", "%", "", "10 %", "ten", "१०"])
def test_other_shares_are_refused(text):
    from paymig.commands import shift

    done = CliRunner().invoke(shift.command, [str(SPECS / "minimal.yaml"), "--to", text])
    assert done.exit_code == 2
    assert "whole percentage" in done.output


def test_exit_codes_are_distinct():
    kinds = (PaymigError, Refused, NotConfirmed, AwsError, StackFailed)
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    assert explain(Refused("no", "do this")) == ("error: no\n  hint: do this", 3)
    assert explain(ValueError("a defect")) is None


def test_aws_errors_are_worded(capsys, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    spec = str(SPECS / "minimal.yaml")
    code, _, error = run(capsys, "status", spec)
    assert (code, "Traceback" in error) == (5, False)
    assert "credentials" in error
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111122223333")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    code, _, error = run(capsys, "status", spec, "--endpoint-url", "http://127.0.0.1:9")
    assert (code, "Traceback" in error) == (5, False)
    assert "cannot be reached" in error
    code, _, error = run(capsys, "status", spec, "--region", "eu-west-1")
    assert code == 3


def test_nobody_to_ask_is_not_a_yes(capsys):
    from paymig.console import Console

    with pytest.raises(NotConfirmed):
        Console().confirm("Really?", yes=False)


def test_all_environments_are_compiled_in_one_call_each_as_it_is_alone(capsys, tmp_path):
    spec = str(SPECS / "payments.yaml")
    code, out, _ = run(capsys, "compile", spec, "--all-environments", "-o", str(tmp_path / "all"), "--format", "json")
    told = json.loads(out)["environments"]
    assert (code, set(told)) == (0, {"prod", "staging"})
    for name in told:
        assert told[name]["folder"] == str(tmp_path / "all" / name)
        assert run(capsys, "compile", spec, "-e", name, "-o", str(tmp_path / name))[0] == 0
        alone = {path.relative_to(tmp_path / name): path for path in (tmp_path / name).rglob("*.*")}
        together = {path.relative_to(tmp_path / "all" / name) for path in (tmp_path / "all" / name).rglob("*.*")}
        assert together == alone.keys()
        assert all((tmp_path / "all" / name / path).read_bytes() == alone[path].read_bytes() for path in alone)
    code, out, _ = run(capsys, "compile", spec, "--all-environments", "-o", str(tmp_path / "all"))
    assert [line.rpartition("/")[2] for line in out.splitlines()] == ["prod", "staging"]
    code, _, error = run(capsys, "compile", spec, "--all-environments", "-e", "staging")
    assert code == 2 and "one of them" in error


def test_nothing_is_written_when_one_environment_cannot_be_compiled(capsys, tmp_path):
    text = (
        (SPECS / "payments.yaml").read_text().replace("environments:", "environments:\n  other: {region: eu-south-9}")
    )
    for file in ("onprem-ca.pem", "patches"):
        (tmp_path / file).symlink_to(SPECS / file)
    (tmp_path / "spec.yaml").write_text(text)
    code, _, error = run(
        capsys, "compile", str(tmp_path / "spec.yaml"), "--all-environments", "-o", str(tmp_path / "out")
    )
    assert code == 1 and "eu-south-9" in error
    assert not (tmp_path / "out").exists()
