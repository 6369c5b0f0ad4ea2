"""The writer moves between two real servers: under load, both ways, and with a fault on each side."""

import re
import threading
import time
from contextlib import closing

import psycopg2
import pytest

from runtime_lambdas.runtime.comparison import Cut, StillOpen, session
from runtime_lambdas.runtime.refused import Refused
from runtime_lambdas.switchover import fence, probe
from runtime_lambdas.switchover.actions import GivenUp, MoveRefused, NotReady, Superseded
from runtime_lambdas.switchover.alike import Alike
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.pause import Pause
from runtime_lambdas.switchover.phases import BACK, FORTH
from runtime_lambdas.switchover.privileges import NotFenced
from runtime_lambdas.switchover.probe import Applications
from runtime_lambdas.switchover.sides import Sides
from tests.runtime_lambdas.replication.pair import until
from tests.runtime_lambdas.switchover.clients import Clients
from tests.runtime_lambdas.switchover.stage import from_elsewhere, pay

TABLES = ("payments", "transactions", "refunds")
ACLS = """
SELECT c.oid::regclass::text, a.grantor::regrole::text, a.grantee, a.privilege_type, a.is_grantable
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT a.attrelid::regclass::text || '.' || a.attname, e.grantor::regrole::text, e.grantee, e.privilege_type,
       e.is_grantable
FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) e
UNION ALL
SELECT p.oid::regprocedure::text, e.grantor::regrole::text, e.grantee, e.privilege_type, e.is_grantable
FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) e
WHERE p.pronamespace = 'public'::regnamespace
ORDER BY 1, 2, 3, 4
"""


def test_forth_and_back_and_forth_again_under_load(any_stage):
    stage = any_stage
    stage.load()
    assert stage.writers() == ["source"]
    with Clients(stage) as clients:
        for wish, writer in (
            (Wish.SWITCHOVER, "target"),
            (Wish.SWITCHBACK, "source"),
            (Wish.SWITCHOVER, "target"),
        ):
            outcome = stage.move(wish)
            assert outcome.writer == writer
            assert stage.writers() == [writer]
    clients.prove("target")
    assert clients.failures == []
    assert [step for step in stage.steps() if step == "commit done"] == ["commit done"] * 3


def test_a_table_that_the_comparison_gives_an_identity_is_not_locked_while_another_one_is_waited_for(stage):
    """Nobody writes to it meanwhile, and the pause has not begun: as under DMS, which gives tables none."""
    source = stage.pair.source
    source.transact("admin", lambda cursor: cursor.execute("CREATE TABLE first (n int); CREATE TABLE held (n int)"))
    engine = stage.pair.forward()
    with closing(Sides(stage.pair, stage.settings)) as sides:
        alike = Alike(sides, stage.settings, FORTH, engine)
        with closing(source.server.connect(source.name)) as reader, reader.cursor() as cursor:
            cursor.execute("BEGIN; SELECT FROM held")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                alike.prepare()
        alike.close()
    assert source.run("SELECT relname FROM pg_class WHERE relreplident = 'f'") == [("first",)]


def test_after_the_end_of_the_way_back_there_is_none(stage):
    stage.load()
    with pytest.raises(MoveRefused, match="the source is still the writer"):
        stage.move(Wish.FINALIZE)
    stage.move(Wish.SWITCHOVER)
    stage.move(Wish.FINALIZE)
    slots = "SELECT count(*) FROM pg_replication_slots WHERE database = %s"
    assert stage.pair.source.run(slots, stage.pair.source.name) == [(0,)]
    assert stage.pair.target.run(slots, stage.pair.target.name) == [(0,)]
    with pytest.raises(MoveRefused, match="the way back has ended"):
        stage.move(Wish.SWITCHBACK)
    assert stage.writers() == ["target"]


