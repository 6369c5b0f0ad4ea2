"""A fault on each side, both ways: the writer stays where it was, or moves; there is always one, and the error why."""

from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import psycopg2
import pytest

from runtime_lambdas.runtime.refused import Refused
from runtime_lambdas.switchover.actions import GivenUp
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.phases import Step
from runtime_lambdas.switchover.privileges import NotFenced
from runtime_lambdas.switchover.sides import OWNER
from tests.runtime_lambdas.proxy import proxy
from tests.runtime_lambdas.replication.pair import until
from tests.runtime_lambdas.switchover.stage import WRITER, Stage, from_elsewhere, pay

FULL = """
CREATE FUNCTION paymig.full() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RAISE disk_full USING MESSAGE = ''could not extend file: No space left on device''; END';
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION paymig.full();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER full_disk;
"""
ROOM = "DROP FUNCTION paymig.full() CASCADE"


class Move(NamedTuple):
    """A move that is about to be made."""

    stage: Stage
    wish: Wish
    old: str
    new: str

    def base(self, side: str):
        return getattr(self.stage.pair, side)

    def application(self):
        """Return a session of the application at the old writer."""
        return self.stage.pair.login(self.old, WRITER[self.old]).open()

    def make(self, step: Step | None = None, meanwhile=lambda: None, **changed):
        """Make it; `meanwhile` is called before each attempt at a step."""
        databases = self.stage.databases(**changed)
        do = databases.do

        def disturbed(way, doing, attempt, pause):
            if doing is step:
                meanwhile()
            return do(way, doing, attempt, pause)

        databases.do = disturbed
        return self.stage.move(self.wish, databases=databases, **changed)

    def fenced(self) -> bool:
        """Tell whether a fence was so much as intended."""
        return any(
            (entry.verb, entry.step, entry.kind) == (self.wish, Step.FENCE, "intent")
            for entry in self.stage.journal().entries()
        )

    def made(self) -> None:
        """Make it undisturbed: what went wrong before left nothing behind."""
        assert self.stage.writers() == [self.old]
        assert self.make().writer == self.new
        assert self.stage.writers() == [self.new]


@pytest.fixture(params=[Wish.SWITCHOVER, Wish.SWITCHBACK])
def move(request, stage) -> Move:
    stage.load()
    if request.param is Wish.SWITCHOVER:
        return Move(stage, request.param, "source", "target")
    stage.move(Wish.SWITCHOVER)
    return Move(stage, request.param, "target", "source")


def test_a_superuser_s_session_stops_it_before_the_pause(move):
    base = move.base(move.old)
    with closing(base.server.connect(base.name)) as superuser:
        with pytest.raises(NotFenced, match="sessions of them"):
            move.make()
        assert superuser.closed == 0
    assert not move.fenced()
    move.made()


def test_a_superuser_who_comes_at_the_fence_ends_the_pause(move):
    base, sessions = move.base(move.old), []
    with pytest.raises(GivenUp, match="sessions of them"):
        move.make(Step.FENCE, lambda: sessions.append(base.server.connect(base.name)))
    sessions.pop().close()
    there = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'postgres' AND backend_type = 'client backend'"
    there += " AND datname = current_database() AND pid <> pg_backend_pid()"
    until(lambda: base.run(there) == [(0,)])
    move.made()


def test_a_long_transaction_ends_the_pause_and_not_the_payments(move):
    with closing(move.application()) as slow, slow.cursor() as cursor:
        # Once everything is prepared: slots wait for open transactions, too.
        with pytest.raises(GivenUp, match="began to write before the fence and has not ended") as raised:
            move.make(Step.FENCE, partial(pay, cursor, "slow"), pause_budget=1.0)
        assert raised.value.writer == move.old
        assert raised.value.pause >= 1.0
        slow.commit()
    assert move.stage.steps()[-3:] == ["undo reverse done", "undo fence done", "undo done"]
    move.made()
    assert move.base(move.new).run("SELECT count(*) FROM payments WHERE idempotency_key = 'slow'") == [(1,)]


