"""`paymig compare` on a deployed migration, on two real servers."""

import json
from contextlib import closing

import psycopg2
import pytest

from paymig.cli import main
from paymig.databases import Databases
from runtime_lambdas.runtime.comparison import Options
from runtime_lambdas.runtime.comparison import run as engine
from runtime_lambdas.runtime.comparison.server import Server
from tests.paymig.conftest import SPECS
from tests.runtime_lambdas.conftest import SCHEMA
from tests.runtime_lambdas.test_validation import FILL


def run(dsn, sql):
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def compare(stage, spec, deploy, monkeypatch, capsys):
    """Compare a deployed migration whose databases hold the same payments."""
    for name, value in stage.embedded.environment().items():
        monkeypatch.setenv(name, value)
    deploy(spec)
    databases = Databases(stage.aws, spec)
    login = databases.login("target", "validation")
    stage.target.create_role(login.user, login.secret["password"])
    run(stage.target_dsn, SCHEMA.read_text() + f"; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {login.user}")
    for dsn in (stage.source_dsn, stage.target_dsn):
        run(dsn, FILL)
    monkeypatch.setattr("paymig.comparison.run.Options", lambda **chosen: Options(pause=0.01, patience=2, **chosen))

    def command(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["compare", str(SPECS / "payments.yaml"), *arguments])
        return ended.value.code, capsys.readouterr()

    return command


def test_from_equal_to_different(compare, stage, tmp_path):
    code, said = compare()
    assert (code, "Both sides hold the same." in said.out) == (0, True)
    code, said = compare("--format", "json")
    report = json.loads(said.out)
    assert (code, report["verdict"], report["mode"]) == (0, "equal", "changes")  # the first one is remembered
    assert {each["name"]: each["source"] for each in report["invariants"]} == {
        "captured_by_currency": [["EUR", "10100"], ["USD", "10000"]],
        "ledger_by_currency": [
            ["EUR", "clearing", "10100"],
            ["EUR", "merchant:Zoë", "-10100"],
            ["USD", "clearing", "10000"],
            ["USD", "merchant:Zoë", "-10000"],
        ],
        "orphaned_transactions": [["0"]],
        "unbalanced_payments": [["0"]],
    }

    assert report["schema"] == []

    run(stage.target_dsn, "DROP INDEX transactions_payment_id; CREATE SCHEMA own; CREATE TABLE own.more (x int)")
    code, said = compare()
    assert (code, "Both sides hold the same." in said.out) == (8, True)
    assert "the index public.transactions.transactions_payment_id is missing on the target" in " ".join(
        said.out.split()
    )
    assert "The target's schema is not the source's." in said.out
    run(stage.target_dsn, "CREATE INDEX transactions_payment_id ON transactions (payment_id)")
    code, said = compare()
    assert (code, "the table own.more exists on the target only" in said.out) == (0, True)
    run(stage.target_dsn, "DROP SCHEMA own CASCADE")

    run(stage.target_dsn, "UPDATE payments SET merchant = 'secret' WHERE amount = 7")
    code, said = compare("--full", "--report", str(tmp_path / "report.json"))
    assert code == 8
    assert "The two sides differ." in said.out
    assert "secret" not in said.out
    assert ": merchant" in said.out
    written = json.loads((tmp_path / "report.json").read_text())
    assert (written["mode"], written["values"], written["verdict"]) == ("full", "masked", "different")
    code, said = compare("--table", "public.pay%", "--show-values", "--snapshot", "--sha256", "--max-load", "90")
    assert (code, "merchant 'Zoë' / 'secret'" in said.out) == (8, True)
    assert "transactions" not in said.out
    code, said = compare("--table", "public.transactions", "--resume", str(tmp_path / "kept"))
    assert code == 0
    assert not list((tmp_path / "kept").iterdir())  # it is finished

    code, said = compare("--table", "nowhere.%")
    assert (code, "no table on either side matches" in said.err) == (1, True)
    (tmp_path / "kept" / "comparison.json").write_text('{"fingerprint": "of another"}')
    code, said = compare("--resume", str(tmp_path / "kept"))
    assert (code, "other tables, databases or options" in said.err) == (3, True)
    run(stage.target_dsn, "REVOKE SELECT ON payments FROM paymig_validation")
    code, said = compare("--full")
    assert (code, "need SELECT on every table" in said.err) == (1, True)


def test_the_load_asked_for_is_that_of_both_servers(compare, monkeypatch):
    loads = []

    class Told(Server):
        def __init__(self, open_, connections, max_load=1.0):
            loads.append(max_load)
            super().__init__(open_, connections, max_load)

    monkeypatch.setattr(engine, "Server", Told)
    for wishes, load in (("", 1), ("--full --max-load 80", 0.8), ("--table public.pay% --max-load 90", 0.9)):
        code, said = compare(*wishes.split())
        assert (code, set(loads)) == (0, {load}), said
        del loads[:]
