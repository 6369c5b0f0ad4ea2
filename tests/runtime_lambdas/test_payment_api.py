import base64
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from types import SimpleNamespace

import pytest

from runtime_lambdas.payment_api.handler import handler
from runtime_lambdas.runtime import aws as clients
from runtime_lambdas.runtime import database, writer

ORDER = {"amount": 1250, "currency": "EUR", "merchant": "shop-7", "reference": "order 1"}
CONTEXT = SimpleNamespace(aws_request_id="request-1")
_keys = (f"key-{number}" for number in count())


def send(method, path, body=None, headers=None, **event):
    return handler(
        {"httpMethod": method, "path": path, "headers": headers or {}, "body": body, "isBase64Encoded": False, **event},
        CONTEXT,
    )


def pay(order=None, key=None, **event):
    body = order if isinstance(order, str) else json.dumps(ORDER if order is None else order)
    return send("POST", "/payments", body, {"idempotency-key": key or next(_keys)}, **event)


def content(response):
    return json.loads(response["body"])


def test_a_payment_is_made_shown_and_balanced(source):
    made = pay()
    assert (made["statusCode"], made["statusDescription"]) == (201, "201 Created")
    payment = content(made)
    assert {name: payment[name] for name in ORDER} == ORDER
    assert payment["status"] == "captured"
    assert made["headers"]["Location"] == f"/payments/{payment['id']}"
    assert content(send("GET", f"/payments/{payment['id']}")) == payment
    lines = source.run("SELECT payment_id::text, account, amount, currency FROM transactions ORDER BY id")
    assert lines == [(payment["id"], "clearing", 1250, "EUR"), (payment["id"], "merchant:shop-7", -1250, "EUR")]


def test_a_repeated_request_gets_the_same_payment(source):
    first = pay(key="again")
    second = pay('{"reference":"order 1",  "merchant":"shop-7","currency":"EUR","amount":1250}', key="again")
    assert (first["statusCode"], second["statusCode"]) == (201, 200)
    assert first["body"] == second["body"]
    assert source.run("SELECT count(*) FROM transactions") == [(2,)]


def test_a_key_is_refused_for_another_payment(source):
    pay(key="taken")
    refused = pay({**ORDER, "amount": 1251}, key="taken")
    assert refused["statusCode"] == 422
    assert "different payment" in content(refused)["detail"]
    assert source.run("SELECT amount FROM payments") == [(1250,)]


def test_sixteen_requests_with_one_key_pay_once(source):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: pay(key="race"), range(64)))
    assert Counter(answer["statusCode"] for answer in answers) == {201: 1, 200: 63}
    assert len({content(answer)["id"] for answer in answers}) == 1
    assert source.run("SELECT count(*), sum(amount) FROM transactions") == [(2, 0)]


def test_a_loser_of_the_race_pays_when_the_winner_gives_up(source):
    rival = source.server.connect(source.name)
    rival.autocommit = False
    with rival.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute(
            "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
            " VALUES ('held', 'other', 'shop', 1, 'EUR', 'captured')"
        )
        waiting = pool.submit(pay, key="held")
        while not source.run(
            "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'", source.name
        ):
            assert not waiting.done()
        rival.rollback()
        assert waiting.result()["statusCode"] == 201
    rival.close()
    assert source.run("SELECT amount FROM payments") == [(1250,)]


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({**ORDER, "amount": 0}, "amount"),
        ({**ORDER, "amount": -5}, "amount"),
        ({**ORDER, "amount": 12.5}, "amount"),
        ({**ORDER, "amount": True}, "amount"),
        ({**ORDER, "amount": "1250"}, "amount"),
        ({**ORDER, "amount": 10**12}, "amount"),
        ({**ORDER, "amount": None}, "amount"),
        ('{"amount": 1e3, "currency": "EUR", "merchant": "m"}', "amount"),
        ('{"amount": ' + "9" * 5000 + ', "currency": "EUR", "merchant": "m"}', "JSON"),
        ('{"amount": NaN, "currency": "EUR", "merchant": "m"}', "JSON"),
        ('{"amount": 1, "amount": 2, "currency": "EUR", "merchant": "m"}', "twice"),
        ({**ORDER, "currency": "eur"}, "currency"),
        ({**ORDER, "currency": "\uff25\uff35\uff32"}, "currency"),
        ({**ORDER, "currency": ["EUR"]}, "currency"),
        ({**ORDER, "merchant": ""}, "merchant"),
        ({**ORDER, "merchant": "x" * 65}, "merchant"),
        ({**ORDER, "merchant": "nul\0"}, "merchant"),
        ('{"amount": 1, "currency": "EUR", "merchant": "\\ud800"}', "merchant"),
        ({**ORDER, "reference": 7}, "reference"),
        ({**ORDER, "card": "4111111111111111"}, "card"),
        ([ORDER], "object"),
        ("", "JSON"),
        ("{", "JSON"),
        ("[" * 10_000, "nested"),
    ],
)
def test_a_bad_order_is_refused_with_a_reason(source, order, named):
    refused = pay(order)
    assert refused["statusCode"] == 400
    assert refused["headers"]["Content-Type"] == "application/problem+json"
    assert named in content(refused)["detail"]
    assert source.run("SELECT count(*) FROM payments") == [(0,)]


def test_any_text_is_stored_as_it_is(source):
    order = {**ORDER, "merchant": "Zoë '; DROP TABLE payments; --", "reference": "日本 🎉 %s %(x)s"}
    payment = content(pay(order))
    assert (payment["merchant"], payment["reference"]) == (order["merchant"], order["reference"])
    assert source.run("SELECT merchant, reference FROM payments") == [(order["merchant"], order["reference"])]


