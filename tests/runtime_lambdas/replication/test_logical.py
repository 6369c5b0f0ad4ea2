"""Both directions of PostgreSQL's own replication, between real servers of different majors, under load."""

import json
import os
import signal
import time
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from paymig.embedded.postgres import VOLATILE, Postgres
from runtime_lambdas.runtime.replication import heartbeat, publication, slot, subscription
from runtime_lambdas.runtime.replication.engine import Broken, NotReady
from tests.runtime_lambdas.replication.pair import PAIRS, SETTINGS, Load, Pair, continue_numbers, fill, until


def test_a_load_under_way_and_the_changes_after_it(pair):
    fill(pair.source, 5000)
    engine = pair.forward()
    assert engine.progress().state == "absent"
    with Load(pair.login("source", "application")) as load:
        engine.prepare()
        engine.start()
        until(lambda: engine.progress().loaded)
        until(lambda: len(load.acknowledged) > 100)
    assert not load.failures
    engine.marker(10)
    assert pair.source.digest() == pair.target.digest()
    rows = pair.target.digest()["payments"][0]
    assert rows == 5000 + len(load.acknowledged)
    progress = engine.progress()
    assert (progress.state, progress.problems) == ("replicating", ())
    states = {one.table: one for one in progress.tables}
    assert {one.state for one in states.values()} == {"replicating"}
    for table in ("public.payments", "public.transactions"):
        assert states[table].rows >= 5000
        assert states[table].bytes > 0
    lag = engine.lag()
    assert lag.arrived
    assert lag.bytes is not None


def test_there_and_back_and_there_again_without_a_loop(pair):
    forward = pair.loaded()
    back = pair.back(forward)
    filters = pair.source.server.version >= "16"
    with Load(pair.login("source", "application")) as first:
        back.prepare()
        until(lambda: len(first.acknowledged) > 50)
    forward.marker(10)
    turn(pair.target, forward, back, filters)
    pair.open_target()
    with Load(pair.login("target", "api")) as second:
        until(lambda: len(second.acknowledged) > 50)
    back.marker(10)
    assert pair.source.digest() == pair.target.digest()
    turn(pair.source, back, forward, filters)
    with Load(pair.login("source", "application")) as third:
        until(lambda: len(third.acknowledged) > 50)
    forward.marker(10)
    assert not first.failures + second.failures + third.failures
    assert pair.source.digest() == pair.target.digest()
    made = sum(len(load.acknowledged) for load in (first, second, third))
    assert pair.target.digest()["payments"][0] == 500 + made
    for engine in (forward, back) if filters else (forward,):
        assert engine.progress().problems == ()
    until(lambda: still(pair), 10)  # a change that goes round never ends


def turn(side, drained, begins, filters):
    """Let `side` be the writer; nobody writes."""
    if not filters:
        drained.pause()
        begins.position()
    begins.start()
    begins.marker(10)
    continue_numbers(side)


def still(pair) -> bool:
    """Whether nothing was written for longer than workers keep their statistics to themselves."""
    before = [writes(side) for side in (pair.source, pair.target)]
    time.sleep(1.2)
    return before == [writes(side) for side in (pair.source, pair.target)]


def writes(side) -> int:
    return side.run("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables")[0][0]


@pytest.mark.parametrize("pair", [PAIRS["15-18"]], indirect=True, ids=["15-18"])
def test_what_was_written_before_the_position_does_not_come_back(pair):
    forward = pair.loaded()
    back = pair.back(forward)
    back.prepare()
    with Load(pair.login("source", "application")) as load:
        until(lambda: len(load.acknowledged) > 20)
    forward.marker(10)
    until(lambda: still(pair), 10)
    before = writes(pair.source)
    turn(pair.target, forward, back, filters=False)
    until(lambda: still(pair), 10)
    assert writes(pair.source) - before <= 4, "beats alone came back"


