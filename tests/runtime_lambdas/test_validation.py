import json
import os
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from runtime_lambdas.runtime import aws as clients
from runtime_lambdas.runtime import settings
from runtime_lambdas.validation import observe, settle
from runtime_lambdas.validation.handler import Mismatch, NothingToCompare, handler
from runtime_lambdas.validation.settle import Question

INVARIANTS = [
    {
        "name": "orphaned_transactions",
        "sql": "SELECT count(*) FROM transactions t LEFT JOIN payments p ON p.id = t.payment_id WHERE p.id IS NULL",
        "expect": 0,
    },
    {
        "name": "captured_by_currency",
        "sql": "SELECT currency, sum(amount) FROM payments WHERE status = 'captured' GROUP BY 1",
        "expect": "same-on-both-sides",
    },
]
FILL = """
INSERT INTO payments (id, idempotency_key, request_digest, merchant, amount, currency, status, created_at)
SELECT md5(i::text)::uuid, 'k' || i, 'd', 'Zoë', i, CASE WHEN i % 2 = 0 THEN 'EUR' ELSE 'USD' END, 'captured',
       '2026-01-01T00:00:00Z'::timestamptz + i * interval '1 minute'
FROM generate_series(1, 200) i;
INSERT INTO transactions (id, payment_id, account, amount, currency, created_at)
SELECT row_number() OVER (ORDER BY p.amount, s), p.id, 'a', s * p.amount, p.currency, p.created_at
FROM payments p, (VALUES (1), (-1)) AS sides (s);
"""


@pytest.fixture
def both(source, target, environment, monkeypatch):
    for side in (source, target):
        side.run(FILL)
    configure(environment)
    monkeypatch.setattr(settle, "PAUSE", 0.01)
    return source, target


def configure(environment, include=("public.%",), exclude=(), invariants=INVARIANTS):
    told = {"tables": {"include": include, "exclude": exclude}, "invariants": invariants}
    (Path(os.environ["LAMBDA_TASK_ROOT"]) / settings.FILE).write_text(json.dumps(told))
    environment.setenv("METRIC_NAMESPACE", "Paymig")


def verdicts(report):
    return {finding["name"]: finding["verdict"] for finding in report["findings"]}


def mismatch(event=None):
    with pytest.raises(Mismatch) as caught:
        handler(event or {}, None)
    return str(caught.value)


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


@pytest.mark.parametrize("full", [True, False])
def test_equal_databases_are_equal(both, full):
    report = handler({"full": full}, None)
    assert verdicts(report) == {
        "invariant captured_by_currency": "equal",
        "invariant orphaned_transactions": "equal",
        "table public.payments": "equal",
        "table public.refunds": "equal",
        "table public.transactions": "equal",
    }
    assert (report["full"], report["mismatches"], report["unsettled"]) == (full, 0, 0)
    payments = next(finding for finding in report["findings"] if finding["name"] == "table public.payments")
    assert payments["source"]["rows"] == 200
    assert json.loads(json.dumps(report)) == report


def test_one_changed_value_is_found_and_published(both, environment):
    environment.setenv("PAYMIG_MIGRATION", "one-changed")
    both[1].run("UPDATE payments SET merchant = 'Zoe' WHERE amount = 77")
    message = mismatch()
    assert message.startswith("1 of 5 comparisons differ: table public.payments: source {'rows': 200")
    assert metric("ValidationMismatches", "one-changed") == (1, 1)
    assert metric("ValidationUnsettled", "one-changed") == (1, 0)
    assert handler({"full": False}, None)["mismatches"] == 0  # the number of rows is the same
    assert metric("ValidationMismatches", "one-changed")[0] == 2


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM transactions WHERE id = 9",
        "UPDATE transactions SET amount = amount + 1 WHERE id = 9",
        "UPDATE payments SET created_at = created_at + interval '1 microsecond' WHERE amount = 9",
        "UPDATE payments SET reference = '' WHERE amount = 9",
        # two rows swap a value: every column still has the same sum
        "UPDATE payments SET idempotency_key = CASE amount WHEN 9 THEN 'x' ELSE 'k9' END WHERE amount IN (9, 10);"
        "UPDATE payments SET idempotency_key = 'k10' WHERE amount = 9",
    ],
)
def test_any_change_of_a_row_is_found(both, change):
    both[1].run(change)
    assert "table public." in mismatch()


