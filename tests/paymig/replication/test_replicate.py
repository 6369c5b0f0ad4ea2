"""`paymig replicate` between two real servers, with its journal in the embedded AWS."""

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from click.testing import CliRunner
from rich.console import Console as RichConsole

from paymig.commands.replicate import command
from paymig.console import Console
from paymig.databases import Databases
from paymig.errors import Refused
from paymig.journal.opening import open_journal
from paymig.replication import run, status
from paymig.replication.engines import engine_for
from paymig.replication.show import Bars, Pace, size, table
from runtime_lambdas.runtime.replication.engine import Progress, TableProgress
from tests.runtime_lambdas.replication.pair import until

ROWS = 300


def execute(dsn: str, sql: str) -> list[tuple]:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@pytest.fixture
def deployed(stage, spec, deploy):
    """A deployed migration with payments on the source."""
    deploy(spec)
    execute(
        stage.source_dsn,
        "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
        f" SELECT i::text, 'd', 'Zoë', i, 'EUR', 'captured' FROM generate_series(1, {ROWS}) i",
    )
    databases = Databases(stage.aws, spec)
    engine = engine_for(spec.migration, databases, stand_in="logical")
    yield engine, open_journal(stage.aws, spec.migration.full_name), databases
    engine.close()


def test_from_an_empty_target_to_the_end_and_again(stage, spec, deployed, capsys):
    engine, journal, databases = deployed
    assert status.look(engine, journal).to_json()["state"] == "absent"

    report = run.start(engine, journal, databases, spec.migration, Console("json"), "first load")
    assert report.healthy, report.to_json()
    report.show(Console("json"))
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["problems"]) == ("replicating", [])
    assert {one["table"]: one["rows"] for one in shown["tables"]}["public.payments"] == ROWS
    assert execute(stage.target_dsn, "SELECT count(*) FROM payments") == [(ROWS,)]

    made = [
        execute(dsn, "SELECT count(*) FROM pg_constraint WHERE contype = 'f'")
        for dsn in (stage.source_dsn, stage.target_dsn)
    ]
    assert made[0] == made[1] != [(0,)]

    again = run.start(engine, journal, databases, spec.migration, Console("json"))
    assert again.healthy
    assert execute(stage.target_dsn, "SELECT count(*) FROM payments") == [(ROWS,)], "nothing is loaded twice"
    steps = [(one.verb, one.step, one.kind) for one in journal.entries() if one.verb == "replicate start"]
    assert steps.count(("replicate start", "start replication", "done")) == 2
    recorded = status.recorded_identity(journal)
    assert recorded == replace(engine.identity(), position=recorded.position)

    for role, may in (("api", "SELECT"), ("validation", "SELECT")):
        with databases.open("target", role) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM payments")
            assert cursor.fetchone() == (ROWS,), (role, may)
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("DELETE FROM payments")

    paused = run.stop(engine, journal, Console("json"), retire=False, yes=True)
    assert paused.progress.state == "paused"
    execute(stage.source_dsn, "DELETE FROM payments WHERE amount = 1")
    assert not status.look(engine, journal).healthy
    assert run.start(engine, journal, databases, spec.migration, Console("json")).healthy
    assert execute(stage.target_dsn, "SELECT count(*) FROM payments") == [(ROWS - 1,)]

    ended = run.stop(engine, journal, Console("json"), retire=True, yes=True)
    assert ended.progress.state == "absent"
    assert status.recorded_identity(journal) is None
    assert execute(stage.source_dsn, "SELECT count(*) FROM pg_replication_slots") == [(0,)]
    with pytest.raises(Refused, match="hold rows already"):
        run.start(engine, journal, databases, spec.migration, Console("json"))


