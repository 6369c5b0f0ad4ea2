"""Requests while the writer moves: held, taken once, and settled by their key where the answer was lost."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from psycopg2 import errors

from runtime_lambdas.payment_api.handler import handler
from runtime_lambdas.runtime import database, writer
from runtime_lambdas.runtime.at_writer import Paused, Unreachable, at_writer
from tests.runtime_lambdas.proxy import proxy

ORDER = {"amount": 1250, "currency": "EUR", "merchant": "shop-7"}


def pay(key):
    headers = {"idempotency-key": key}
    event = {"httpMethod": "POST", "path": "/payments", "headers": headers, "body": json.dumps(ORDER)}
    response = handler(event, None)
    return response["statusCode"], json.loads(response["body"])


def fence(side):
    side.run(f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public FROM {side.role}")


def lift(side):
    side.run(f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {side.role}")


def count(side):
    return side.run("SELECT count(*) FROM payments")[0][0]


def carry_over(source, target):
    """Copy what a switch would: every payment of the source with its lines, and the sequence."""
    for table in ("payments", "transactions"):
        columns = target.run("SELECT string_agg(attname, ', ') FROM pg_attribute WHERE attrelid = %s::regclass"
                             " AND attnum > 0", table)[0][0]  # fmt: skip
        for row in source.run(f"SELECT {columns} FROM {table}"):
            marks = ", ".join(["%s"] * len(row))
            target.run(f"INSERT INTO {table} ({columns}) VALUES ({marks})", *row)
    target.run("SELECT setval(pg_get_serial_sequence('transactions', 'id'), 10000)")


@pytest.fixture
def waits(environment):
    environment.setenv("PAYMIG_PAUSE_BUDGET", "5")
    return environment


def test_requests_held_by_a_fence_are_taken_by_the_new_writer(source, target, control, waits):
    assert pay("before")[0] == 201
    fence(source)
    fence(target)
    with ThreadPoolExecutor(8) as pool:
        held = [pool.submit(pay, f"held-{number}") for number in range(8)]
        time.sleep(0.3)
        assert not any(request.done() for request in held)
        carry_over(source, target)
        control("target", 1)
        time.sleep(0.1)
        assert not any(request.done() for request in held), "the target is still closed"
        lift(target)
        assert [request.result()[0] for request in held] == [201] * 8
    assert (count(source), count(target)) == (1, 9)


def test_requests_held_by_a_fence_that_is_lifted_go_on_where_they_were(source, target, control, waits):
    fence(source)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(pay, "held")
        time.sleep(0.2)
        assert not held.done()
        lift(source)
        assert held.result()[0] == 201
    assert (count(source), count(target)) == (1, 0)


def test_a_straggler_that_remembers_the_old_writer_is_led_to_the_new_one(source, target, control, waits):
    assert pay("before")[0] == 201
    carry_over(source, target)
    fence(source)
    control("target", 1)
    assert writer._last[1].side == "source", "nothing told this instance"
    assert pay("after")[0] == 201
    assert (count(source), count(target)) == (1, 2)


def test_a_pause_past_the_budget_is_a_503_and_nothing_is_written(source, waits):
    waits.setenv("PAYMIG_PAUSE_BUDGET", "0.1")
    fence(source)
    status, problem = pay("late")
    assert (status, problem["status"]) == (503, 503)
    assert count(source) == 0
    with pytest.raises(Paused, match="source database refuses writes: permission denied"):
        at_writer(lambda running: running.execute("DELETE FROM payments"), budget=0)


def test_reading_goes_on_behind_a_fence(source, waits):
    _, made = pay("before")
    fence(source)
    shown = handler({"httpMethod": "GET", "path": f"/payments/{made['id']}", "headers": {}}, None)
    assert shown["statusCode"] == 200


@pytest.mark.parametrize("moment", ["before the commit", "after the commit", "while the commit is on its way"])
def test_a_payment_whose_answer_was_lost_is_made_once(source, waits, moment):
    with proxy(source.server.port) as between:
        waits.setenv("SOURCE_PORT", str(between.port))
        between.break_once(moment, delay=0.3)
        status, payment = pay("lost")
        assert between.broken == 1
        # The client is told 201 only where this very attempt made it.
        assert status == (201 if moment == "before the commit" else 200)
        assert source.run("SELECT id::text FROM payments") == [(payment["id"],)]
        assert source.run("SELECT count(*), sum(amount) FROM transactions") == [(2, 0)]


def test_an_unknown_outcome_is_settled_at_whoever_is_the_writer_by_then(source, target, control, waits):
    """The commit reached the source, its answer did not reach the API, and meanwhile the writer moved."""

    def switch():
        fence(source)
        carry_over(source, target)
        control("target", 1)

    with proxy(source.server.port) as between:
        waits.setenv("SOURCE_PORT", str(between.port))
        between.break_once("after the commit", switch)
        status, payment = pay("lost")
    assert status == 200
    assert source.run("SELECT id::text FROM payments") == [(payment["id"],)]
    assert target.run("SELECT id::text FROM payments") == [(payment["id"],)]
    assert target.run("SELECT count(*), sum(amount) FROM transactions") == [(2, 0)]


def test_a_commit_that_never_reached_the_old_writer_is_made_at_the_new_one(source, target, control, waits):
    def switch():
        fence(source)
        control("target", 1)

    with proxy(source.server.port) as between:
        waits.setenv("SOURCE_PORT", str(between.port))
        between.break_once("before the commit", switch)
        assert pay("lost")[0] == 201
    assert (count(source), count(target)) == (0, 1)


def test_work_without_on_conflict_waits_for_the_commit_on_its_way(source, waits):
    """An own API may simply insert: its unique key then tells that the lost attempt won after all."""
    values = "'k', 'd', 'm', 1, 'EUR', 'captured'"
    insert = (
        "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
        f" VALUES ({values}) RETURNING id::text"
    )
    runs = []

    def work(running):
        runs.append(1)
        running.execute(insert)
        return running.fetchone()[0]

    def settle(running):
        running.execute("SELECT id::text FROM payments WHERE idempotency_key = 'k'")
        row = running.fetchone()
        return row[0] if row else None

    with proxy(source.server.port) as between:
        waits.setenv("SOURCE_PORT", str(between.port))
        between.break_once("while the commit is on its way", delay=0.3)
        made = at_writer(work, settle=settle)
    assert source.run("SELECT id::text FROM payments") == [(made,)]
    assert len(runs) == 2, "the second attempt met the first one's key"


def test_a_unique_key_that_was_never_in_doubt_is_the_caller_s_to_handle(source, waits):
    pay("taken")
    with pytest.raises(errors.UniqueViolation):
        at_writer(
            lambda running: running.execute("INSERT INTO payments SELECT * FROM payments"), settle=lambda running: None
        )


def test_a_writer_that_breaks_twice_is_given_up(source, waits):
    with proxy(source.server.port) as between:
        waits.setenv("SOURCE_PORT", str(between.port))
        between.break_once("before the commit", lambda: between.break_once("before the commit"))
        assert pay("lost")[0] == 503
        assert between.broken == 2
        assert count(source) == 0
        assert pay("lost")[0] == 201


def test_transact_repeats_over_a_broken_connection_and_then_says_so(source):
    runs = []

    def broken(running):
        runs.append(1)
        source.run("SELECT pg_terminate_backend(%s)", running.connection.info.backend_pid)
        running.execute("SELECT 1")

    with pytest.raises(psycopg2.OperationalError):
        database.transact("source", broken)
    assert len(runs) == 2
    with pytest.raises(Unreachable, match="broke twice"):
        at_writer(broken)
