"""Moving the writer against a model of the world: what must hold at every moment, whatever happens to whom."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.switchover.actions import GivenUp, MoveRefused, Outcome, Superseded
from runtime_lambdas.switchover.decide import Begin, Do, Finished, Refused, Undo, Wish, decide
from runtime_lambdas.switchover.history import fold
from runtime_lambdas.switchover.phases import Step
from tests.runtime_lambdas.moves import BUDGET, Operator, World

WISHES = [Wish.SWITCHOVER, Wish.SWITCHOVER, Wish.SWITCHBACK, Wish.UNDO]


def finish(world, wish):
    """Run a command to its end, undisturbed."""
    operator = Operator(world, wish)
    while not operator.ended:
        operator.go()
    return operator


def play(world, tape):
    """Let operators come, act, fail and die as the tape says; return those who are still there."""
    operators = [Operator(world, Wish.SWITCHOVER)]
    for number in tape:
        alive = [operator for operator in operators if not operator.ended]
        what, whom = divmod(number, 8)
        if not alive or (what == 0 and len(alive) < 3):
            operators.append(Operator(world, WISHES[whom % len(WISHES)]))
            continue
        chosen = alive[-1] if whom < 5 else alive[whom % len(alive)]  # as a rule, who came last
        if what == 1:
            chosen.go("kill")
        elif what == 2:
            chosen.go("fail")
        elif what == 3:
            chosen.go("late")
        elif what == 4:
            world.deliver(whom)
        elif what == 5:
            world.seconds += BUDGET / 2
            chosen.go()
        else:
            chosen.go()
    return [operator for operator in operators if not operator.ended]


@settings(max_examples=3000, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=150), st.sampled_from(WISHES), st.booleans())
@example(bytes([40] * 24 + [8]), Wish.SWITCHOVER, False)
def test_never_two_writers_and_one_in_the_end(tape, wish, late):
    world = World()
    sleepers = play(world, tape)
    if not late:
        while_alive(sleepers)
    last = finish(world, wish)
    assert last.failure is None or isinstance(last.failure, MoveRefused | GivenUp), world.trace
    if last.failure is None:
        assert isinstance(last.outcome, Outcome)
        wanted = {Wish.SWITCHOVER: "target", Wish.SWITCHBACK: "source"}.get(wish, world.writer)
        assert last.outcome.writer == world.writer == wanted
    elif isinstance(last.failure, MoveRefused):  # only to undo what is beyond the point of no return
        assert wish is Wish.UNDO
        finish(world, Wish.SWITCHOVER if world.writer == "target" else Wish.SWITCHBACK)
    world.at_rest()
    while_alive(sleepers)  # those who slept through it wake up, and calls arrive that were lost: they can do no harm
    world.at_rest()
    while world.on_their_way:
        world.deliver(0)
    world.at_rest()


def while_alive(operators):
    for operator in operators:
        while not operator.ended:
            operator.go()


def test_a_writer_can_go_forth_and_back_any_number_of_times():
    world = World()
    for number in range(6):
        wish = [Wish.SWITCHOVER, Wish.SWITCHBACK][number % 2]
        assert finish(world, wish).failure is None
        world.at_rest()
        assert world.epoch == number + 1
    assert finish(world, Wish.SWITCHBACK).outcome.writer == "source"
    assert world.epoch == 6


def acts():
    """How many acts a switchover has from beginning to end."""
    world, count = World(), 0
    operator = Operator(world, Wish.SWITCHOVER)
    while not operator.ended:
        operator.go()
        count += 1
    return count


@pytest.mark.parametrize("fate", ["kill", "fail", "late"])
@pytest.mark.parametrize("wish", [Wish.SWITCHOVER, Wish.SWITCHBACK, Wish.UNDO])
def test_whatever_happens_at_any_act_the_next_command_completes_it(fate, wish):
    for act in range(acts()):
        world = World()
        operator = Operator(world, Wish.SWITCHOVER)
        for _ in range(act):
            operator.go()
        operator.go(fate)
        while_alive([operator])
        if act % 2:
            world.deliver(0)
        last = finish(world, wish)
        world.deliver(0)
        if isinstance(last.failure, MoveRefused):
            assert wish is Wish.UNDO
            assert world.writer == "target"
            finish(world, Wish.SWITCHOVER)
        else:
            assert last.failure is None
        world.at_rest()


def test_an_operator_who_wakes_up_after_another_has_finished_is_refused_by_the_database():
    """He had recorded that he gives up, and slept before he opened the source again."""
    world = World()
    sleeper = Operator(world, Wish.SWITCHOVER)
    while world.bases["source"].writable:
        sleeper.go()
    world.seconds += BUDGET
    while not any(entry.step == "undo reverse" for entry in world.entries):
        sleeper.go()
    sleeper.go()  # the mark is written; next he opens the source
    assert not world.bases["source"].writable
    finish(world, Wish.SWITCHOVER)
    assert world.writer == "target"
    while_alive([sleeper])
    assert isinstance(sleeper.failure, Superseded)
    world.at_rest()


def test_a_commit_whose_answer_is_lost_is_found():
    world = World()
    operator = Operator(world, Wish.SWITCHOVER)
    while world.epoch == 0:
        operator.go()
    operator.go("fail")
    while_alive([operator])
    assert operator.failure is None
    assert operator.outcome.writer == "target"
    world.at_rest()


def test_a_pause_past_its_budget_ends_where_the_writer_was():
    world = World()
    operator = Operator(world, Wish.SWITCHOVER)
    while world.bases["source"].writable:
        operator.go()
    world.seconds += BUDGET
    while_alive([operator])
    assert isinstance(operator.failure, GivenUp)
    assert operator.failure.pause >= BUDGET
    assert "the budget is 30 s" in str(operator.failure)
    world.at_rest()
    assert world.writer == "source"


def test_once_the_way_back_is_ended_there_is_none():
    world = World()
    assert "there is no way back to end" in str(finish(world, Wish.FINALIZE).failure)
    finish(world, Wish.SWITCHOVER)
    assert finish(world, Wish.FINALIZE).failure is None
    assert fold(world.entries).finalized
    assert "the way back has ended" in str(finish(world, Wish.SWITCHBACK).failure)
    assert finish(world, Wish.FINALIZE).outcome.writer == "target"
    assert finish(world, Wish.SWITCHOVER).outcome.writer == "target"
    world.at_rest()


def entry(verb, step, kind, **evidence):
    from datetime import UTC, datetime

    return Entry(0, datetime.now(UTC), "me", verb, step, kind, "", evidence)


PAUSED = [entry("switchover", "begin", "note"), entry("switchover", "fence", "intent")]
COMMITTED = [*PAUSED, entry("switchover", "commit", "done")]


def test_what_others_do_is_passed_over():
    noise = [entry("shift", "to 10 %", "intent"), entry("switchover", "take the lease over", "note")]
    assert decide([*noise, *PAUSED, *noise], Wish.SWITCHOVER) == decide(PAUSED, Wish.SWITCHOVER)


def test_after_a_mark_of_giving_up_nothing_goes_forward():
    history = [*PAUSED, entry("switchover", "undo", "intent")]
    for wish in Wish:
        verdict = decide(history, wish)
        assert isinstance(verdict, Undo)
        assert verdict.steps == (Step.FENCE,)
    undone = [*history, entry("switchover", "undo fence", "done")]
    assert decide(undone, Wish.SWITCHOVER).steps == ()
    assert decide([*undone, entry("switchover", "undo", "done")], Wish.SWITCHOVER) == Begin(
        decide(undone, Wish.UNDO).attempt.way
    )


def test_the_way_back_waits_for_the_rest_of_the_way_forth():
    verdict = decide(COMMITTED, Wish.SWITCHBACK)
    assert isinstance(verdict, Do)
    assert verdict.verb == "switchover"
    assert isinstance(decide(COMMITTED, Wish.UNDO), Refused)


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ([entry("switchover", "fence", "intent")], "without a beginning"),
        ([*PAUSED, entry("switchback", "fence", "done")], "without a beginning"),
        ([*PAUSED, entry("switchover", "dance", "done")], "no step"),
        ([*PAUSED, entry("switchover", "undo fence", "done")], "before the attempt was given up"),
        ([*PAUSED, entry("switchover", "undo", "intent"), entry("switchover", "commit", "done")], "went forward"),
        ([*PAUSED, entry("switchover", "undo", "intent"), entry("switchover", "undo", "done")], "before everything"),
        ([*COMMITTED, entry("switchover", "undo", "intent")], "after the point of no return"),
        ([*PAUSED, entry("finalize", "finalize", "intent")], "while it was in use"),
    ],
)
def test_a_journal_that_contradicts_itself_stops_everything(history, words):
    for wish in Wish:
        verdict = decide(history, wish)
        assert isinstance(verdict, Refused)
        assert words in verdict.reason


def test_loss_is_accepted_for_one_attempt_only():
    history = [*COMMITTED]
    history += [entry("switchover", step, "done") for step in Step if step not in (Step.COMMIT, Step.FINALIZE)]
    state = fold(history)
    assert (state.writer, state.attempt) == ("target", None)
    with_loss = fold([*history, entry("switchback", "begin", "note", accept_loss=3)]).attempt
    assert Step.DRAIN not in with_loss.steps
    again = fold([*history, entry("switchback", "begin", "note", accept_loss=3), entry("switchback", "begin", "note")])
    assert again.attempt.accept_loss is None
    assert decide(history, Wish.SWITCHOVER) == Finished("target")
