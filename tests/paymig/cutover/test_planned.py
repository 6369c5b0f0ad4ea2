"""What a plan shows from wherever the last command stopped, and what going back would cost at each point of it."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from paymig.aws.weights import Weights
from paymig.cutover import plan
from paymig.errors import Refused
from runtime_lambdas.runtime.journal.entry import Draft, Entry, Kind
from runtime_lambdas.switchover.history import BEGIN, UNDO, fold
from runtime_lambdas.switchover.phases import BACK, FORTH, Step

ALL = [str(step) for step in FORTH.steps()]


def entry(way, step, kind: Kind = "done", **evidence):
    return Entry.of(Draft(way.verb, step, kind, "", evidence), 1, datetime(2026, 1, 1, tzinfo=UTC), "alice", 1)


def done(way, until=None, **evidence):
    """A move that was begun and has done its steps up to one."""
    steps = way.steps("accept_loss" in evidence)
    upto = steps if until is None else steps[: steps.index(until) + 1]
    return [entry(way, BEGIN, "note", **evidence), *(entry(way, step) for step in upto)]


MOVED = done(FORTH)
IN_THE_PAUSE = [*done(FORTH, Step.PREPARE), *(entry(FORTH, step, "intent") for step in ALL[2:8])]
BACK_IN_THE_PAUSE = [*MOVED, *done(BACK, Step.DRAIN)]


@pytest.mark.parametrize(
    ("entries", "left", "said"),
    [
        ([], ALL, "The source is the writer, in epoch 0."),
        (done(FORTH, Step.CHECK), ALL, "The source is the writer, in epoch 0."),
        (IN_THE_PAUSE, ["undo reverse", "undo fence", *ALL], "has begun its pause of writes"),
        (
            [*IN_THE_PAUSE, entry(FORTH, UNDO, "intent"), entry(FORTH, "undo reverse")],
            ["undo fence", *ALL],
            "is undone first",
        ),
        (done(FORTH, Step.COMMIT), ["open", "retire"], "The target is the writer, in epoch 1: a switchover is past"),
        (done(FORTH, Step.OPEN), ["retire"], "what is left of it is done first"),
        (MOVED, [], "The target is the writer, in epoch 1 already."),
        (BACK_IN_THE_PAUSE, ["undo fence"], "The target is the writer, in epoch 1: a switchback has begun its pause"),
        ([*MOVED, *done(BACK, Step.COMMIT)], ["open", "retire", *ALL], "epoch 2: a switchback is past"),
        ([*MOVED, *done(BACK)], ALL, "The source is the writer, in epoch 2."),
    ],
)
def test_only_what_is_left_is_shown(entries, left, said):
    planned, state = plan.steps(entries), fold(entries)
    assert [one.step for one in planned] == left
    told = plan.to_json(planned, None, "none", state)
    assert said in told["stands"] and f"The {told['writer']} is the writer" in told["stands"]
    assert plan.fences(planned) == ("fence" in left)
    drawn = Console(width=200, record=True, file=StringIO())
    drawn.print(plan.render(planned, None, "none", state))
    text = drawn.export_text()
    assert said in text
    assert ("Nothing is left to do." in text) == (not left)


def test_a_journal_that_contradicts_itself_is_no_plan():
    with pytest.raises(Refused, match="the journal contradicts itself"):
        plan.steps([entry(FORTH, Step.COMMIT)])


@pytest.mark.parametrize("quick", [True, False])
def test_what_going_back_costs_at_each_point(quick):
    told = plan.to_json(plan.steps([], quick), None, "none", fold([]))["steps"]
    back = {one["step"]: one["back"] for one in told}
    assert [one["step"] for one in told if one["pause"]] == [*ALL[2:8], "open"]
    assert all(back[step] == "nothing: the source takes writes all the time" for step in ALL[:2])
    assert all(back[step].startswith("nothing: the source takes writes again as soon as it is") for step in ALL[2:7])
    healthy = "nothing while replication from the target to the source is healthy: paymig rollback moves"
    if quick:
        assert all(back[step].startswith(healthy) for step in ("commit", "open", "retire"))
    else:
        # With DMS nothing is proved before the last step, so until then nothing is promised.
        assert all(back[step].startswith("not proved before retire") for step in ("commit", "open"))
        assert back["retire"].startswith(
            "once this has proved replication from the target to the source, nothing while"
        )


def test_going_back_from_a_way_back_that_gave_rows_up_is_not_promised():
    given_up = plan.steps([*MOVED, *done(BACK, Step.COMMIT, accept_loss=3)])
    assert [one.step for one in given_up][:2] == ["open", "retire"]
    assert all("everything has to be loaded anew" in one.back for one in given_up[:2])
    whole = plan.steps([*MOVED, *done(BACK, Step.COMMIT)])[:2]
    assert all("paymig switchover moves the writer back" in one.back for one in whole)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("entries", "share", "left"),
    [
        ([], 0, [*ALL[:-1], "traffic: old 0, new 100", "retire"]),
        (done(FORTH, Step.COMMIT), 0, ["open", "traffic: old 0, new 100", "retire"]),
        (done(FORTH, Step.COMMIT), 100, ["open", "retire"]),
        (MOVED, 0, ["traffic: old 0, new 100"]),
        (MOVED, 100, []),
        (
            [*MOVED, *done(BACK, Step.COMMIT)],
            100,
            ["open", "traffic: old 100, new 0", "retire", *ALL[:-1], "traffic: old 0, new 100", "retire"],
        ),
    ],
)
def test_the_traffic_that_follows_the_writer_is_planned(entries, share, left, at_once):
    planned = plan.steps(entries, follows=plan.Follows("pay.example.com", Weights.to_new(share), "60s", at_once))
    shown = [one.step if one.step != "traffic" else f"traffic: {becomes(one.what)}" for one in planned]
    if at_once:
        assert shown == left
    else:  # the machine moves the writer as it is wished, and the traffic is looked at when that has ended
        ends = [] if share == 100 else ["traffic: old 0, new 100"]
        assert shown == [step for step in left if not step.startswith("traffic")] + ends
    assert not any(one.pause for one in planned if one.step == "traffic")


def becomes(what):
    return what.partition(" becomes ")[2].partition(";")[0]