def test_every_way_to_write_is_fenced_and_given_back_exactly(stage):
    """Through a group, through PUBLIC, to a column, given on, through a view, and by somebody else's function."""
    stage.load()
    source, owner = stage.pair.source, stage.pair.login("source", "admin").user
    number = owner.rpartition("_")[2]
    roles = [f"{name}_{number}" for name in ("grouped", "columned", "chief", "clerk", "viewer", "caller", "setter")]
    grouped, columned, chief, clerk, viewer, caller, setter = roles
    for role in roles:
        source.server.create_role(role, "p")
    source.run(f"CREATE ROLE cashiers_{number} NOLOGIN; GRANT cashiers_{number} TO {grouped}")
    source.run(f"GRANT {chief} TO {owner}")
    source.run(f"ALTER ROLE {setter} SET default_transaction_read_only = on")
    source.run(
        f"SET ROLE {owner};"
        "CREATE VIEW public.all_payments AS SELECT * FROM payments;"
        "CREATE FUNCTION public.refund(u uuid) RETURNS void SECURITY DEFINER LANGUAGE sql"
        "  AS 'UPDATE payments SET status = ''refunded'' WHERE id = u';"
        f"GRANT INSERT, DELETE ON payments TO cashiers_{number};"
        f"GRANT SELECT, UPDATE (reference) ON payments TO {columned};"
        f"GRANT INSERT ON payments TO {chief} WITH GRANT OPTION; GRANT UPDATE ON all_payments TO {viewer};"
        f"GRANT ALL ON payments TO {setter};"
        "GRANT INSERT ON transactions TO PUBLIC; GRANT TRUNCATE ON transactions TO PUBLIC;"
        f"SET ROLE {chief}; GRANT INSERT ON payments TO {clerk}"
    )
    attempts = {
        grouped: "DELETE FROM payments WHERE false",
        columned: "UPDATE payments SET reference = 'x' WHERE false",
        chief: "INSERT INTO payments (merchant) VALUES ('m')",
        clerk: "INSERT INTO payments (merchant) VALUES ('m')",
        viewer: "UPDATE all_payments SET reference = 'x' WHERE false",
        caller: "SELECT public.refund(gen_random_uuid())",
        setter: "SET default_transaction_read_only = off; DELETE FROM payments WHERE false",
    }

    def refused():
        found = set()
        for role, statement in attempts.items():
            with closing(psycopg2.connect(source.server.dsn(source.name, role, "p"))) as connection:
                connection.autocommit = True
                try:
                    for each in statement.split(";"):
                        connection.cursor().execute(each)
                except psycopg2.errors.InsufficientPrivilege:
                    found.add(role)
                except psycopg2.errors.NotNullViolation:
                    pass
        return found

    before = source.run(ACLS)
    assert refused() == set()
    databases = stage.databases()
    databases.claim(7)
    scope = databases._sides.scope("source")
    found = fence.rehearse(databases._sides.connection("source"), scope)
    assert set(found["roles"]) >= {*roles} - {caller}
    assert source.run(ACLS) == before
    application = stage.pair.login("source", "application").user
    sessions = {**databases._sides.applications("source")}
    sessions[setter] = psycopg2.connect(source.server.dsn(source.name, setter, "p"))
    sessions[setter].autocommit = True
    who = Applications(found["roles"], sessions)
    fenced = databases._sides.connection("source")
    for role in (application, setter):
        with pytest.raises(NotFenced, match=f"{role} could still write to public.payments"), fenced.cursor() as cursor:
            probe.refused(cursor, Applications((), {role: sessions[role]}), "public.payments")
    with pytest.raises(NotFenced, match=f"{chief} could still write"), fenced.cursor() as cursor:
        probe.refused(cursor, Applications([chief]), "public.payments")
    proof = fence.raise_(fenced, scope, who, (7, 10), Pause(time.monotonic(), 5))
    assert refused() == set(attempts)
    assert stage.writers() == []
    # The others cannot be taken on from here; of them the catalogue says that they may not.
    assert proof["refused"] == sorted([application, chief, setter])
    again = fence.raise_(fenced, scope, who, (7, 11), Pause(time.monotonic(), 5))
    assert (again["privileges"], again["refused"]) == (0, proof["refused"])
    sessions[setter].close()
    assert set(fence.lower(databases._sides.connection("source"), (7, 12))["roles"]) >= {"PUBLIC", chief, clerk}
    fence.lower(databases._sides.connection("source"), (7, 13))
    assert refused() == set()
    assert [row for row in source.run(ACLS) if row[2] or row[0] != "refund(uuid)"] == [
        row for row in before if row[2] or row[0] != "refund(uuid)"
    ]
    with pytest.raises(Superseded):
        fence.lower(databases._sides.connection("source"), (6, 99))
    source.run(f"DROP OWNED BY {', '.join(roles)}, cashiers_{number}; DROP ROLE {', '.join(roles)}, cashiers_{number}")


