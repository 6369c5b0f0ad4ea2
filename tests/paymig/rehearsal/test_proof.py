"""The proof against a real PostgreSQL: what was promised is found, and each way to break a promise is noticed."""

import json
from importlib.resources import files
from random import Random
from uuid import uuid4

import psycopg2
import pytest

from paymig.embedded.postgres import VOLATILE, Postgres
from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.old_api import OldApi
from paymig.rehearsal.older import Older, fill
from paymig.rehearsal.payments import Payments
from paymig.rehearsal.proof import prove

SCHEMA = files("runtime_lambdas.payment_api") / "schema.sql"


UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def server():
    with Postgres.start(settings=VOLATILE) as running:
        yield running


@pytest.fixture
def dsn(server):
    dsn = server.create_database(f"proof_{uuid4().hex}")
    run(dsn, SCHEMA.read_text())
    return dsn


def run(dsn, statement):
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.rowcount
    finally:
        connection.close()


def play(dsn, requests=200):
    """Let the built-in workload run against the old API, one request after the other."""
    api, workload, random, outcomes = OldApi(dsn), Payments(), Random(11), []
    for number in range(requests):
        request = workload.next(random)
        status, answer = api.answer(request.method, request.path, request.key, (request.body or "").encode())
        assert status < 300, answer
        assert workload.answered(request, answer) is None
        kept = answer if request.writes else None
        outcomes.append(Outcome(request, number, number, number + 0.01, 1, "old", int(status), True, answer=kept))
    return outcomes


def prove_it(dsn, outcomes, older=None, given_up=()):
    return prove(dsn, "source", Payments(), outcomes, 0, 200, older or Older({}), given_up)


def test_what_was_promised_is_found(dsn):
    outcomes = play(dsn)
    proof = prove_it(dsn, outcomes)
    assert proof.kept, proof.problems
    assert proof.promised == proof.found == len({o.request.key for o in outcomes if o.request.writes})
    assert {o.request.kind for o in outcomes} == {"payment", "read", "refund", "repeat"}
    assert "exactly once" in proof.verdict


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (
            "DELETE FROM refunds WHERE id IN (SELECT id FROM refunds LIMIT 1)",
            "acknowledged refunds are not in the writer",
        ),
        (
            "UPDATE payments SET amount = amount + 1 WHERE id IN (SELECT id FROM payments LIMIT 1)",
            "not as acknowledged",
        ),
        ("UPDATE payments SET currency = 'CHF' WHERE id IN (SELECT id FROM payments LIMIT 1)", "not as acknowledged"),
        (
            "UPDATE refunds SET payment_id = (SELECT id FROM payments WHERE id <> payment_id LIMIT 1)",
            "not as acknowledged",
        ),
        (
            "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
            " VALUES ('ghost', '', 'rehearsal-1', 5, 'EUR', 'captured')",
            "nobody was promised",
        ),
        ("UPDATE transactions SET amount = amount + 1 WHERE id = 1", "out of balance"),
        (
            "DELETE FROM transactions WHERE payment_id = (SELECT id FROM payments WHERE status = 'captured' LIMIT 1)",
            "do not add up",
        ),
        (
            "ALTER TABLE payments DROP CONSTRAINT payments_idempotency_key_key;"
            "INSERT INTO payments SELECT gen_random_uuid(), idempotency_key, request_digest, merchant, reference,"
            " amount, currency, status FROM payments LIMIT 1",
            "made more than one payment",
        ),
    ],
)
def test_every_broken_promise_is_noticed(dsn, damage, problem):
    outcomes = play(dsn)
    assert run(dsn, damage) >= 1
    proof = prove_it(dsn, outcomes)
    assert not proof.kept
    assert any(problem in line for line in proof.problems), proof.problems
    assert proof.verdict.startswith("NOT PROVED")


def test_a_lost_payment_is_named(dsn):
    outcomes = play(dsn)
    lost = next(o for o in outcomes if o.request.kind == "payment").answer["id"]
    run(dsn, "ALTER TABLE payments DISABLE TRIGGER ALL; ALTER TABLE transactions DISABLE TRIGGER ALL")
    run(dsn, f"SET session_replication_role = replica; DELETE FROM payments WHERE id = '{lost}'")
    proof = prove_it(dsn, outcomes)
    assert proof.found == proof.promised - 1
    assert f"1 acknowledged payments are not in the writer: {lost}" in proof.problems


