"""The command around a run: called step by step, and when its lease is taken in the middle of the pause."""

from dataclasses import replace

import pytest

from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.runtime.journal.lease import LeaseLost
from runtime_lambdas.switchover import service
from runtime_lambdas.switchover.actions import MoveRefused, NotReady
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.phases import Step


def test_called_again_and_again_it_finishes_both_ways(stage):
    stage.load()
    for wish, writer in ((Wish.SWITCHOVER, "target"), (Wish.SWITCHBACK, "source")):
        outcome, calls = None, 0
        while outcome is None:
            outcome = service.advance(stage.journal(), stage.databases(), wish, first=not calls, budget=10.0)
            calls += 1
            assert stage.writers() in (["source"], ["target"])
        assert outcome.writer == writer
        assert stage.writers() == [writer]
        assert 3 <= calls <= 6


def by_move(stage, databases):
    return service.move(stage.journal(), databases, Wish.SWITCHOVER, budget=10.0)


def by_advance(stage, databases):
    """As the state machine calls it."""
    outcome, calls = None, 0
    while outcome is None:
        outcome = service.advance(stage.journal(), databases, Wish.SWITCHOVER, first=not calls, budget=10.0)
        calls += 1
    return outcome


@pytest.mark.parametrize("call", [by_move, by_advance])
def test_a_fence_is_not_left_behind_when_the_lease_is_taken_over_in_the_pause(stage, call):
    stage.load()
    databases = stage.databases()
    do = databases.do

    def robbed(way, step, attempt, pause):
        if step is Step.COMPARE:
            with hold(stage.journal("arn:aws:iam::111122223333:user/eve"), "rollback", over=True):
                assert stage.writers() == []
        return do(way, step, attempt, pause)

    databases.do = robbed
    with pytest.raises(LeaseLost):
        call(stage, databases)
    assert stage.writers() == ["source"]
    assert stage.steps()[-1] == "undo done"


def test_what_follows_the_writer_does_so_before_what_is_left_of_the_move(stage):
    stage.load()
    databases = stage.databases()
    do, found = databases.do, []

    def follow(holding):
        found.append((stage.journal().writer().side, stage.writers()))
        with replace(holding, verb="shift").step("move the traffic"):
            pass

    def dying(way, step, attempt, pause):
        if step is Step.RETIRE:
            raise RuntimeError("the task does not start")
        return do(way, step, attempt, pause)

    def move(databases, wish):
        return service.move(stage.journal(), databases, wish, budget=10.0, follow=follow)

    databases.do = dying
    with pytest.raises(RuntimeError, match="does not start"):
        move(databases, Wish.SWITCHOVER)
    assert found == [("target", ["target"])]
    steps = stage.steps()
    assert steps[steps.index("open done") :] == [
        "open done",
        "move the traffic intent",
        "move the traffic done",
        "retire intent",
        "retire failed",
    ]
    assert move(stage.databases(), Wish.SWITCHOVER).writer == "target"
    assert found == [("target", ["target"])] * 3, "whatever was done is looked at before the rest, and at the end"
    assert move(stage.databases(), Wish.SWITCHBACK).writer == "source"
    assert found[3:] == [("source", ["source"])] * 2


class Died(BaseException):
    """The operator's process is gone."""


def test_what_a_move_needs_besides_the_databases_is_asked_under_its_lease_once_no_fence_is_left(stage):
    stage.load()
    databases = stage.databases()
    do = databases.do

    def dying(way, step, attempt, pause):
        if step is Step.DRAIN:
            raise Died
        return do(way, step, attempt, pause)

    databases.do = dying
    with pytest.raises(Died):
        service.move(stage.journal(), databases, Wish.SWITCHOVER, budget=10.0)
    assert stage.writers() == []

    def unready():
        lease = stage.journal().lease()
        assert (lease.verb, lease.held) == ("switchover", True)
        assert stage.writers() == ["source"]
        raise NotReady("the traffic is elsewhere", "move it")

    with pytest.raises(NotReady):
        service.move(stage.journal(), stage.databases(), Wish.SWITCHOVER, budget=10.0, ready=unready)
    assert stage.steps()[-1] == "begin note"


def test_no_pause_is_begun_that_could_be_cut_off_in_the_middle(stage):
    """A function that is killed at its time limit in the pause would be followed by one that prepares as long again."""
    stage.load()

    def advance(first, *left):
        """`left` at the beginning of the call, and right before the pause."""
        databases, clock = stage.databases(), iter(left)
        return service.advance(
            stage.journal(), databases, Wish.SWITCHOVER, first=first, budget=10.0, left=lambda: next(clock)
        )

    assert advance(True, 900.0) is None
    assert advance(False, 900.0) is None  # the check, for which there is time
    with pytest.raises(MoveRefused, match=r"to prepare took so long that 69 s are left .*none was begun"):
        advance(False, 900.0, 69.0)
    assert advance(False, 69.0) is None  # the check, afresh
    with pytest.raises(
        MoveRefused, match=r"10 s, and 60 s to end it, never fit .* has 69 s: none was begun"
    ) as refused:
        advance(False, 69.0, 68.0)
    assert "a cutover.switchover.pause_budget below 9 s" in refused.value.hint
    assert "fence intent" not in stage.steps()
    assert stage.writers() == ["source"]
    outcome = None
    while outcome is None:
        outcome = advance(False, 900.0, *[70.0] * 9)
    assert outcome.writer == "target"