def test_what_broke_is_told_by_the_status(stage, spec, deployed):
    engine, journal, databases = deployed
    run.start(engine, journal, databases, spec.migration, Console("json"))
    engine.pause()
    execute(stage.source_dsn, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    report = status.look(engine, journal)
    assert not report.healthy
    assert "has no slot" in " ".join(report.to_json()["problems"])
    assert "is gone, so changes were lost" in report.broken
    text = io.StringIO()
    RichConsole(file=text, width=200).print(table(report))
    assert "public.payments" in text.getvalue()
    assert "problem" in text.getvalue()


SLOW = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END';
CREATE TRIGGER slow BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION dawdle();
ALTER TABLE payments ENABLE ALWAYS TRIGGER slow;
"""
QUICK = "CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"


def test_the_status_of_a_load_tells_how_long_each_table_still_takes(stage, spec, deployed):
    engine, journal, databases = deployed
    execute(stage.source_dsn, "ANALYZE payments")
    starting = engine_for(spec.migration, databases, stand_in="logical")
    prepare = starting.prepare
    starting.prepare = lambda: (prepare(), execute(stage.target_dsn, SLOW))
    told: list[status.Report] = []
    with closing(starting), ThreadPoolExecutor(1) as another:
        started = another.submit(
            lambda: run.start(starting, open_journal(stage.aws, spec.migration.full_name), databases, spec.migration,
                              Console("json"))
        )  # fmt: skip
        try:
            until(lambda: told.append(status.look(engine, journal)) or told[-1].pace or started.done(), 120)
        finally:
            until(lambda: quickly(stage.target_dsn) or started.done(), 120)
        assert started.result().healthy
    report = told[-1]
    assert not report.healthy
    data = report.to_json()
    [payments] = [one for one in data["tables"] if one["table"] == "public.payments"]
    made, missing = report.pace.rows["public.payments"], ROWS - payments["rows"]
    assert payments["state"] == "loading"
    assert 0 < payments["rows"] < ROWS == payments["rows_expected"]
    assert payments["seconds_left"] == pytest.approx(missing * report.pace.seconds / made)
    assert data["seconds_left"] >= payments["seconds_left"]
    text = io.StringIO()
    RichConsole(file=text, width=200).print(table(report))
    assert re.search(rf"public\.payments .* loading +{payments['seconds_left']:,.0f} s", text.getvalue())
    assert re.search(r"about [\d,]+ s left", text.getvalue())
    assert status.look(engine, journal).to_json()["seconds_left"] is None


def quickly(dsn: str) -> bool:
    """Let the load be as fast as any, once it can be slow."""
    if execute(dsn, "SELECT to_regproc('dawdle')") == [(None,)]:
        return False
    execute(dsn, QUICK)
    return True


def test_the_status_tells_of_the_way_back_and_judges_by_who_is_the_writer(stage, spec, deployed):
    engine, journal, databases = deployed
    report = run.start(engine, journal, databases, spec.migration, Console("json"))
    assert report.to_json()["back"] is None
    with closing(engine.reverse()) as back:
        back.prepare()
        report = status.look(engine, journal)
        assert report.healthy
        assert report.to_json()["back"]["state"] == "replicating"
        assert report.to_json()["back"]["lag"]["arrived"]
        move_writer(stage, spec)
        assert status.look(engine, journal).healthy
        back.pause()
        execute(stage.target_dsn, f"SELECT pg_drop_replication_slot('{back.name}')")
        report = status.look(engine, journal)
        assert not report.healthy
        assert report.follows, "that way all is well"
        told = report.to_json()["back"]
        assert "has no slot" in " ".join(told["problems"])
        text = io.StringIO()
        RichConsole(file=text, width=200).print(table(report))
        assert re.search(r"the way back, from the target to the source\n(.*\n)*problem.*has no slot", text.getvalue())


def move_writer(stage, spec):
    """Let the journal say that the target is the writer."""
    journal_table = next(iter(stage.aws.client("dynamodb").list_tables()["TableNames"]))
    stage.aws.client("dynamodb").put_item(
        TableName=journal_table,
        Item={
            "migration": {"S": spec.migration.full_name},
            "item": {"S": "control"},
            "writer": {"S": "target"},
            "epoch": {"N": "1"},
        },
    )


def test_a_writer_that_has_moved_is_refused(stage, spec, deployed):
    engine, journal, databases = deployed
    move_writer(stage, spec)
    with pytest.raises(Refused, match="the target is the writer"):
        run.start(engine, journal, databases, spec.migration, Console("json"))
    with pytest.raises(Refused, match="the target is the writer"):
        run.stop(engine, journal, Console("json"), retire=True, yes=True)
    assert status.look(engine, journal).progress.state == "absent"


def test_a_database_that_is_away_is_named(stage, spec, deploy):
    deploy(spec)
    stage.source.stop()
    databases = Databases(stage.aws, spec)
    engine = engine_for(spec.migration, databases, stand_in="logical")
    journal = open_journal(stage.aws, spec.migration.full_name)
    with pytest.raises(Refused, match="can't be reached from here"):
        run.start(engine, journal, databases, spec.migration, Console("json"))
    assert journal.entries is not None
    assert [one.kind for one in journal.entries() if one.step == "make the target's tables"] == ["intent", "failed"]


@pytest.mark.parametrize("verb", ["start", "status", "stop"])
def test_help_has_an_example(verb):
    result = CliRunner().invoke(command, [verb, "--help"])
    assert result.exit_code == 0
    assert f"paymig replicate {verb}" in result.output


def test_the_time_left_follows_the_pace():
    half = Progress(
        "loading", (TableProgress("a", "loading", 50, 100, 1, 2), TableProgress("b", "waiting", 0, 50, 0, 1))
    )
    assert Pace({"a": 50}, 10.0).left(half.tables) == 20.0
    assert Pace({"a": 50}, 10.0).left(half.tables[:1]) == 10.0
    assert Pace({"a": 50}, 10.0).left(half.tables[1:]) is None
    assert Pace({}, 10.0).left(half.tables) is None
    assert Pace({}, 0.0).left([replace(half.tables[0], rows=100)]) == 0.0
    estimated_too_high = replace(half.tables[0], rows=90, state="replicating")
    assert Pace({}, 9.0).left([estimated_too_high]) == 0.0
    before = replace(half, tables=(replace(half.tables[0], rows=10),))
    assert Pace.between(before, half, 4.0) == Pace({"a": 40, "b": 0}, 4.0)
    assert [size(one) for one in (0, 1536, 3 * 2**30)] == ["0 B", "1.5 KiB", "3.0 GiB"]


def test_each_table_has_a_bar_its_rows_its_bytes_and_the_time_left():
    console, screen = Console("text"), io.StringIO()
    console.err = RichConsole(file=screen, force_terminal=True, width=140)
    with Bars(console) as bars:
        for rows in (0, 50):
            loading = TableProgress("public.payments", "loading", rows, 100, 1024, 2048)
            bars.update(Progress("loading", (loading, TableProgress("public.refunds", "waiting", 0, 7, 0, 10))))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).splitlines()
    assert any(re.search(r"public\.payments .* 50/100 +1\.0 KiB/2\.0 KiB +loading +\d+ s", line) for line in shown), (
        shown
    )
    assert any(re.search(r"public\.refunds .* 0/7 +0 B/10 B +waiting *$", line) for line in shown), shown
    assert any(re.search(r"about \d+ s left", line) for line in shown), shown


def test_lines_where_there_is_no_terminal(capsys):
    with Bars(Console("text")) as bars:
        for state in ("waiting", "loading", "loading", "replicating"):
            bars.update(Progress("loading", (TableProgress("public.payments", state, 10, 20, 1, 2),)))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["loading", "replicating"]