def test_what_the_operator_gave_up_may_be_lost_and_nothing_else(dsn):
    outcomes = play(dsn)
    ids = [o.answer["id"] for o in outcomes if o.request.kind == "payment" and o.sent >= 100]
    lost = len([o for o in outcomes if o.request.kind == "refund" and o.request.expected["payment"] in ids]) + len(ids)
    names = ", ".join(f"'{id_}'" for id_ in ids)
    for table in ("refunds", "transactions"):
        run(dsn, f"SET session_replication_role = replica; DELETE FROM {table} WHERE payment_id IN ({names})")
    run(dsn, f"SET session_replication_role = replica; DELETE FROM payments WHERE id IN ({names})")
    proof = prove_it(dsn, outcomes, given_up=[(100, 200)])
    assert proof.kept, proof.problems
    assert (proof.lost, proof.found) == (lost, proof.promised - lost)
    assert f"{lost} LOST" in proof.verdict
    assert not prove_it(dsn, outcomes, given_up=[(120, 200)]).kept
    assert not prove_it(dsn, outcomes).kept


def test_a_write_without_an_answer_may_stand_there_once(dsn):
    outcomes = play(dsn)
    index = next(i for i, o in enumerate(outcomes) if o.request.kind == "payment")
    unanswered = outcomes[index]
    again = [o for o in outcomes if o.request.path.endswith(f"{unanswered.answer['id']}/refunds")]
    repeats = [o for o in outcomes if o.request.kind == "repeat" and o.request.key == unanswered.request.key]
    rest = [o for o in outcomes if o is not unanswered and o not in again and o not in repeats]
    failed = Outcome(unanswered.request, 1, 1, 1, 2, "old", 0, False, uncertain=True)
    unknown = [Outcome(o.request, 1, 1, 1, 2, "old", 0, False, uncertain=True) for o in again]
    assert prove_it(dsn, [*rest, failed, *unknown]).kept
    assert not prove_it(dsn, rest).kept


def test_a_wrong_answer_breaks_the_proof(dsn):
    outcomes = play(dsn)
    wrong = Outcome(**{**vars(outcomes[0]), "why": "read /payments/1 answered another amount"})
    assert not prove_it(dsn, [wrong, *outcomes[1:]]).kept


def test_older_rows_must_be_what_they_were(dsn):
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        fill(cursor, 1000)
        older = Older.read(cursor)
    connection.close()
    outcomes = play(dsn)
    assert older.digests["payments"][0] == 1000
    assert prove_it(dsn, outcomes, older).kept
    run(dsn, "UPDATE payments SET amount = amount + 1 WHERE idempotency_key = 'older-7'")
    assert any("older rows of payments" in problem for problem in prove_it(dsn, outcomes, older).problems)


@pytest.mark.parametrize(
    ("method", "path", "key", "body", "status"),
    [
        ("POST", "/payments", None, {"amount": 1, "currency": "EUR", "merchant": "m"}, 400),
        ("POST", "/payments", "k", {"amount": 0, "currency": "EUR", "merchant": "m"}, 400),
        ("GET", "/payments/not-an-id", None, None, 400),
        ("GET", f"/payments/{UNKNOWN}", None, None, 404),
        ("POST", f"/payments/{UNKNOWN}/refunds", "k", {"amount": 1}, 404),
        ("GET", "/elsewhere", None, None, 404),
        ("GET", "/health", None, None, 200),
    ],
)
def test_the_old_api_refuses_with_a_status(dsn, method, path, key, body, status):
    assert OldApi(dsn).answer(method, path, key, json.dumps(body).encode())[0] == status


def test_the_old_api_is_fenced_with_its_database_and_comes_back(server, dsn):
    server.create_role("fenced", "secret")
    run(
        dsn,
        "GRANT SELECT, INSERT ON payments, transactions TO fenced;"
        "GRANT USAGE ON SEQUENCE transactions_id_seq TO fenced",
    )
    database = psycopg2.extensions.parse_dsn(dsn)["dbname"]
    api = OldApi(server.dsn(database, "fenced", "secret"))
    order = json.dumps({"amount": 1, "currency": "EUR", "merchant": "m"}).encode()
    run(dsn, "REVOKE INSERT ON payments FROM fenced")
    assert api.answer("POST", "/payments", "key", order)[0] == 503
    run(dsn, "GRANT INSERT ON payments TO fenced")
    run(dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'old-api'")
    assert api.answer("POST", "/payments", "key", order)[0] == 503
    assert api.answer("POST", "/payments", "key", order)[0] == 201