def test_a_broken_invariant_is_found_on_either_side(both):
    for side in both:
        side.run("ALTER TABLE transactions DROP CONSTRAINT transactions_payment_id_fkey")
        side.run("DELETE FROM payments WHERE amount = 5")
    message = mismatch()
    assert "invariant orphaned_transactions: source [['2']], target [['2']]" in message
    assert "captured_by_currency" not in message


def test_sums_of_another_scale_are_the_same(both, environment):
    invariants = [{"name": "sum", "sql": "SELECT sum(value), NULL FROM amounts", "expect": "same-on-both-sides"}]
    configure(environment, include=["public.payments"], invariants=invariants)
    for side, scale in zip(both, (2, 4), strict=True):
        side.run(f"CREATE TABLE amounts (value numeric(12, {scale})); INSERT INTO amounts VALUES (12.50)")
        side.run(f"GRANT SELECT ON amounts TO {side.role}")
    assert verdicts(handler({}, None))["invariant sum"] == "equal"


def test_a_table_or_column_on_one_side_only_is_a_difference(both):
    both[0].run("CREATE TABLE extra (id int)")
    both[1].run("ALTER TABLE payments ADD COLUMN note text")
    message = mismatch()
    assert "table public.extra: source ['id'], target None" in message
    assert "table public.payments: source ['amount'" in message


def test_patterns_choose_the_tables(both, environment):
    both[0].run("CREATE TABLE tmp_load (id int); CREATE TABLE tmpx (id int)")
    both[1].run("CREATE TABLE tmpx (id int)")
    for side in both:
        side.run(f"GRANT SELECT ON tmpx TO {side.role}")
    configure(environment, exclude=["public.tmp_%"])
    assert "table public.tmpx" in verdicts(handler({}, None))  # the underscore is no wildcard
    configure(environment, include=["nowhere.%"])
    with pytest.raises(NothingToCompare, match=r"nowhere\.%"):
        handler({}, None)


def test_types_settings_and_column_order_do_not_matter(both, environment):
    older, newer = both
    types = "CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN short AS varchar(9);"
    older.run("CREATE TYPE filler AS ENUM ('moves the type ids')")
    older.run(
        types + "CREATE TABLE t (a mood, b short, c jsonb, d numeric(12, 2), e timestamptz, f bytea, g float8,"
        " h text[], i interval, j uuid, k date, l boolean, m varchar(20), n json, o int4range, p inet, q timestamptz[])"
    )
    newer.run(
        types
        + "CREATE TABLE t (q timestamptz[], p inet, o int4range, n json, m text, l boolean, k date, j uuid, i interval,"
        " h text[], g float8, f bytea, e timestamptz, d numeric(12, 2), c jsonb, b short, a mood)"
    )
    row = (
        "INSERT INTO t (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)"
        " VALUES ('sad', 'é', '{\"b\": 1, \"a\": 2}', 1.50,"
        " '2026-03-29T01:59:59.123456Z', '\\xff00', 0.1, '{a,NULL}', '1 mon 2 days 03:04:05',"
        " '00000000-0000-0000-0000-000000000001', '0044-03-15 BC', true, 'x', '[1]', '[1,5)', '::1',"
        " '{2026-01-01T00:00:00Z}'),"
        f" ({', '.join(['NULL'] * 17)})"
    )
    for side in both:
        side.run(row)
        side.run(f"GRANT SELECT ON t TO {side.role}")
    newer.run(f"ALTER ROLE {newer.role} SET datestyle = 'German'")
    newer.run(f"ALTER ROLE {newer.role} SET timezone = 'Asia/Tokyo'")
    newer.run(f"ALTER ROLE {newer.role} SET intervalstyle = 'sql_standard'")
    newer.run(f"ALTER ROLE {newer.role} SET bytea_output = 'escape'")
    configure(environment, include=["public.t"], invariants=[])
    assert verdicts(handler({}, None)) == {"table public.t": "equal"}
    newer.run("UPDATE t SET l = false WHERE l")
    assert "public.t" in mismatch()