def test_killed_workers_and_senders_go_on_by_themselves(pair):
    engine = pair.loaded()
    with Load(pair.login("source", "application")) as load:
        for _ in range(3):
            pair.target.run("SELECT pg_terminate_backend(pid) FROM pg_stat_subscription WHERE pid IS NOT NULL")
            pair.source.run("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
            more = len(load.acknowledged) + 20
            until(lambda: len(load.acknowledged) > more)  # noqa: B023
    until(lambda: not engine.progress().problems)
    engine.marker(20)
    assert pair.source.digest() == pair.target.digest()
    assert pair.target.digest()["payments"][0] == 500 + len(load.acknowledged)


def test_a_pause_keeps_the_place(modern):
    engine = modern.loaded()
    engine.pause()
    engine.pause()
    assert engine.progress().state == "paused"
    with Load(modern.login("source", "application")) as load:
        until(lambda: len(load.acknowledged) > 20)
    with pytest.raises(NotReady, match="is not on the target after"):
        engine.marker(0.5)
    assert modern.target.digest()["payments"][0] == 500
    lag = engine.lag(0.1)
    assert not lag.arrived
    assert lag.bytes > 1000
    engine.start()
    engine.marker(10)
    assert modern.source.digest() == modern.target.digest()


def test_a_slot_that_is_gone_is_refused(modern):
    engine = modern.loaded()
    recorded = engine.identity()
    engine.verify(recorded)
    lose_slot(modern, engine)
    for verb in (
        engine.identity,
        engine.resume,
        engine.start,
        lambda: engine.verify(recorded),
        lambda: engine.marker(5),
    ):
        with pytest.raises(Broken, match="is gone"):
            verb()
    assert engine.progress().state == "failed"
    assert "has no slot" in engine.progress().problems[0]


def test_a_slot_that_was_made_anew_is_refused(modern):
    engine = modern.loaded()
    lose_slot(modern, engine)
    with Load(modern.login("source", "application")) as load:
        until(lambda: len(load.acknowledged) > 20)
    modern.source.transact("admin", lambda cursor: heartbeat.beat(cursor, "source"))
    modern.source.run("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", engine.name)
    modern.target.run(f"ALTER SUBSCRIPTION {engine.name} ENABLE")
    until(lambda: modern.source.run("SELECT 1 FROM pg_stat_replication WHERE application_name = %s", engine.name))
    with pytest.raises(Broken, match="was lost"):
        engine.marker(30)
    assert modern.source.digest() != modern.target.digest(), "what the beats say is true"
    missing = [
        row[0] for row in modern.source.run("SELECT id::text FROM payments WHERE NOT idempotency_key LIKE 'old%'")
    ]
    assert set(missing) == set(load.acknowledged)


def lose_slot(pair, engine):
    """What an administrator does whose disk is full: the reader is cut off and its slot dropped."""
    pair.target.run(f"ALTER SUBSCRIPTION {engine.name} DISABLE")
    until(
        lambda: pair.source.run("SELECT NOT active FROM pg_replication_slots WHERE slot_name = %s", engine.name)[0][0]
    )
    pair.source.run("SELECT pg_drop_replication_slot(%s)", engine.name)


def test_another_cluster_and_another_subscription_are_refused(modern):
    engine = modern.loaded()
    recorded = engine.identity()
    json.dumps(recorded.to_json())
    with pytest.raises(Broken, match="another cluster"):
        engine.verify(replace(recorded, server="7" * 19))
    with pytest.raises(Broken, match="went back in time"):
        engine.verify(replace(recorded, position="FFFFFFFF/0"))
    engine.retire()
    assert modern.source.run("SELECT count(*) FROM pg_replication_slots WHERE database = %s", modern.source.name) == [
        (0,)
    ]
    assert modern.source.run("SELECT count(*) FROM pg_publication") == [(0,)]
    modern.target.run("TRUNCATE payments CASCADE")
    engine.prepare()
    engine.start()
    until(lambda: engine.progress().loaded)
    engine.marker(10)
    assert modern.source.digest() == modern.target.digest()
    with pytest.raises(Broken, match="not the one that was recorded"):
        engine.verify(recorded)


def test_a_start_that_died_anywhere_is_finished_by_the_next(modern, monkeypatch):
    fill(modern.source, 100)
    engine = modern.forward()
    with pytest.raises(NotReady, match="was not prepared"):
        engine.start()

    class Killed(BaseException):
        pass

    def die(*_, **__):
        raise Killed

    for module, name in ((publication, "publish"), (slot, "create"), (subscription, "create")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, die)
            with pytest.raises(Killed):
                engine.prepare()
                engine.start()
    again = modern.forward()
    again.prepare()
    again.start()
    until(lambda: again.progress().loaded)
    again.marker(10)
    assert modern.source.digest() == modern.target.digest()
    assert modern.source.run(
        "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE %s", f"{engine.name}%"
    ) == [(1,)]


ROW = "INSERT INTO payments SELECT gen_random_uuid(), 'twice', 'd', 'Zoë', NULL, 1, 'EUR', 'captured'"
STICKS = "SELECT subenabled, subdisableonerr FROM pg_subscription WHERE subname = %s"


def test_a_change_that_can_not_be_applied_is_told_until_it_can_and_then_it_goes_on_by_itself(pair):
    engine = pair.loaded()
    pair.target.run(ROW)
    pair.source.run(ROW)
    query = "SELECT apply_error_count FROM pg_stat_subscription_stats WHERE subname = %s"
    until(lambda: pair.target.run(query, engine.name) > [(2,)])
    for _ in range(10):  # whether a worker is just trying again or not
        progress = engine.progress()
        assert progress.state == "failed"
        assert not progress.loaded
        [problem] = progress.problems
        assert "times that applying broke off" in problem
        assert "it goes on by itself" in problem
    with pytest.raises(NotReady, match="times that applying broke off"):
        engine.marker(0.5)
    assert not engine.lag(0.5).arrived
    pair.target.run("DELETE FROM payments WHERE idempotency_key = 'twice'")
    engine.marker(10)
    assert pair.source.digest() == pair.target.digest()
    progress = engine.progress()
    assert (progress.state, progress.problems) == ("replicating", ())


def test_a_load_that_can_not_succeed_is_told_and_then_it_goes_on_by_itself(modern):
    modern.target.run("ALTER TABLE payments ADD CONSTRAINT small CHECK (amount < 50)")
    fill(modern.source, 100)
    engine = modern.forward()
    engine.prepare()
    engine.start()
    until(lambda: "The load of public.payments broke off" in " ".join(engine.progress().problems))
    assert engine.progress().state in ("failed", "loading")
    modern.target.run("ALTER TABLE payments DROP CONSTRAINT small")
    until(lambda: engine.progress().loaded)
    engine.marker(10)
    assert modern.source.digest() == modern.target.digest()


def test_a_subscription_that_an_error_would_disable_is_altered(pair):
    engine = pair.loaded()
    for mend in (engine.prepare, engine.start):
        pair.target.run(f"ALTER SUBSCRIPTION {engine.name} SET (disable_on_error = true)")
        assert pair.target.run(STICKS, engine.name) == [(True, True)]
        mend()
        assert pair.target.run(STICKS, engine.name) == [(True, False)]
    pair.target.run(f"ALTER SUBSCRIPTION {engine.name} DISABLE")
    [problem] = engine.progress().problems
    assert "was disabled" in problem
    engine.start()
    engine.marker(10)


@pytest.mark.parametrize(("older", "which"), [(16, "publisher"), (15, "publisher"), (16, "subscriber")])
def test_a_server_that_dies_under_load_is_followed_again_by_itself(servers, older, which):
    durable = {name: value for name, value in SETTINGS.items() if name not in VOLATILE}
    publishes = which == "publisher"
    with Postgres.start(older if publishes else 18, {**durable, "fsync": "off"}) as dying:
        pair = Pair(dying, servers[18]) if publishes else Pair(servers[older], dying)
        try:
            engine = pair.loaded()
            pair.target.run("SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'test', 'on the disk')")
            with Load(pair.login("source", "application")) as load:
                for _ in range(2):
                    made = len(load.acknowledged)
                    until(lambda made=made: len(load.acknowledged) > made + 50)
                    dying.kill()
                    dying.restart()
                    engine.close()
                    made = len(load.acknowledged)
                    until(lambda made=made: len(load.acknowledged) > made + 50)
            assert bool(load.failures) == publishes  # its connections did break
            until(lambda: engine.progress().state == "replicating")
            engine.marker(20)
            assert pair.source.digest() == pair.target.digest()
            paid = {id_ for (id_,) in pair.target.run("SELECT id::text FROM payments")}
            assert paid >= set(load.acknowledged)
            progress = engine.progress()
            assert (progress.state, progress.problems) == ("replicating", ())
            assert pair.target.run(STICKS, engine.name) == [(True, False)]
        finally:
            pair.end()


def test_a_beat_is_no_proof_of_a_table_that_a_server_s_death_put_back(servers):
    """The end of a table's load is committed without waiting for the disk, and by then its slot is dropped.

    A server that dies there comes back to a load that can never be ended: the table stays as it is, while the
    heartbeat, a table like any other, is followed as before.
    """
    with Postgres.start(18, {**SETTINGS, "autovacuum": "off"}) as dying:
        pair = Pair(servers[16], dying)
        try:
            fill(pair.source, 500)
            engine = pair.forward()
            engine.prepare()
            die_at_the_end_of_a_load(pair, engine, "transactions")
            pair.source.run(ROW)
            pair.source.run(
                "INSERT INTO transactions (payment_id, account, amount, currency)"
                " SELECT id, 'merchant', 1, 'EUR' FROM payments WHERE idempotency_key = 'twice'"
            )
            until(lambda: pair.target.run("SELECT 1 FROM payments WHERE idempotency_key = 'twice'"))
            with pytest.raises(NotReady, match=r"with every change before it: public\.transactions did not keep up"):
                engine.marker(2)
            beats = "SELECT beat FROM paymig.heartbeat WHERE side = 'source'"
            assert pair.target.run(beats) == pair.source.run(beats), "the beat itself did arrive"
            assert pair.target.digest()["transactions"][0] == 500, "what it would have proved is not true"
            assert not engine.lag(0.5).arrived
            until(lambda: "its slot on the source is gone" in " ".join(engine.progress().problems))
            assert engine.progress().state != "replicating"
            engine.retire()
            pair.target.run("TRUNCATE payments CASCADE")
            engine.prepare()
            engine.start()
            until(lambda: engine.progress().loaded)
            engine.marker(20)
            assert pair.source.digest() == pair.target.digest()
        finally:
            pair.end()


def die_at_the_end_of_a_load(pair, engine, table):
    """Kill the target's server when its load of a table has ended, and before that is on the disk."""
    source, target = pair.source, pair.target

    def state(name: str) -> str:
        [(found,)] = target.run("SELECT srsubstate::text FROM pg_subscription_rel WHERE srrelid = %s::regclass", name)
        return found

    def followed(name: str) -> bool:
        source.transact("admin", lambda cursor: heartbeat.beat(cursor, "source"))
        return state(name) == "r"

    with closing(target.server.connect(target.name)) as first, closing(target.server.connect(target.name)) as second:
        first.cursor().execute(f"BEGIN; LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        engine.start()
        until(lambda: followed("paymig.heartbeat") and followed("payments"))
        # The main worker waits for this lock, and the table's own worker for the main one, until both are let go.
        second.cursor().execute("BEGIN; LOCK TABLE paymig.heartbeat IN SHARE ROW EXCLUSIVE MODE")
        source.transact("admin", lambda cursor: heartbeat.beat(cursor, "source"))
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'paymig.heartbeat'::regclass"
        until(lambda: target.run(waiting))
        first.cursor().execute("ROLLBACK")
        until(lambda: state(table) == "f")
        target.run(
            "SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'test', 'all this is on the disk')"
        )
        [(writer,)] = target.run("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
        os.kill(writer, signal.SIGSTOP)  # and nothing after it is
        second.cursor().execute("ROLLBACK")
        loads = (
            "SELECT 1 FROM pg_replication_slots WHERE database = current_database() AND slot_name LIKE 'pg_%_sync_%'"
        )
        until(lambda: not source.run(loads))
    target.server.kill()
    target.server.restart()
    engine.close()
    assert state(table) == "f"


def test_what_can_not_be_replicated_is_refused_before_anything_is_done(modern):
    modern.source.transact(
        "admin", lambda cursor: cursor.execute("CREATE UNLOGGED TABLE quick (id int); CREATE TABLE notes (body json)")
    )
    with pytest.raises(NotReady, match=r"notes has no primary key, and its columns body .*quick is unlogged"):
        modern.forward().prepare()
    assert modern.source.run("SELECT relreplident::text FROM pg_class WHERE relname = 'notes'") == [("d",)]
    with pytest.raises(NotReady, match=r"no table of the source matches public\.none%"):
        modern.forward(include=("public.none%",)).prepare()


def test_a_table_that_gets_an_identity_is_not_locked_while_another_one_is_waited_for(modern):
    """Nobody writes to it meanwhile: a start is no pause."""
    modern.source.transact(
        "admin", lambda cursor: cursor.execute("CREATE TABLE first (n int); CREATE TABLE held (n int)")
    )
    with closing(modern.source.server.connect(modern.source.name)) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN; SELECT FROM held")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            modern.forward().prepare()
    assert modern.source.run("SELECT relname FROM pg_class WHERE relreplident = 'f'") == [("first",)]


def test_a_target_that_is_not_alike_or_not_empty_is_refused(modern):
    engine = modern.forward(exclude=("public.quick", "public.notes"))
    engine.prepare()
    modern.target.run("INSERT INTO payments SELECT gen_random_uuid(), 'here', 'd', 'Zoë', NULL, 1, 'EUR', 'captured'")
    with pytest.raises(NotReady, match=r"public\.payments on the target hold rows already"):
        engine.start()
    modern.target.run("DROP TABLE transactions CASCADE")
    with pytest.raises(NotReady, match=r"the target has no table public\.transactions"):
        engine.start()
    modern.target.run("TRUNCATE payments CASCADE; ALTER TABLE payments DROP CONSTRAINT payments_pkey CASCADE")
    modern.restore_schema("CREATE TABLE transactions (LIKE payments)")
    with pytest.raises(NotReady, match=r"primary keys of public\.payments, public\.transactions differ"):
        engine.start()


LATE = """
CREATE TABLE late (id int PRIMARY KEY DEFERRABLE, said text);
CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted DEFAULT;
"""


def test_a_key_that_is_checked_late_is_none_to_the_log(pair):
    """With it for an identity, the application's own UPDATE would fail as soon as the table is published."""
    pair.source.transact("admin", lambda cursor: cursor.execute(LATE))
    pair.restore_schema(LATE)
    pair.source.run("INSERT INTO late VALUES (1, 'a'), (2, 'b'), (3, 'c'); ALTER TABLE part REPLICA IDENTITY NOTHING")
    pair.source.run("INSERT INTO parted VALUES (1), (2)")
    engine = pair.loaded()
    pair.source.run("UPDATE late SET said = 'd' WHERE id = 1; DELETE FROM late WHERE id = 2")
    pair.source.run("UPDATE parted SET id = 5 WHERE id = 1; DELETE FROM parted WHERE id = 2")
    engine.marker(10)
    assert pair.source.digest("late", "parted") == pair.target.digest("late", "parted")
    assert pair.target.digest("late")["late"][0] == 2


def test_a_partition_that_is_not_logged_is_refused(modern):
    unlogged = LATE.replace("CREATE TABLE part ", "CREATE UNLOGGED TABLE part ")
    modern.source.transact("admin", lambda cursor: cursor.execute(unlogged))
    with pytest.raises(NotReady, match=r"public\.part is unlogged"):
        modern.forward().prepare()
    assert modern.source.run("SELECT relreplident::text FROM pg_class WHERE relname = 'late'") == [("d",)]


KEYLESS = """
CREATE TABLE audit (at timestamptz, said text);
CREATE TABLE events (at date, said text) PARTITION BY RANGE (at);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2026-01-01');
CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2030-01-01');
"""


def test_tables_without_a_key_and_partitions_follow_too(pair):
    pair.source.transact("admin", lambda cursor: cursor.execute(KEYLESS))
    pair.restore_schema(KEYLESS)
    pair.source.run("INSERT INTO audit VALUES ('2026-01-01', 'a'), ('2026-01-01', 'a'), ('2026-01-02', 'b')")
    pair.source.run("INSERT INTO events VALUES ('2025-05-05', 'a'), ('2026-05-05', 'b')")
    engine = pair.loaded()
    pair.source.run("UPDATE audit SET said = 'c' WHERE said = 'b'; DELETE FROM events WHERE said = 'a'")
    pair.source.run("UPDATE events SET at = '2025-06-06'; TRUNCATE payments CASCADE")
    engine.marker(10)
    tables = ("audit", "events", "payments", "transactions")
    assert pair.source.digest(*tables) == pair.target.digest(*tables)
    assert pair.target.digest("audit")["audit"][0] == 3


def test_no_password_is_left_where_others_read(modern):
    password = modern.login("source", "admin").secret["password"]
    modern.target.run("ALTER SYSTEM SET log_statement = 'all'")
    modern.target.run("SELECT pg_reload_conf()")
    try:
        modern.grant_setting("log_statement", "log_min_error_statement")
        engine = modern.loaded(10)
        engine.resume()
        with pytest.raises(psycopg2.Error) as caught:
            modern.target.transact(
                "control",
                lambda cursor: subscription.create(
                    cursor, engine.name, f"password='{password}'", copy=True, origin_none=True, enabled=True
                ),
            )
    finally:
        modern.target.run("ALTER SYSTEM RESET log_statement")
        modern.target.run("SELECT pg_reload_conf()")
    assert password not in str(caught.value)
    assert "SELECT EXISTS (SELECT FROM" in modern.target.server.log, "statements were logged"
    assert password not in modern.target.server.log.replace("''", "'")
