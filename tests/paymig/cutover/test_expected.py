"""The expected pause, from figures as they are measured: which of them it is made of, and what it says without one."""

from datetime import UTC, datetime

import pytest

from paymig.cutover.expected import Timed, expect, last_timed
from runtime_lambdas.runtime.comparison.place import Pace
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.switchover.measure import Measured

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MEASURED = Measured(lag=0.02, writes=400.0, invariants=0.01, writers=0, oldest_writer=None)
PACE = Pace("full", NOON, 1_000_000, 20.0)
TIMED = Timed("switchover", NOON, pause=0.14, rest=0.1)


def test_it_is_the_sum_of_what_was_measured():
    found = expect(MEASURED, PACE, TIMED, budget=5.0)
    assert [round(part.seconds, 6) for part in found.parts] == [0.02, 0.018, 0.1]
    assert found.seconds == pytest.approx(0.138)
    assert found.fits is True
    assert found.unknown == ()
    text = str(found)
    assert "expected pause: about 0.138 s, of a budget of 5 s: it fits" in text
    assert "400 rows" in text and "1,000,000 rows in 20.0 s" in text and "(full, 12:00:00 UTC" in text
    assert "switchover of 2026-11-24 12:00 UTC, whose pause took 0.140 s" in text
    assert "waits for what has written" not in text
    assert found.to_json()["seconds"] == 0.138


@pytest.mark.parametrize(
    ("measured", "pace", "timed", "why"),
    [
        (Measured(None, 400.0, 0.01, 0, None), PACE, TIMED, "no beat of the source arrives"),
        (MEASURED, None, TIMED, "none has found both sides equal yet"),
        (MEASURED, Pace("full", NOON, 0, 1.0), TIMED, "none has found both sides equal yet"),
        (MEASURED, PACE, None, "never timed on these databases"),
    ],
)
def test_without_a_figure_it_is_a_lower_bound_that_says_what_is_missing(measured, pace, timed, why):
    found = expect(measured, pace, timed, budget=5.0)
    assert found.fits is None
    assert [why in each for each in found.unknown] == [True]
    assert "at least" in str(found) and "can't be told" in str(found)
    assert expect(measured, pace, timed, budget=0.001).fits is False


def test_what_does_not_fit_is_said():
    found = expect(MEASURED, PACE, TIMED, budget=0.1)
    assert found.fits is False
    assert "it does not fit, and would be given up and undone" in str(found)


def test_a_transaction_that_the_fence_would_wait_for_is_named():
    text = str(expect(Measured(0.02, 0.0, 0.0, 2, 12.34), PACE, TIMED, 5.0))
    assert "the fence waits for what has written and is open: 2 now, the oldest for 12.3 s" in text
    assert "only pg_read_all_stats may see" in str(expect(Measured(0.02, 0.0, 0.0, 1, None), PACE, TIMED, 5.0))


def entry(verb, step, kind, **evidence):
    return Entry(0, NOON, "me", verb, step, kind, "", evidence)


MOVE = [
    entry("switchover", "begin", "note"),
    entry("switchover", "drain", "done", seconds=0.03),
    entry("switchover", "compare", "done", seconds=0.01),
    entry("switchover", "open", "done", pause=0.14),
]


def test_the_last_move_is_timed_without_what_is_measured_anew():
    assert last_timed([]) is None
    assert last_timed(MOVE) == Timed("switchover", NOON, 0.14, pytest.approx(0.1))
    noise = [entry("shift", "begin", "note"), entry("switchback", "begin", "note")]
    back = [entry("switchback", "drain", "done", seconds=0.05), entry("switchback", "open", "done", pause=0.2)]
    assert last_timed([*MOVE, *noise, *back]) == Timed("switchback", NOON, 0.2, pytest.approx(0.15))


def test_a_move_that_says_nothing_of_others_is_passed_over():
    given_up_rows = [
        entry("switchback", "begin", "note", accept_loss=3),
        entry("switchback", "open", "done", pause=9.0),
    ]
    opened_by_another = [
        entry("switchback", "begin", "note"),
        entry("switchback", "drain", "done", seconds=0.05),
        entry("switchback", "open", "done"),
    ]
    for later in (given_up_rows, opened_by_another):
        assert last_timed([*MOVE, *later]).verb == "switchover"
