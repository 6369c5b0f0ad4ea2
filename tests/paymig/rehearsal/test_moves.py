"""What a move of the writer was for clients, told from the journal and the load."""

from datetime import UTC, datetime

from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.moves import moves, words
from paymig.rehearsal.workload import Request

PAY = Request("payment", "POST", "/payments", "{}", "k")


def entry(at, step, kind, verb="switchover", **evidence):
    time = datetime.fromtimestamp(at, UTC).isoformat()
    return {"time": time, "verb": verb, "step": step, "kind": kind, "evidence": evidence}


def paid(sent, done, attempts=1, ok=True):
    return Outcome(PAY, sent, sent, done, attempts, "new", 201 if ok else 503, ok)


FORTH = [
    entry(0, "begin", "note"),
    entry(1, "fence", "intent"),
    entry(1, "commit", "intent"),
    entry(2, "fence", "done", seconds=0.25),
    entry(2, "compare", "done", seconds=0.5, rows=3),
    entry(2, "commit", "done", epoch=1, pause=0.9),
    entry(2.5, "open", "done", pause=1.4, seconds=0.1),
]
LOAD = [
    paid(0.1, 0.2),
    paid(0.7, 0.8),
    paid(0.9, 3.1),
    paid(1.2, 3.3, attempts=2),
    paid(1.3, 9, ok=False),
    paid(4, 4.1),
]


def test_a_switchover_s_pause_is_seen_from_both_sides():
    [move] = moves([entry(0, "move", "done", verb="shift"), *FORTH], LOAD)
    assert (move.fenced, move.committed, move.opened, move.server) == (1, 2, 2.5, 1.4)
    assert (move.clients.start, move.clients.end) == (0.8, 3.1)
    assert (move.held, move.retried, move.failed) == (1, 1, 1)
    assert move.steps == {"fence": 0.25, "compare": 0.5, "open": 0.1}
    assert move.comparison["rows"] == 3
    assert "target became the writer" in words(move)
    assert "2300 ms (server: 1400 ms)" in words(move)


def test_what_paused_nothing_is_no_move():
    assert moves([entry(0, "begin", "note"), entry(1, "check", "failed", error="behind")], LOAD) == []
    assert moves([], LOAD) == []


def test_one_that_was_given_up_says_why_and_moved_nobody():
    undone = [
        *FORTH[:2],
        entry(2, "fence", "failed", error="a writer in flight", pause=2.0),
        entry(2, "undo", "intent"),
        entry(3, "undo", "done"),
    ]
    first, second = moves([*undone, *[{**e, "verb": "switchback"} for e in FORTH]], LOAD)
    assert (first.committed, first.opened, first.server, first.error) == (None, 3, 2.0, "a writer in flight")
    assert "given up" in words(first)
    assert (second.verb, second.to) == ("switchback", "source")


def test_one_whose_operator_died_lasts_until_somebody_undid_it():
    [move] = moves([*FORTH[:3], entry(8, "undo", "done")], LOAD)
    assert (move.opened, move.server) == (8, None)
    [left] = moves(FORTH[:3], LOAD)
    assert left.opened == 9  # nobody did: until the end of the load
