"""The command around a run: called step by step, and when its lease is taken in the middle of the pause."""

import pytest

from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.runtime.journal.lease import LeaseLost
from runtime_lambdas.switchover import service
from runtime_lambdas.switchover.actions import MoveRefused
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


def test_a_fence_is_not_left_behind_when_the_lease_is_taken_over_in_the_pause(stage):
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
        service.move(stage.journal(), databases, Wish.SWITCHOVER, budget=10.0)
    assert stage.writers() == ["source"]
    assert stage.steps()[-1] == "undo done"


def test_no_pause_is_begun_that_could_be_cut_off_in_the_middle(stage):
    """A function that is killed at its time limit in the pause would be followed by one that prepares as long again."""
    stage.load()
    budget = stage.settings.pause_budget

    def advance(first, left):
        databases = stage.databases()
        return service.advance(
            stage.journal(), databases, Wish.SWITCHOVER, first=first, budget=budget, left=lambda: left
        )

    assert advance(True, budget) is None
    assert advance(False, budget) is None  # the check, for which there is time
    with pytest.raises(MoveRefused, match=r"10 s are left of this call.*none was begun"):
        advance(False, budget)
    assert "fence intent" not in stage.steps()
    assert stage.writers() == ["source"]
    outcome = advance(True, 900.0)
    while outcome is None:
        outcome = advance(False, 900.0)
    assert outcome.writer == "target"
