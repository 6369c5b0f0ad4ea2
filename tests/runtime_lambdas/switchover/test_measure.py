"""What the length of a pause depends on, measured at two real servers while applications write."""

from contextlib import closing

from runtime_lambdas.runtime.comparison import Invariant
from runtime_lambdas.switchover.phases import FORTH
from tests.runtime_lambdas.replication.pair import Load, until
from tests.runtime_lambdas.switchover.stage import WRITER, pay

SLEEPS = Invariant("slow", "SELECT count(*) FROM payments, pg_sleep(0.2)")


def test_what_a_pause_depends_on_is_measured(stage):
    stage.load()
    idle = stage.databases().measure(FORTH)
    assert idle.lag is not None and idle.lag > 0
    assert (idle.invariants, idle.writers, idle.oldest_writer) == (0.0, 0, None)
    with closing(stage.pair.login("source", WRITER["source"]).open()) as slow, slow.cursor() as cursor:
        pay(cursor, "slow")
        with Load(stage.pair.login("source", "application")) as load:
            until(lambda: stage.databases().measure(FORTH).writes > 0)  # statistics come late
            found = stage.databases(invariants=[SLEEPS]).measure(FORTH)
        stage.pair.source.run(f"GRANT pg_read_all_stats TO {stage.pair.login('source', 'admin').user}")
        assert stage.databases().measure(FORTH).oldest_writer > 0
        slow.rollback()
    assert load.acknowledged
    assert found.writers >= 1
    assert found.oldest_writer is None, "whose session it is, this login may not see"
    # Three looks at 0.2 s each: the writer's, the other side's, and the writer's again.
    assert found.invariants >= 0.6


def test_what_a_side_does_not_bring_has_no_figure(stage):
    stage.load()
    stage.pair.engines[-1].pause()
    assert stage.databases(lag=0.2).measure(FORTH).lag is None


def test_nothing_is_changed_by_measuring(stage):
    stage.load()
    before = [(base.digest(), base.run("SELECT count(*) FROM pg_publication")) for base in both(stage)]
    slots = [base.run("SELECT count(*) FROM pg_replication_slots") for base in both(stage)]
    stage.databases(invariants=[SLEEPS]).measure(FORTH)
    assert [(base.digest(), base.run("SELECT count(*) FROM pg_publication")) for base in both(stage)] == before
    assert [base.run("SELECT count(*) FROM pg_replication_slots") for base in both(stage)] == slots
    assert stage.steps() == []
    assert stage.writers() == ["source"]


def both(stage):
    return stage.pair.source, stage.pair.target