def test_a_role_that_owns_a_table_stops_the_switchover_before_the_pause(stage):
    stage.load()
    owner, application = (stage.pair.login("source", role).user for role in ("admin", "application"))
    stage.pair.source.run(f"GRANT {owner} TO {application}")
    with pytest.raises(NotFenced, match=f"{application} could still write to .* as a member of {owner}"):
        stage.move(Wish.SWITCHOVER)
    assert "fence intent" not in stage.steps()


def test_a_row_damaged_behind_replication_s_back_is_found_before_the_pause(stage):
    stage.load()
    stage.pair.target.run("UPDATE payments SET amount = amount + 1 WHERE idempotency_key = 'old7'")
    with pytest.raises(Refused, match="payments: 1 different"):
        stage.move(Wish.SWITCHOVER)
    assert "fence intent" not in stage.steps()
    assert stage.writers() == ["source"]


@pytest.mark.parametrize(("prepared", "since"), [(False, "when only pg_read_all_stats may see"), (True, "20")])
def test_a_transaction_that_stays_open_stops_the_switchover_before_the_pause_and_is_named(
    stage, prepared, since, monkeypatch
):
    monkeypatch.setattr(session, "_PINNED", {**session._PINNED, "lock_timeout": "300ms"})
    stage.load()
    source = stage.pair.source
    with closing(source.logins["application"].open()) as open_one:
        with open_one.cursor() as cursor:
            cursor.execute("SET application_name = 'nightly'")
            pay(cursor, "never ends")
            if prepared:
                cursor.execute("PREPARE TRANSACTION 'it''s late'")
        role = source.logins["application"].user
        who = rf"the prepared transaction \"it's late\" of {role}"
        if not prepared:
            who = rf"process {open_one.info.backend_pid} of {role} \(nightly\)"
        said = f"on the source .*{who} in the database {source.name}, since {since}"
        with pytest.raises(StillOpen, match=said) as caught:
            stage.move(Wish.SWITCHOVER)
        assert "fence intent" not in stage.steps()
        assert stage.steps()[-1] == "prepare failed"
        assert stage.writers() == ["source"]
        [mend] = re.findall(r"(ROLLBACK PREPARED .*?|SELECT pg_terminate_backend.*?)[,;] ", caught.value.hint)
        source.run(mend)
    stage.move(Wish.SWITCHOVER)
    assert stage.writers() == ["target"]


def test_before_the_pause_only_what_was_written_since_the_last_comparison_is_compared(stage):
    stage.load()
    cut = Cut.from_json(stage.databases()._comparison(FORTH)._before().cut)
    stage.pair.target.run("UPDATE payments SET amount = amount + 1 WHERE idempotency_key = 'old7'")
    with pytest.raises(Refused, match="payments: 1 different"):
        stage.move(Wish.SWITCHOVER, since=lambda: cut)
    stage.pair.target.run("UPDATE payments SET amount = amount - 1 WHERE idempotency_key = 'old7'")
    stage.move(Wish.SWITCHOVER, since=lambda: cut)
    assert modes(stage) == ["changes"]
    other = cut._replace(source=cut.source._replace(database="restored"))
    stage.move(Wish.SWITCHBACK, since=lambda: other)
    assert modes(stage) == ["changes", "full"]
    assert stage.writers() == ["source"]


