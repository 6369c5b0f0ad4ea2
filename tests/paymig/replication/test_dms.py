"""The engine of DMS against the embedded AWS's DMS, whose rows a thread of this test carries over."""

import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from compiler import names
from compiler.compile import compile_spec
from paymig.console import Console
from paymig.databases import Databases
from paymig.deploy import Deployer
from paymig.errors import Refused
from paymig.journal.opening import open_journal
from paymig.replication import run, status
from paymig.replication.engines import engine_for
from runtime_lambdas.runtime.replication import dms, dms_api, dms_course
from runtime_lambdas.runtime.replication.engine import Broken, NotReady
from schemas.load import parse

SPECS = Path(__file__).parents[3] / "specs"
SCHEMA = (SPECS.parent / "runtime_lambdas" / "payment_api" / "schema.sql").read_text()
INSTANCE = "instance: {class: dms.r6i.large, storage: 100GiB, multi_az: true}"


def execute(dsn: str, sql: str) -> list[tuple]:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


class Carrier:
    """Does with payments and beats what DMS does on AWS, where the emulator only says that it does."""

    def __init__(self, origin: str, destination: str, moves) -> None:
        self._ends, self._moves = (origin, destination), moves
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        origin, destination = (psycopg2.connect(dsn) for dsn in self._ends)
        with closing(origin), closing(destination):
            while not self._over.wait(0.05):
                if self._moves.read().status != "running":
                    continue
                for table, key in (("payments", "id"), ("paymig.heartbeat", "side, beat")):
                    with origin, origin.cursor() as cursor:
                        cursor.execute(f"SELECT to_regclass('{table}') IS NOT NULL")
                        if cursor.fetchone() != (True,):
                            continue
                        cursor.execute(f"SELECT t::text FROM {table} t")
                        rows = cursor.fetchall()
                    with destination, destination.cursor() as cursor:
                        cursor.execute("SET session_replication_role = replica")
                        for row in rows:
                            cursor.execute(
                                f"INSERT INTO {table} SELECT (%s::{table}).* ON CONFLICT ({key}) DO NOTHING", row
                            )


@pytest.fixture
def migration(request, stage):
    text = (SPECS / "payments.yaml").read_text()
    if getattr(request, "param", "") == "serverless":
        text = text[: text.index("\nenvironments:")].replace(INSTANCE, "serverless: {min: 1, max: 4}")
    spec = parse(text, "migration.yaml", SPECS)
    Deployer(stage.aws, spec, compile_spec(spec), Console("json")).run(yes=True)
    execute(stage.target_dsn, SCHEMA)
    execute(
        stage.source_dsn,
        "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
        " SELECT i::text, 'd', 'Zoë', i, 'EUR', 'captured' FROM generate_series(1, 50) i",
    )
    databases = Databases(stage.aws, spec)
    engine = engine_for(spec.migration, databases, stage.aws)
    yield spec.migration, engine, open_journal(stage.aws, spec.migration.full_name), databases
    engine.close()


@pytest.mark.parametrize("migration", ["an instance", "serverless"], indirect=True)
def test_a_task_is_loaded_once_and_then_resumed(stage, migration, monkeypatch):
    values, engine, journal, databases = migration
    asked: list[str] = []
    for kind in (dms_api.Task, dms_api.Serverless):
        real = kind.start
        monkeypatch.setattr(
            kind, "start", lambda self, how, *rest, real=real: (asked.append(how), real(self, how, *rest))
        )
    with Carrier(stage.source_dsn, stage.target_dsn, engine._load):
        report = run.start(engine, journal, databases, values, Console("json"))
        assert report.healthy, report.to_json()
        assert {one.table: one.rows for one in report.progress.tables}["public.payments"] == 50
        assert run.start(engine, journal, databases, values, Console("json")).healthy
        assert asked == ["start-replication"], "what runs is left alone"
        engine.marker(20)
        engine.pause()
        engine.pause()
        assert engine.progress().state == "paused"
        assert run.start(engine, journal, databases, values, Console("json")).healthy
        assert asked == ["start-replication", "resume-processing"], "nothing is ever loaded again"
    recorded = status.recorded_identity(journal)
    engine.verify(recorded)
    for changed in ({"reader": "2020"}, {"place": "arn"}, {"server": "7"}):
        with pytest.raises(Broken):
            engine.verify(replace(recorded, **changed))
    with pytest.raises(NotReady, match="DMS says running"):
        engine.marker(0.3)
    assert not engine.lag(0.1).arrived
    assert run.stop(engine, journal, Console("json"), retire=True, yes=True).progress.state == "absent"
    with Carrier(stage.source_dsn, stage.target_dsn, engine._load):
        with pytest.raises(Refused, match="hold rows already"):
            run.start(engine, journal, databases, values, Console("json"))
        execute(stage.target_dsn, "TRUNCATE payments CASCADE")
        assert run.start(engine, journal, databases, values, Console("json")).healthy
    assert asked[-1] == "reload-target", "what was ended is loaded anew, and only into empty tables"


