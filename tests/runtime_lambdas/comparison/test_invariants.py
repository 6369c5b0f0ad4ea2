"""Queries that must hold on both sides."""

from dataclasses import replace

import psycopg2
import pytest

from runtime_lambdas.runtime.comparison import Invariant, TooManyRows

from .conftest import FAST

LEDGER = Invariant("ledger_by_currency", "SELECT currency, sum(amount) FROM lines GROUP BY 1")
ORPHANS = Invariant("orphans", "SELECT count(*) FROM lines WHERE payment IS NULL", 0)


@pytest.fixture
def ledger(pair):
    pair.run(
        "CREATE TABLE lines (id int PRIMARY KEY, payment int, currency text, amount numeric(12, 2));"
        "INSERT INTO lines SELECT i, i, CASE i % 2 WHEN 0 THEN 'EUR' ELSE 'USD' END, i / 4.0"
        " FROM generate_series(1, 40) i"
    )
    return pair


def check(pair, *invariants, options=FAST):
    return {each.name: each for each in pair.compare(options, invariants=invariants).invariants}


def test_what_holds_is_equal(ledger):
    found = check(ledger, LEDGER, ORPHANS)
    assert [(each.name, each.verdict) for each in found.values()] == [
        ("ledger_by_currency", "equal"),
        ("orphans", "equal"),
    ]
    assert found["ledger_by_currency"].source == [["EUR", "105"], ["USD", "100"]]


@pytest.mark.parametrize("leader", ["source", "target"])
def test_what_does_not_hold_is_different(ledger, leader):
    ledger.run("UPDATE lines SET payment = NULL WHERE id = 1")
    ledger.target.run("UPDATE lines SET amount = amount + 0.01 WHERE id = 3")
    found = check(ledger, LEDGER, ORPHANS, options=replace(FAST, leader=leader))
    assert [each.verdict for each in found.values()] == ["different", "different"]
    assert found["ledger_by_currency"].source == [["EUR", "105"], ["USD", "100"]]
    assert found["ledger_by_currency"].target == [["EUR", "105"], ["USD", "100.01"]]
    assert found["orphans"].source == [["1"]]


def test_a_sum_of_another_scale_is_the_same(ledger):
    ledger.target.run("ALTER TABLE lines ALTER amount TYPE numeric(14, 4)")
    assert check(ledger, LEDGER)["ledger_by_currency"].verdict == "equal"


def test_what_never_stands_still_is_unsettled(ledger):
    clock = Invariant("clock", "SELECT clock_timestamp()")
    found = check(ledger, clock, ORPHANS, options=replace(FAST, patience=0.5))
    assert [each.verdict for each in found.values()] == ["unsettled", "equal"]


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("WITH d AS (DELETE FROM lines RETURNING 1) SELECT 1 FROM d", psycopg2.errors.ReadOnlySqlTransaction),
        ("SELECT 1; COMMIT; DROP TABLE lines", psycopg2.errors.ReadOnlySqlTransaction),
        ("SELECT pg_sleep(5)", psycopg2.errors.QueryCanceled),
        ("SELECT generate_series(1, 20000)", TooManyRows),
        ("SELECT nothing FROM nowhere", psycopg2.errors.UndefinedTable),
    ],
)
def test_an_invariant_that_may_not_be(ledger, monkeypatch, sql, error):
    monkeypatch.setattr("runtime_lambdas.runtime.comparison.invariants.TIMEOUT", 1)
    with pytest.raises(error):
        check(ledger, Invariant("bad", sql))
    assert ledger.source.run("SELECT count(*) FROM lines") == [(40,)]
