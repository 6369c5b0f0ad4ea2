"""`paymig evidence`: formats, files, and what fails a build."""

import json
from pathlib import Path

import pytest

from paymig import cli

SPECS = Path(__file__).parents[2] / "specs"
SPEC = str(SPECS / "payments.yaml")


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("output", "start"), [("markdown", "# PCI DSS"), ("html", "<!doctype html>"), ("json", '{\n  "standard"')]
)
def test_a_report_is_printed_or_written(capsys, tmp_path, output, start):
    code, out, _ = run(capsys, "evidence", SPEC, "--format", output)
    assert code == 0 and out.startswith(start)
    file = tmp_path / "report"
    code, said, _ = run(capsys, "evidence", SPEC, "--format", output, "-o", str(file))
    assert code == 0 and "shown by the template" in said
    assert file.read_text().rstrip() == out.rstrip()


def test_a_required_number_that_is_not_shown_fails(capsys, tmp_path):
    assert run(capsys, "evidence", SPEC, "--require", "1.3.1, 4.2.1")[0] == 0
    code, _, err = run(capsys, "evidence", SPEC, "--require", "1.3.1,11.3.1")
    assert (code, err) == (8, "error: 11.3.1 is left to process: Vulnerability scans, inside and outside\n")
    weak = tmp_path / "weak.yaml"
    text = (SPECS / "payments.yaml").read_text()
    text = text.replace("tls: {mode: verify-full, ca: onprem-ca.pem}", "tls: {mode: require}")
    weak.write_text(text[: text.index("extensions:")])
    code, out, err = run(capsys, "evidence", str(weak), "--require", "4.2.1", "--format", "json")
    assert code == 8 and "error: 4.2.1 is not shown" in err
    [row] = [row for row in json.loads(out)["requirements"] if row["numbers"] == ["4.2.1"]]
    assert [(one["resource"], one["property"], one["value"]) for one in row["failed"]] == [
        ("Replication/FollowEndpoint", "SslMode", "require"),
        ("Replication/ReverseTargetEndpoint", "SslMode", "require"),
        ("Replication/SourceEndpoint", "SslMode", "require"),
    ]


def test_an_unknown_number_is_wrong_usage(capsys):
    code, _, err = run(capsys, "evidence", SPEC, "--require", "99.9")
    assert code == 2 and "99.9" in err