def test_a_table_that_replication_does_not_know_takes_updates_while_both_are_compared(stage):
    """As with DMS, where a table may have no identity: once it is published, its server would refuse them."""
    stage.load()
    sides = stage.pair.source, stage.pair.target
    made = "CREATE TABLE public.notes (said text)"
    stage.pair.source.transact("admin", lambda cursor: cursor.execute(made))
    stage.pair.restore_schema(made)
    with closing(stage.databases()._comparison(FORTH)) as comparison:
        comparison.prepare()
        for side in sides:
            side.run("INSERT INTO notes VALUES ('a'); UPDATE notes SET said = 'b'; DELETE FROM notes")
        for side in sides:
            side.run("ALTER TABLE notes ADD length int GENERATED ALWAYS AS (length(said)) STORED")
        with pytest.raises(NotReady, match=r"on the target .*public.notes has no primary key and a generated column"):
            comparison.prepare()


def modes(stage):
    entries = stage.journal().entries()
    return [entry.evidence["mode"] for entry in entries if (entry.step, entry.kind) == ("prepare", "done")]


def test_a_row_damaged_while_it_is_prepared_is_found_at_the_fence(stage):
    stage.load()
    databases = stage.databases()
    prepare = databases._prepare

    def damaged(way):
        evidence = prepare(way)
        from_elsewhere(stage.pair.target, "DELETE FROM transactions WHERE id = (SELECT min(id) FROM transactions)")
        return evidence

    databases._prepare = damaged
    with pytest.raises(GivenUp, match="transactions: 1 missing"):
        stage.move(Wish.SWITCHOVER, databases=databases)
    assert stage.writers() == ["source"]


def test_without_replication_the_way_back_has_a_price_that_must_be_named(stage):
    stage.load()
    stage.move(Wish.SWITCHOVER)
    back = stage.pair.forward().reverse()
    back.pause()
    stage.pair.target.transact("api", lambda cursor: [pay(cursor, f"lost {number}") for number in range(3)])
    with pytest.raises(Refused, match="from the target to the source is paused"):
        stage.move(Wish.SWITCHBACK)
    assert stage.databases().loss(BACK) == 9
    with pytest.raises(GivenUp, match="9 rows would be lost, and 3 were given up"):
        stage.move(Wish.SWITCHBACK, accept_loss=3)
    assert stage.writers() == ["target"]
    outcome = stage.move(Wish.SWITCHBACK, accept_loss=9)
    assert outcome.writer == "source"
    assert stage.writers() == ["source"]


def test_what_the_way_back_would_lose_is_counted_exactly_under_load(stage):
    stage.load()
    stage.move(Wish.SWITCHOVER)
    stage.pair.forward().reverse().pause()
    stage.pair.target.run("UPDATE payments SET reference = 'changed' WHERE idempotency_key = 'old7'")
    with Clients(stage) as clients:
        until(lambda: clients.read() is not None and len(clients.promised) > 100, 60)
        counted = stage.databases().loss(BACK)
        assert counted > 200  # a payment is a row, and two lines of the ledger
        with pytest.raises(GivenUp, match=r"(\d+) rows would be lost, and 200 were given up") as raised:
            stage.move(Wish.SWITCHBACK, accept_loss=200)
        at_the_fence = int(re.search(r"(\d+) rows would be lost", str(raised.value))[1])
        assert at_the_fence >= counted
        assert stage.writers() == ["target"]
        clients.served()
        clients.prove("target")
        stage.move(Wish.SWITCHBACK, accept_loss=10**6)
        assert stage.writers() == ["source"]
        clients.served()
    [lost] = [entry.evidence["lost"] for entry in stage.journal().entries() if "lost" in entry.evidence]
    assert lost >= at_the_fence
    # The target stands still since the fence: whatever it has and the source has not, or not like that, is lost.
    assert lost == sum(len(rows_of(stage.pair.target, table) - rows_of(stage.pair.source, table)) for table in TABLES)


def rows_of(base, table):
    return {row for (row,) in base.run(f"SELECT t::text FROM {table} t")}


def test_two_operators_at_once_move_it_once(stage):
    stage.load()
    found = []

    def operate():
        try:
            found.append(stage.move(Wish.SWITCHOVER).writer)
        except Refused as refusal:
            found.append(type(refusal).__name__)

    threads = [threading.Thread(target=operate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) in (["LeaseHeld", "target"], ["target", "target"])
    assert stage.writers() == ["target"]
    assert stage.steps().count("commit done") == 1
