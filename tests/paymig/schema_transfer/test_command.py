"""`paymig transfer-schema` as an operator types it: refused before there is a target, made once, then unchanged."""

import json

import pytest

from paymig import cli


def test_the_target_gets_the_schema_of_the_source(stage, deploy, spec, capsys, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", stage.embedded.account_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "embedded")

    def typed(section: str) -> tuple[int, str, str]:
        capsys.readouterr()
        arguments = ["--endpoint-url", stage.aws.endpoint_url, "--section", section, "--format", "json"]
        with pytest.raises(SystemExit) as ended:
            cli.main(["transfer-schema", "specs/payments.yaml", *arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    code, _, err = typed("pre-data")
    assert code == 3
    assert "has no target database yet" in err
    deploy(spec)
    code, _, err = typed("post-data")
    assert code == 3
    assert "the table public.payments is missing on the target" in err
    for outcome in ("made", "unchanged"):
        for section in ("pre-data", "post-data"):
            code, out, err = typed(section)
            assert (code, err) == (0, "")
            assert json.loads(out)["outcome"] == outcome