def test_duplicates_count_without_a_key(both, environment):
    configure(environment, include=["public.d"], invariants=[])
    for side, rows in zip(both, ("(1), (1), (2), (2)", "(1), (1), (1), (1)"), strict=True):
        side.run(f"CREATE TABLE d (v int); INSERT INTO d VALUES {rows}; GRANT SELECT ON d TO {side.role}")
    assert "'rows': 4" in mismatch()


def test_an_invariant_cannot_write(both, environment):
    sneaky = [{"name": "sneaky", "sql": "WITH d AS (DELETE FROM payments RETURNING 1) SELECT 1 FROM d", "expect": 0}]
    configure(environment, invariants=sneaky)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        handler({}, None)
    assert both[0].run("SELECT count(*) FROM payments") == [(200,)]


def test_without_a_target_nothing_is_compared(source, environment):
    configure(environment)
    environment.delenv("TARGET_HOST", raising=False)
    with pytest.raises(RuntimeError, match="TARGET_HOST is not set"):
        handler({}, None)


def test_a_mode_that_is_no_boolean_is_refused():
    with pytest.raises(TypeError, match="'false'"):
        handler({"full": "false"}, None)


def test_replication_on_its_way_is_no_difference(both, monkeypatch):
    """Rows reach the target one round late, while the source goes on writing."""
    source, target = both
    late = []

    def pause(_):
        for statement in late:
            target.run(statement)
        late[:] = []

    monkeypatch.setattr(settle.time, "sleep", pause)
    statement = "UPDATE payments SET merchant = 'late' WHERE amount = 3"
    source.run(statement)
    late.append(statement)
    assert verdicts(handler({}, None))["table public.payments"] == "equal"


def test_what_never_stands_still_is_unsettled_and_no_difference(both):
    source, _ = both
    stop = threading.Event()

    def write():
        with closing(source.server.connect(source.name)) as connection, connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("UPDATE payments SET amount = amount + 1 WHERE idempotency_key = 'k1'")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        report = handler({}, None)
    finally:
        stop.set()
        writer.join()
    assert verdicts(report)["table public.payments"] == "unsettled"
    assert (report["mismatches"], report["unsettled"] > 0) == (0, True)


def ask(source, target):
    sides = {"source": iter(source), "target": iter(target)}
    question = Question("q", lambda: next(sides["source"]), lambda: next(sides["target"]), lambda a, b: a == b)
    [finding] = settle.settle([question])
    return finding.verdict


@pytest.mark.parametrize(
    ("source", "target", "verdict"),
    [
        ([1, 1], [1], "equal"),
        ([1, 2], [1], "equal"),
        ([1, 2], [2], "equal"),
        ([1] * 6, [2] * 3, "different"),
        ([1] * 6, [2, 2, 1], "equal"),
        ([1] * 8, [2, 3, 3, 3], "different"),
        ([1, 1, 1, 4, 4, 4, 4, 4, 4, 4, 4, 4], [2] * 6, "different"),
        (list(range(12)), [99] * 6, "unsettled"),
        ([1, 1, 3, 3] * 3, [2] * 6, "unsettled"),
        ([1] * 12, [2, 3, 2, 3, 2, 3], "unsettled"),
    ],
)
def test_a_difference_is_one_that_stands_still(monkeypatch, source, target, verdict):
    monkeypatch.setattr(settle, "PAUSE", 0)
    assert ask(source, target) == verdict


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("public.payments", "public.%", True),
        ("public.payments", "%", True),
        ("public.payments", "public.pay%s", True),
        ("public.payments", "public.payment", False),
        ("publicxpayments", "public.payments", False),
        ("public.a\nb", "public.%", True),
        ("public.tmpx1", "public.tmp_%", False),
    ],
)
def test_a_percent_sign_stands_for_any_text(name, pattern, expected):
    assert observe.selected([name], [pattern], []) == ([name] if expected else [])
    assert observe.selected([name], ["%"], [pattern]) == ([] if expected else [name])
