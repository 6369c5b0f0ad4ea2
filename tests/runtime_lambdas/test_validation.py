"""The validation function, invoked as its schedule does."""

import json
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg2
import pytest

from runtime_lambdas.runtime import aws as clients
from runtime_lambdas.runtime import settings
from runtime_lambdas.runtime.comparison import Options
from runtime_lambdas.runtime.comparison import run as engine
from runtime_lambdas.runtime.comparison.place import Busy, Place
from runtime_lambdas.runtime.comparison.server import Server
from runtime_lambdas.runtime.replication import heartbeat
from runtime_lambdas.validation import handler as entry
from runtime_lambdas.validation.handler import Mismatch, NothingToCompare, handler
from schemas.load import load
from tests.examples import SPECS

INVARIANTS = [vars(one) for one in load(SPECS / "payments.yaml").migration.validation.invariants]
"""Those that ship as an example."""
FILL = """
INSERT INTO payments (id, idempotency_key, request_digest, merchant, amount, currency, status, created_at)
SELECT md5(i::text)::uuid, 'k' || i, 'd', 'Zoë', i, CASE WHEN i % 2 = 0 THEN 'EUR' ELSE 'USD' END, 'captured',
       '2026-01-01T00:00:00Z'::timestamptz + i * interval '1 minute'
FROM generate_series(1, 200) i;
INSERT INTO transactions (id, payment_id, account, amount, currency, created_at)
SELECT row_number() OVER (ORDER BY p.amount, s), p.id, account, s * p.amount, p.currency, p.created_at
FROM payments p, (VALUES (1, 'clearing'), (-1, 'merchant:Zoë')) AS sides (s, account);
"""


@pytest.fixture
def both(source, target, environment, monkeypatch):
    for side in (source, target):
        side.run(FILL)
    configure(environment)
    monkeypatch.setattr(entry, "Options", partial(Options, pause=0.01, patience=2, chunk_rows=50))
    return source, target


def configure(environment, include=("public.%",), exclude=(), invariants=INVARIANTS):
    told = {"tables": {"include": include, "exclude": exclude}, "invariants": invariants}
    (Path(os.environ["LAMBDA_TASK_ROOT"]) / settings.FILE).write_text(json.dumps(told))
    environment.setenv("METRIC_NAMESPACE", "Paymig")


class Context:
    """What Lambda tells of an invocation."""

    def __init__(self, seconds):
        self.seconds = seconds

    def get_remaining_time_in_millis(self):
        return self.seconds * 1000


def run(full=True, seconds=900):
    return handler({"full": full}, Context(seconds))["reports"]


def verdicts(report):
    tables = {table["table"]: table["verdict"] for table in report["tables"]}
    return tables | {each["name"]: each["verdict"] for each in report["invariants"]}


def mismatch(full=True):
    with pytest.raises(Mismatch) as caught:
        run(full)
    return str(caught.value)


def place():
    return Place(clients.client("dynamodb"), os.environ["PAYMIG_JOURNAL_TABLE"], os.environ["PAYMIG_MIGRATION"])


