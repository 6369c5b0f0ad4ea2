"""Figures from outcomes: percentiles, the write pause, counts."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from paymig.rehearsal.load.record import Outcome, read
from paymig.rehearsal.measure import Latency, Pause, by_second, count, longest_pause
from paymig.rehearsal.percentiles import percentile
from paymig.rehearsal.workload import Request

PAY = Request("payment", "POST", "/payments", "{}", "key", {"amount": 1})
READ = Request("read", "GET", "/payments/1")


def outcome(done, request=PAY, sent=None, ok=True, attempts=1, side="old", **more):
    sent = done - 0.01 if sent is None else sent
    return Outcome(request, sent, sent, done, attempts, side, 201 if ok else 503, ok, **more)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_enough_do_not_exceed(values, share):
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) * 100 >= share * len(ordered)
    assert sum(value < found for value in ordered) * 100 < share * len(ordered)


def test_latency_counts_from_the_planned_time():
    late = Outcome(PAY, 10.0, 10.9, 11.0, 1, "old", 201, True)
    assert Latency.of([late]) == Latency(1000.0, 1000.0, 1000.0, 1000.0)


@given(st.lists(st.floats(0, 100), max_size=30))
def test_the_pause_is_the_longest_time_without_an_acknowledged_write(times):
    outcomes = [outcome(time) for time in times]
    noise = [outcome(time / 2, READ) for time in times] + [outcome(50.0, ok=False)]
    found = longest_pause([*outcomes, *noise], 0, 100)
    assert not [time for time in times if found.start < time < found.end]
    marks = sorted([0, *times, 100])
    assert found.seconds == max(b - a for a, b in pairwise(marks))


def test_held_is_a_write_that_waited_over_the_pause_and_succeeded_at_once():
    pause = Pause(10.0, 12.0)
    counts = count(
        [
            outcome(12.1, sent=10.5),
            outcome(12.1, sent=10.5, attempts=3),  # retried, not held
            outcome(12.1, READ, sent=10.5),
            outcome(9.9, sent=8.0),  # slow before the pause
            outcome(12.2, sent=11.9),  # quick
            outcome(12.1, sent=10.5, ok=False, uncertain=True),
        ],
        pause,
    )
    assert (counts.held, counts.retried, counts.failed, counts.uncertain) == (1, 1, 1, 1)
    assert counts.by_kind == {"payment": 5, "read": 1}


def test_seconds_without_an_answer_are_shown():
    seconds = by_second([outcome(100.2), outcome(103.5, side="new"), outcome(103.6, ok=False)], 100.0)
    assert [(s.at, s.requests, s.failed, s.new) for s in seconds] == [
        (0, 1, 0, 0),
        (1, 0, 0, 0),
        (2, 0, 0, 0),
        (3, 2, 1, 1),
    ]


def test_an_outcome_survives_its_file_and_half_a_line_is_none(tmp_path):
    file = tmp_path / "load.jsonl"
    one = outcome(5.0, answer={"id": "x"})
    file.write_text(one.to_line() + "\n" + outcome(6.0).to_line()[:40])
    assert list(read(file)) == [one]
    assert one.receipt is not None
    assert outcome(5.0, ok=False).receipt is None