@pytest.mark.parametrize("key", [None, "", "with space", "x" * 256, "schlüssel", "line\n"])
def test_a_payment_needs_a_usable_idempotency_key(source, key):
    headers = {} if key is None else {"idempotency-key": key}
    refused = send("POST", "/payments", json.dumps(ORDER), headers)
    assert refused["statusCode"] == 400
    assert "Idempotency-Key" in content(refused)["detail"]


def test_a_body_in_base64_is_decoded_and_checked(source):
    body = base64.b64encode(json.dumps(ORDER).encode()).decode()
    assert pay(body, isBase64Encoded=True)["statusCode"] == 201
    assert pay("not base64!", isBase64Encoded=True)["statusCode"] == 400
    assert pay(base64.b64encode(b"\xff\xfe").decode(), isBase64Encoded=True)["statusCode"] == 400


def test_a_body_is_limited_and_must_be_json(source):
    assert pay(" " * (16 * 1024 + 1))["statusCode"] == 413
    form = send("POST", "/payments", "amount=1", {"idempotency-key": "k", "content-type": "text/plain"})
    assert form["statusCode"] == 415


@pytest.mark.parametrize(
    "name",
    [
        "00000000-0000-0000-0000-000000000000",
        "1",
        "' OR 1=1 --",
        "{00000000-0000-0000-0000-000000000000}",
        "%00",
        "\u0660" * 8 + "-0000-0000-0000-000000000000",
    ],
)
def test_an_unknown_id_is_not_found(source, name):
    pay()
    assert send("GET", f"/payments/{name}")["statusCode"] == 404


def test_other_paths_and_methods_are_refused(source):
    assert send("GET", "/")["statusCode"] == 404
    assert send("GET", "/payments/1/lines")["statusCode"] == 404
    refused = send("DELETE", "/payments")
    assert (refused["statusCode"], refused["headers"]["Allow"]) == (405, "POST")


def test_every_answer_asks_for_https(source):
    for response in (pay(), pay("{"), send("GET", "/health"), send("GET", "/nowhere")):
        assert response["headers"]["Strict-Transport-Security"].startswith("max-age=63072000")


def test_health_follows_the_writer(source, target, control):
    assert content(send("GET", "/health")) == {"status": "ok", "writer": "source", "epoch": 0}
    control("target", 1)
    writer.forget()
    assert content(send("GET", "/health")) == {"status": "ok", "writer": "target", "epoch": 1}
    pay()
    assert (source.run("SELECT count(*) FROM payments"), target.run("SELECT count(*) FROM payments")) == (
        [(0,)],
        [(1,)],
    )


def test_the_writer_is_asked_for_again_after_a_second(source, control, monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: clock.now, now=100.0)
    monkeypatch.setattr(writer, "time", clock)
    assert writer.current() == writer.Writer("source", 0)
    control("source", 2)
    clock.now += 0.99
    assert writer.current().epoch == 0
    clock.now += 0.02
    assert writer.current().epoch == 2


def test_the_writer_is_read_strongly_consistently(environment):
    asked = []
    events = clients.client("dynamodb").meta.events
    events.register("provide-client-params.dynamodb.GetItem", lambda params, **_: asked.append(params), unique_id="spy")
    writer.read()
    events.unregister("provide-client-params.dynamodb.GetItem", unique_id="spy")
    assert [params["ConsistentRead"] for params in asked] == [True]


def test_a_damaged_control_item_stops_payments(source, control):
    control("both", 3)
    assert pay()["statusCode"] == 503
    with pytest.raises(writer.WriterUnknown, match="'both'"):
        writer.read()


def test_health_is_503_when_the_writer_is_unreachable(source, environment):
    environment.setenv("SOURCE_PORT", "1")
    response = send("GET", "/health")
    assert (response["statusCode"], response["headers"]["Retry-After"]) == (503, "1")


def test_a_side_that_does_not_exist_yet_is_503(environment, capsys):
    assert pay()["statusCode"] == 503
    assert "SOURCE_HOST is not set" in capsys.readouterr().out


def test_a_connection_is_reused_and_replaced_when_broken(source):
    pay()
    first = source.run("SELECT pid FROM pg_stat_activity WHERE usename = %s", source.role)
    pay()
    assert source.run("SELECT pid FROM pg_stat_activity WHERE usename = %s", source.role) == first
    source.run("SELECT pg_terminate_backend(%s)", first[0][0])
    assert pay()["statusCode"] == 201
    assert source.run("SELECT count(*) FROM payments") == [(3,)]


def test_a_connection_to_a_standby_is_replaced(source):
    pay()
    source.run(f"ALTER ROLE {source.role} SET default_transaction_read_only = on")
    database._sides().pop("source").close()
    assert send("GET", "/health")["statusCode"] == 200
    source.run(f"ALTER ROLE {source.role} RESET default_transaction_read_only")
    assert pay()["statusCode"] == 201


def test_a_fenced_database_is_a_503_to_be_repeated(source):
    source.run(f"REVOKE INSERT ON ALL TABLES IN SCHEMA public FROM {source.role}")
    refused = pay(key="patient")
    assert (refused["statusCode"], refused["headers"]["Retry-After"]) == (503, "1")
    source.run(f"GRANT INSERT ON ALL TABLES IN SCHEMA public TO {source.role}")
    assert pay(key="patient")["statusCode"] == 201


def test_a_defect_is_a_500_that_tells_the_log_and_not_the_client(source, capsys):
    source.run("DROP TABLE transactions")
    response = pay()
    assert response["statusCode"] == 500
    assert "transactions" not in response["body"]
    failed = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (failed["event"], failed["request_id"]) == ("request.failed", "request-1")
    assert "transactions" in failed["error"]
    assert source.run("SELECT count(*) FROM payments") == [(0,)]