def test_a_prepared_transaction_is_named(move):
    def prepare():
        with closing(move.application()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("BEGIN")
            pay(cursor, "two phases")
            cursor.execute("PREPARE TRANSACTION 'till-7'")

    try:
        with pytest.raises(GivenUp, match="prepared transaction till-7"):
            move.make(Step.FENCE, prepare, pause_budget=0.5)
    finally:
        move.base(move.old).run("COMMIT PREPARED 'till-7'")
    move.made()
    assert move.base(move.new).run("SELECT count(*) FROM payments WHERE idempotency_key = 'two phases'") == [(1,)]


def test_replication_that_was_paused_stops_it_before_the_pause(move):
    engine = move.stage.pair.forward()
    engine = engine if move.old == "source" else move.stage.pair.back(engine)
    engine.pause()
    with pytest.raises(Refused, match=f"from the {move.old} to the {move.new} is paused"):
        move.make()
    assert not move.fenced()
    engine.resume()
    until(lambda: engine.progress().state == "replicating" and engine.lag(5).arrived)
    move.made()


def test_a_worker_that_dies_of_a_row_ends_the_pause(move):
    """The row is there already, so the worker dies of it whenever it is started again."""

    insert = "INSERT INTO payments (id, idempotency_key, request_digest, merchant, amount, currency, status)"
    insert += " VALUES ('00000000-0000-4000-8000-000000000007', '{}', 'x', 'shop', 1, 'EUR', 'captured')"

    def collide():
        from_elsewhere(move.base(move.new), insert.format("theirs"))
        with closing(move.application()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(insert.format("ours"))

    with pytest.raises(GivenUp, match=f"beat \\d+ of the {move.old} is not on the {move.new}"):
        move.make(Step.FENCE, collide, pause_budget=1.0)
    from_elsewhere(move.base(move.new), "DELETE FROM payments WHERE idempotency_key = 'theirs'")
    until(lambda: move.base(move.new).run("SELECT count(*) FROM payments WHERE idempotency_key = 'ours'") == [(1,)])
    move.made()


def test_a_full_disk_at_the_new_writer_ends_the_pause(move):
    def fill():
        move.base(move.new).run(FULL.format(table="transactions"))
        with closing(move.application()) as connection, connection, connection.cursor() as cursor:
            pay(cursor, "does not fit")

    with pytest.raises(GivenUp, match=f"beat \\d+ of the {move.old} is not on the {move.new}"):
        move.make(Step.FENCE, fill, pause_budget=1.0)
    move.base(move.new).run(ROOM)
    arrived = "SELECT count(*) FROM payments WHERE idempotency_key = 'does not fit'"
    until(lambda: move.base(move.new).run(arrived) == [(1,)])  # the worker is started again every few seconds
    move.made()
    assert move.base(move.new).run(arrived) == [(1,)]


def test_a_full_disk_at_the_old_writer_ends_the_pause(move):
    with pytest.raises(GivenUp, match="No space left on device"):
        move.make(Step.DRAIN, lambda: move.base(move.old).run(FULL.format(table="paymig.heartbeat")))
    move.base(move.old).run(ROOM)
    move.made()


def test_a_full_disk_past_the_point_of_no_return_is_waited_for(move):
    """Neither side takes writes then, so it is tried again rather than left to whoever comes next."""
    attempts = []

    def fill():
        attempts.append(1)
        if len(attempts) == 1:
            move.base(move.new).run(FULL.format(table="paymig.guard"))
        elif len(attempts) == 3:
            move.base(move.new).run(ROOM)
        assert move.stage.writers() == []

    assert move.make(Step.OPEN, fill).writer == move.new
    assert len(attempts) == 3
    assert move.stage.writers() == [move.new]


@pytest.mark.parametrize("moment", ["before the commit", "after the commit", "while the commit is on its way"])
def test_a_connection_lost_in_the_fence_s_commit_is_undone(move, moment):
    with cut(move, move.old) as between:
        with pytest.raises(GivenUp):
            move.make(Step.FENCE, partial(between.break_once, moment, delay=0.3))
        assert between.broken == 1
        move.made()


@pytest.mark.parametrize("moment", ["before the commit", "after the commit", "while the commit is on its way"])
def test_a_connection_lost_in_the_commit_that_opens_the_new_writer_is_made_good(move, moment):
    with cut(move, move.new) as between:
        once = iter([partial(between.break_once, moment, delay=0.3)])
        assert move.make(Step.OPEN, lambda: next(once, lambda: None)()).writer == move.new
        assert between.broken == 1
    assert move.stage.writers() == [move.new]


@contextmanager
def cut(move, side):
    """Lead the operator's own login to a side through a proxy."""
    base, role = move.base(side), OWNER[side]
    straight = base.logins[role]
    with proxy(base.server.port) as between:
        base.logins[role] = replace(straight, server=replace(straight.server, port=between.port))
        try:
            yield between
        finally:
            base.logins[role] = straight


def test_stragglers_are_refused_and_told_whatever_they_set(move):
    with closing(move.application()) as straggler:
        straggler.autocommit = True
        with straggler.cursor() as cursor:
            pay(cursor, "before")
            move.make()
            for attempt in (
                "SELECT 1",
                "SET default_transaction_read_only = off",
                "SET SESSION AUTHORIZATION DEFAULT",
                "RESET ROLE",
            ):
                cursor.execute(attempt)
                with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied for table"):
                    pay(cursor, f"after {attempt}")
    assert move.base(move.new).run("SELECT idempotency_key FROM payments WHERE idempotency_key !~ '^old'") == [
        ("before",)
    ]
    assert move.base(move.old).run("SELECT count(*) FROM payments WHERE idempotency_key ~ '^after'") == [(0,)]