def metric(name, migration):
    now = datetime.now(UTC)
    found = clients.client("cloudwatch").get_metric_statistics(
        Namespace="Paymig",
        MetricName=name,
        Dimensions=[{"Name": "Migration", "Value": migration}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=3600,
        Statistics=["Maximum", "SampleCount"],
    )["Datapoints"]
    return (sum(point["SampleCount"] for point in found), max((point["Maximum"] for point in found), default=None))


def test_equal_databases_are_equal(both, environment):
    environment.setenv("PAYMIG_MIGRATION", "equal")
    [report] = run()
    assert verdicts(report) == {
        "captured_by_currency": "equal",
        "ledger_by_currency": "equal",
        "orphaned_transactions": "equal",
        "unbalanced_payments": "equal",
        "public.payments": "equal",
        "public.refunds": "equal",
        "public.transactions": "equal",
    }
    assert (report["verdict"], report["mode"], report["tables"][0]["rows_source"]) == ("equal", "full", 200)
    assert [metric(f"Validation{name}", "equal") for name in ("Equal", "Mismatches", "Unsettled")] == [
        (1, 1),
        (1, 0),
        (1, 0),
    ]
    [changes] = run(full=False)
    assert (changes["verdict"], changes["mode"]) == ("equal", "changes")
    assert metric("ValidationEqual", "equal") == (2, 1)


def test_one_changed_value_is_found_and_published(both, environment):
    environment.setenv("PAYMIG_MIGRATION", "one-changed")
    run()
    both[1].run("UPDATE payments SET merchant = 'Zoe' WHERE amount = 77")
    wording = "1 of 7 comparisons differ: public.payments (0 rows missing, 0 extra, 1 different)"
    assert mismatch(full=False) == wording
    assert mismatch(full=False) == wording  # it is not forgotten by the run that found it
    assert mismatch() == wording
    assert metric("ValidationMismatches", "one-changed") == (4, 1)
    assert metric("ValidationEqual", "one-changed") == (4, 1)


def test_the_schemas_are_compared_once_a_comparison_has_ended(both, environment):
    environment.setenv("PAYMIG_MIGRATION", "schema")
    [report] = run()
    assert report["schema"] == []
    assert metric("ValidationSchemaDifferences", "schema") == (1, 0)
    both[1].run(
        "ALTER TABLE transactions DROP CONSTRAINT transactions_payment_id_fkey; CREATE INDEX ON payments (status)"
    )
    [report] = run(seconds=1)
    assert (report["verdict"], report["schema"]) == ("unfinished", None)
    [changes, full] = run(full=False)
    for report in (changes, full):
        assert report["verdict"] == "equal"
        assert [(each["kind"], each["source"] is None, each["target"] is None) for each in report["schema"]] == [
            ("constraint", False, True),
            ("index", True, False),
        ]
    assert metric("ValidationSchemaDifferences", "schema") == (3, 1)


def test_a_part_is_read_at_the_load_that_its_execution_wishes(both, environment, monkeypatch):
    environment.setenv("COMPARISONS_BUCKET", "loads")
    clients.client("s3").create_bucket(Bucket="loads")
    loads = []

    class Told(Server):
        def __init__(self, open_, connections, max_load=1.0):
            loads.append(max_load)
            super().__init__(open_, connections, max_load)

    monkeypatch.setattr(engine, "Server", Told)
    step = {"execution": "a:b:c", "wish": {"tables": ["public.payments"], "max_load": 80}}
    planned = handler({**step, "step": "plan"}, Context(900))
    assert (planned["left"], loads) == (1, [0.8, 0.8])
    part = json.loads(clients.client("s3").get_object(Bucket="loads", Key=planned["list"])["Body"].read())
    done = handler({**step, "step": "part", "run": planned["run"], "part": part}, Context(900))
    assert (done["finished"], loads) == (True, 4 * [0.8])


def test_the_first_comparison_is_a_full_one(both):
    [report] = run(full=False)
    assert report["mode"] == "full"


def test_what_does_not_fit_into_one_invocation_is_continued_by_the_next(both, monkeypatch, environment):
    environment.setenv("PAYMIG_MIGRATION", "long")
    [report] = run(seconds=1)  # less than what is kept spare
    assert report["verdict"] == "unfinished"
    assert metric("ValidationEqual", "long") == (0, None)
    assert place().load() is not None
    [report] = run(full=False)
    assert (report["mode"], report["verdict"]) == ("full", "equal")
    assert place().load() is None
    [first, *rest] = run(full=False)
    assert (first["mode"], rest) == ("changes", [])


def test_changes_are_compared_while_a_full_comparison_goes_on(both):
    run()
    [report] = run(seconds=1)
    assert report["verdict"] == "unfinished"
    assert [report["mode"] for report in run(full=False)] == ["changes", "full"]


def test_what_was_kept_for_other_tables_is_begun_anew(both, environment):
    run(seconds=1)
    configure(environment, include=["public.payments"])
    [report] = run()
    assert (report["verdict"], len(report["tables"])) == ("equal", 1)


def test_another_invocation_is_left_alone(both):
    with place().held(60):
        assert run() == []
        with pytest.raises(Busy), place().held(60):
            pass
    with place().held(-1):  # one that died long ago
        assert len(run()) == 1


def test_a_broken_invariant_is_found_on_either_side(both):
    for side in both:
        side.run("ALTER TABLE transactions DROP CONSTRAINT transactions_payment_id_fkey")
        side.run("DELETE FROM payments WHERE amount = 5")
    assert mismatch().endswith("invariant orphaned_transactions (source [['2']], target [['2']])")


def test_money_that_moved_between_accounts_on_one_side_is_found(both):
    """No sum of all lines shows it: the ledger balances, and every currency has what it had."""
    both[1].run("UPDATE transactions SET account = 'merchant:Ann' WHERE amount = -7")
    message = mismatch()
    assert "captured_by_currency" not in message and "unbalanced_payments" not in message
    assert "invariant ledger_by_currency (source [['EUR', 'clearing', '10100']" in message


def test_a_ledger_that_does_not_balance_is_found_although_both_sides_agree(both):
    for side in both:
        side.run("UPDATE transactions SET amount = amount + 1 WHERE amount = -7")
    wording = "1 of 7 comparisons differ: invariant unbalanced_payments (source [['1']], target [['1']])"
    assert mismatch() == wording


def test_a_table_or_column_on_one_side_only_is_a_difference(both):
    both[0].run("CREATE TABLE extra (id int)")
    both[1].run("ALTER TABLE payments ADD COLUMN note text")
    message = mismatch()
    assert "public.extra (0 rows missing, 0 extra, 0 different, missing table)" in message
    assert "public.payments (0 rows missing, 0 extra, 0 different, missing column note)" in message


def test_patterns_choose_the_tables(both, environment):
    both[0].run("CREATE TABLE tmp_load (id int); CREATE TABLE tmpx (id int)")
    both[1].run("CREATE TABLE tmpx (id int)")
    for side in both:
        side.run(f"GRANT SELECT ON tmpx TO {side.role}")
    configure(environment, exclude=["public.tmp_%"])
    assert "public.tmpx" in verdicts(run()[0])  # the underscore is no wildcard
    configure(environment, include=["nowhere.%"])
    with pytest.raises(NothingToCompare, match=r"nowhere\.%"):
        run()


def test_an_invariant_cannot_write(both, environment):
    sneaky = [{"name": "sneaky", "sql": "WITH d AS (DELETE FROM payments RETURNING 1) SELECT 1 FROM d", "expect": 0}]
    configure(environment, invariants=sneaky)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        run()
    assert both[0].run("SELECT count(*) FROM payments") == [(200,)]


def test_without_a_target_nothing_is_compared(source, environment):
    configure(environment)
    environment.delenv("TARGET_HOST", raising=False)
    with pytest.raises(RuntimeError, match="TARGET_HOST is not set"):
        run()


def test_a_mode_that_is_no_boolean_is_refused():
    with pytest.raises(TypeError, match="'false'"):
        handler({"full": "false"}, None)


def test_the_heartbeat_and_the_slot_are_measured(both, environment):
    environment.setenv("PAYMIG_MIGRATION", "lag")
    run()
    assert metric("ReplicationLagSeconds", "lag") == (0, None)
    source, target = both
    for side in both:
        side.run(heartbeat.DEFINITION)
        side.run(f"GRANT USAGE ON SCHEMA paymig TO {side.role}; GRANT SELECT ON paymig.heartbeat TO {side.role}")
    target.run("INSERT INTO paymig.heartbeat VALUES ('source', 1, clock_timestamp() - interval '1 hour')")
    source.run("SELECT pg_create_logical_replication_slot('measured', 'pgoutput')")
    try:
        run()
    finally:
        source.run("SELECT pg_drop_replication_slot('measured')")
    count, lag = metric("ReplicationLagSeconds", "lag")
    assert count == 1
    assert 3600 <= lag < 3700
    assert metric("ReplicationSlotBytes", "lag")[0] == 1


def test_a_login_that_may_beat_does_while_it_compares(both):
    source, _ = both
    for side in both:
        side.run(heartbeat.DEFINITION)
    source.run(f"GRANT USAGE ON SCHEMA paymig TO {source.role}")
    source.run(f"GRANT SELECT, INSERT, UPDATE ON paymig.heartbeat TO {source.role}")
    run()
    with closing(source.server.connect(source.name)) as connection, connection.cursor() as cursor:
        assert heartbeat.read(cursor, "source").number >= 1
