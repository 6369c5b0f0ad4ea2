"""`paymig transfer-schema` as an operator types it: refused before there is a target, made once, then unchanged."""

import json
from dataclasses import replace

import psycopg2
import pytest

from paymig import cli
from paymig.databases import Databases
from paymig.errors import Refused
from paymig.journal.opening import open_journal
from paymig.schema_transfer import run
from runtime_lambdas.runtime.journal.hold import hold


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
    assert "nothing of payments-prod was deployed here yet" in err
    deploy(spec)
    code, _, err = typed("post-data")
    assert code == 3
    assert "the table public.payments is missing on the target" in err
    for outcome in ("made", "unchanged"):
        for section in ("pre-data", "post-data"):
            code, out, err = typed(section)
            assert (code, err) == (0, "")
            assert json.loads(out)["outcome"] == outcome
    journal = open_journal(stage.aws, spec.migration.full_name)
    written = [(one.step, one.kind) for one in journal.entries() if one.verb == "transfer-schema"]
    tables, indexes = "make the target's tables", "make indexes and constraints"
    assert written == [
        (indexes, "intent"),
        (indexes, "failed"),
        *[(step, kind) for _ in range(2) for step in (tables, indexes) for kind in ("intent", "done")],
    ]
    with hold(journal, "shift"):
        code, _, err = typed("pre-data")
    assert code == 3
    assert "lease" in err


def test_what_died_in_the_middle_is_finished_by_the_next_run(stage, deploy, spec, monkeypatch):
    deploy(spec)
    journal = open_journal(stage.aws, spec.migration.full_name)
    real = run.transfer

    def dying(*arguments):
        real(*arguments)
        raise psycopg2.OperationalError("the connection was lost")

    databases = Databases(stage.aws, spec)
    monkeypatch.setattr(run, "transfer", dying)
    with pytest.raises(Refused, match="the connection was lost"):
        run.transfer_schema(journal, databases, "pre-data")
    monkeypatch.setattr(run, "transfer", real)
    assert run.transfer_schema(journal, databases, "pre-data").outcome == "unchanged"
    control = journal.writer()
    monkeypatch.setattr(type(journal), "writer", lambda _: replace(control, side="target"))
    with pytest.raises(Refused, match="the target is the writer"):
        run.transfer_schema(journal, databases, "post-data")