def test_the_way_back_begins_at_its_slot(stage, migration, monkeypatch):
    monkeypatch.setattr(dms_course, "_PLUGIN", "pgoutput")  # the servers of the wheel come without test_decoding
    values, engine, journal, databases = migration
    with Carrier(stage.source_dsn, stage.target_dsn, engine._load):
        run.start(engine, journal, databases, values, Console("json"))
        engine.marker(20)
    back = engine.reverse()
    back.prepare()
    with pytest.raises(NotReady, match="no place was kept on the target"):
        back.start()
    back.position()
    assert execute(stage.target_dsn, "SELECT slot_name FROM pg_replication_slots") == [(names.dms_slot(values),)]
    engine.retire()
    assert engine.progress().state == "absent"
    back.start()
    assert back.progress().state == "replicating"
    with Carrier(stage.target_dsn, stage.source_dsn, back._follow):
        assert back.marker(20).side == "target"
    back.verify(back.identity())
    with pytest.raises(NotReady, match="is at work"):
        back.position()
    back.retire()
    assert back.progress().state == "absent"
    assert execute(stage.target_dsn, "SELECT count(*) FROM pg_replication_slots") == [(0,)]
    with pytest.raises(NotReady, match="hold rows already"):
        engine.start()
    back.close()


def test_without_a_task_that_follows_no_place_is_kept(stage, migration):
    values, engine, _, databases = migration
    alone = dms.Dms(values.full_name, stage.aws.client("dms"), dms.Tasks(engine._load.arn), databases, ["public.%"], [])
    for one in (alone, alone.reverse()):
        with pytest.raises(NotReady, match="`paymig deploy` makes it"):
            one.position()
        one.close()


def test_what_dms_finds_is_a_problem(stage, migration, monkeypatch):
    values, engine, journal, databases = migration
    with Carrier(stage.source_dsn, stage.target_dsn, engine._load):
        run.start(engine, journal, databases, values, Console("json"))
    told = engine._load.statistics()
    for change, words in (
        ({"ValidationState": "Mismatched records", "ValidationFailedRecords": 3}, "Mismatched records, 3 rows differ"),
        ({"FullLoadErrorRows": 2}, "could not load 2 rows of public.payments"),
        ({"TableState": "Table error"}, "says of public.payments: Table error"),
    ):
        changed = [one | (change if one["TableName"] == "payments" else {}) for one in told]
        monkeypatch.setattr(engine._load, "statistics", lambda changed=changed: changed)
        progress = engine.progress()
        assert progress.state == "failed"
        assert words in progress.problems[0]


def test_a_beat_proves_nothing_of_a_table_that_dms_has_suspended(stage, migration, monkeypatch):
    """The task goes on with all others then, and the heartbeat is one of them."""
    values, engine, journal, databases = migration
    with Carrier(stage.source_dsn, stage.target_dsn, engine._load):
        run.start(engine, journal, databases, values, Console("json"))
        told = engine._load.statistics()
        for state, raised, words in (
            ("Table error", Broken, "passes over changes of"),
            ("Full load", NotReady, "has yet to load"),
        ):
            changed = [one | ({"TableState": state} if one["TableName"] == "payments" else {}) for one in told]
            with monkeypatch.context() as patch:
                patch.setattr(engine._load, "statistics", lambda changed=changed: changed)
                with pytest.raises(raised, match=rf"{words} public\.payments \({state}\)"):
                    engine.marker(20)
        engine.marker(20)


def test_a_first_load_into_rows_is_refused(stage, migration):
    values, engine, journal, databases = migration
    execute(
        stage.target_dsn, "INSERT INTO payments SELECT gen_random_uuid(), 'k', 'd', 'Zoë', NULL, 1, 'EUR', 'captured'"
    )
    with pytest.raises(Refused, match=r"public\.payments on the target hold rows already"):
        run.start(engine, journal, databases, values, Console("json"))
    with pytest.raises(NotReady, match="was not started"):
        engine.resume()
    with pytest.raises(Broken, match="never started"):
        engine.identity()


def test_a_database_that_dms_does_not_reach_is_named(stage, spec, deploy):
    deploy(spec)
    execute(stage.target_dsn, SCHEMA)
    arn = spec.migration.source.database.admin
    databases = Databases(stage.aws, spec)
    engine = engine_for(spec.migration, databases, stage.aws)
    secrets = stage.aws.client("secretsmanager")
    value = secrets.get_secret_value(SecretId=arn)["SecretString"]
    secrets.put_secret_value(SecretId=arn, SecretString=value.replace("127.0.0.1", "db.example.com"))
    with pytest.raises(NotReady, match=r"does not reach its source endpoint.*db\.example\.com"):
        engine._load.connect()
    engine.close()


def test_without_a_deploy_there_is_no_task(stage, spec):
    databases = Databases(stage.aws, spec)
    with pytest.raises(Refused, match="has no DMS task yet"):
        engine_for(spec.migration, databases, stage.aws)


def test_both_know_the_slot_by_one_name(spec):
    assert names.dms_slot(spec.migration) == dms_course.slot_name(spec.migration.full_name)
