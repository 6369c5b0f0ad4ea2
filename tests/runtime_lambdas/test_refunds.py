"""Refunds: once for each key, in the ledger, and never more than was paid, whoever asks at the same time."""

import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime_lambdas.payment_api.handler import handler

CONTEXT = SimpleNamespace(aws_request_id="request-1")


def send(path, body, key=None):
    event = {"httpMethod": "POST", "path": path, "headers": {"idempotency-key": key or str(uuid.uuid4())}}
    response = handler({**event, "body": body if isinstance(body, str) else json.dumps(body)}, CONTEXT)
    return response["statusCode"], json.loads(response["body"])


def pay(amount=1000):
    status, payment = send("/payments", {"amount": amount, "currency": "EUR", "merchant": "shop-7"})
    assert status == 201
    return payment["id"]


def refund(payment, amount, key=None):
    return send(f"/payments/{payment}/refunds", {"amount": amount}, key)


def status_of(source, payment):
    return source.run("SELECT status FROM payments WHERE id = %s", payment)[0][0]


def test_a_refund_is_made_and_the_ledger_stays_balanced(source):
    payment = pay()
    status, made = refund(payment, 400)
    assert (status, made["amount"], made["payment_id"]) == (201, 400, payment)
    assert source.run("SELECT account, amount, currency FROM transactions ORDER BY id")[2:] == [
        ("clearing", -400, "EUR"),
        ("merchant:shop-7", 400, "EUR"),
    ]
    assert status_of(source, payment) == "captured"
    assert refund(payment, 600)[0] == 201
    assert status_of(source, payment) == "refunded"


def test_a_repeated_refund_is_the_same_refund(source):
    payment = pay()
    first = refund(payment, 1000, "again")
    assert (first[0], refund(payment, 1000, "again")) == (201, (200, first[1]))
    assert source.run("SELECT count(*), sum(amount) FROM refunds") == [(1, 1000)]


def test_a_key_is_refused_for_another_refund(source):
    one, other = pay(), pay()
    assert refund(one, 10, "taken")[0] == 201
    assert refund(one, 11, "taken")[0] == 422
    assert refund(other, 10, "taken")[0] == 422
    assert source.run("SELECT count(*) FROM refunds") == [(1,)]


def test_more_than_was_paid_is_refused_with_what_is_left(source):
    payment = pay()
    assert refund(payment, 700)[0] == 201
    status, problem = refund(payment, 301)
    assert status == 422
    assert "300 can still be refunded" in problem["detail"]
    assert source.run("SELECT sum(amount) FROM refunds") == [(700,)]
    assert source.run("SELECT count(*) FROM transactions") == [(4,)]


def test_rivals_refund_no_more_than_was_paid(source):
    payment = pay()
    with ThreadPoolExecutor(16) as pool:
        answers = Counter(status for status, _ in pool.map(lambda _: refund(payment, 300), range(32)))
    assert answers == {201: 3, 422: 29}
    assert source.run("SELECT sum(amount) FROM refunds") == [(900,)]
    assert source.run("SELECT sum(amount), count(*) FROM transactions") == [(0, 8)]


def test_rivals_with_one_key_refund_once(source):
    payment = pay()
    with ThreadPoolExecutor(16) as pool:
        answers = Counter(status for status, _ in pool.map(lambda _: refund(payment, 300, "race"), range(32)))
    assert answers == {201: 1, 200: 31}
    assert source.run("SELECT sum(amount) FROM refunds") == [(300,)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 700), st.sampled_from("abc")), max_size=8))
def test_any_sequence_of_refunds_adds_up(source, wishes):
    payment = pay()
    made: dict[str, int] = {}
    for amount, name in wishes:
        status, answer = refund(payment, amount, f"{payment}-{name}")
        if name in made:
            assert status == (200 if made[name] == amount else 422)
        elif sum(made.values()) + amount <= 1000:
            assert (status, answer["amount"]) == (201, amount)
            made[name] = amount
        else:
            assert status == 422
    total = sum(made.values())
    assert source.run("SELECT coalesce(sum(amount), 0) FROM refunds WHERE payment_id = %s", payment) == [(total,)]
    by_account = dict(
        source.run("SELECT account, sum(amount) FROM transactions WHERE payment_id = %s GROUP BY 1", payment)
    )
    assert by_account == {"clearing": 1000 - total, "merchant:shop-7": total - 1000}
    assert status_of(source, payment) == ("refunded" if total == 1000 else "captured")


@pytest.mark.parametrize("body", [{}, {"amount": 0}, {"amount": 1.5}, {"amount": 1, "currency": "EUR"}, [], "{"])
def test_a_bad_refund_is_refused(source, body):
    assert send(f"/payments/{pay()}/refunds", body)[0] == 400
    assert source.run("SELECT count(*) FROM refunds") == [(0,)]


@pytest.mark.parametrize(
    "name", ["1", "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}"]
)
def test_only_a_payment_can_be_refunded(source, name):
    assert refund(name, 1)[0] == 404
    assert source.run("SELECT count(*) FROM refunds") == [(0,)]


def test_a_fenced_database_refuses_refunds_until_it_is_open(source):
    payment = pay()
    source.run(f"REVOKE INSERT, UPDATE ON ALL TABLES IN SCHEMA public FROM {source.role}")
    assert refund(payment, 10, "patient")[0] == 503
    source.run(f"GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {source.role}")
    assert refund(payment, 10, "patient")[0] == 201
