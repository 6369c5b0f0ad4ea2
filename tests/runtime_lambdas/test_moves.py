"""Moving the writer against a model of the world: what must hold at every moment, whatever happens to whom."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.switchover.actions import GivenUp, MoveRefused, Outcome, Superseded
from runtime_lambdas.switchover.decide import Begin, Do, Finished, Refused, Undo, Wish, decide
from runtime_lambdas.switchover.history import fold
from runtime_lambdas.switchover.phases import Step
from tests.profiles import PROFILE
from tests.runtime_lambdas.moves import BUDGET, Operator, World

pytestmark = pytest.mark.long
WISHES = [Wish.SWITCHOVER, Wish.SWITCHOVER, Wish.SWITCHBACK, Wish.UNDO]


def finish(world, wish):
    """Run a command to its end, undisturbed."""
    operator = Operator(world, wish)
    while not operator.ended:
        operator.go()
    return operator


FATES = ["go", "kill", "fail", "late", "deliver", "spend", "come"]
EVENTS = st.tuples(st.integers(0, 60), st.sampled_from(FATES), st.integers(0, 7))
"""So many acts of an operator undisturbed, then what happens, and to whom."""


def play(world, tape):
    """Let operators come, act, fail and die as the tape says; return those who are still there."""
    operators = [Operator(world, Wish.SWITCHOVER)]
    for acts, fate, whom in tape:
        alive = [operator for operator in operators if not operator.ended]
        if not alive or (fate == "come" and len(alive) < 3):
            operators.append(Operator(world, WISHES[whom % len(WISHES)]))
            continue
        chosen = alive[-1] if whom < 5 else alive[whom % len(alive)]  # as a rule, who came last
        while acts and not chosen.ended:
            chosen.go()
            acts -= 1
        if fate == "deliver":
            world.deliver(whom)
        elif fate == "spend":
            world.seconds += BUDGET / 2
        elif not chosen.ended:
            chosen.go("go" if fate == "come" else fate)
    return [operator for operator in operators if not operator.ended]


HISTORIES = 30_000 if PROFILE == "campaign" else 3_000
KINDS = {
    "an operator was killed": lambda world, _: any(" kill" in act for act in world.trace),
    "an act failed": lambda world, _: any(" fail" in act for act in world.trace),
    "nobody knew of an act": lambda world, _: any(" late" in act for act in world.trace),
    "somebody took over": lambda world, _: world.token > 1,
    "two operators were there at once": lambda _, sleepers: len(sleepers) > 1,
    "a fence was built": lambda world, _: any(entry.step == Step.FENCE for entry in world.entries),
    "a move was given up": lambda world, _: any(entry.step == "undo" for entry in world.entries),
    "the writer moved": lambda world, _: world.epoch > 0,
    "the writer moved back": lambda world, _: world.epoch > 1,
    "it stopped with both fenced": lambda world, _: not any(base.writable for base in world.bases.values()),
    "it stopped past the point of no return": lambda world, _: beyond(world),
}


def beyond(world):
    attempt = fold(world.entries).attempt
    return attempt is not None and attempt.committed


def test_never_two_writers_and_one_in_the_end():
    seen = Counter()

    @settings(max_examples=HISTORIES, suppress_health_check=list(HealthCheck))
    @given(st.lists(EVENTS, max_size=16), st.sampled_from(WISHES), st.booleans())
    @example([(40, "kill", 0), (0, "come", 1)], Wish.SWITCHOVER, False)
    def holds(tape, wish, late):
        world = World()
        sleepers = play(world, tape)
        seen.update(["histories", *(kind for kind, happened in KINDS.items() if happened(world, sleepers))])
        if not late:
            while_alive(sleepers)
        complete(world, wish)
        world.at_rest()
        while_alive(sleepers)  # who slept through it wakes up, and calls arrive that were lost: they can do no harm
        world.at_rest()
        while world.on_their_way:
            world.deliver(0)
        world.at_rest()

    holds()
    assert seen["histories"] >= HISTORIES
    assert [kind for kind in KINDS if seen[kind] < HISTORIES / 50] == [], seen  # none of it by chance alone


def complete(world, wish):
    """Run one last command to its end, and hold it to its word."""
    last = finish(world, wish)
    assert last.failure is None or isinstance(last.failure, MoveRefused | GivenUp), world.trace
    if last.failure is None:
        assert isinstance(last.outcome, Outcome)
        wanted = {Wish.SWITCHOVER: "target", Wish.SWITCHBACK: "source"}.get(wish, world.writer)
        assert last.outcome.writer == world.writer == wanted
    elif isinstance(last.failure, MoveRefused):  # only to undo what is beyond the point of no return
        assert wish is Wish.UNDO
        finish(world, Wish.SWITCHOVER if world.writer == "target" else Wish.SWITCHBACK)


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


def test_a_commit_whose_answer_is_lost_is_found_once_the_journal_answers_again():
    """Until it does nobody knows which side is the writer, and to give up would be to leave both sides closed."""
    world = World()
    operator = Operator(world, Wish.SWITCHOVER)
    while world.epoch == 0:
        operator.go()
    for _ in range(10):
        operator.go("fail")
        assert not operator.ended, operator.failure
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
