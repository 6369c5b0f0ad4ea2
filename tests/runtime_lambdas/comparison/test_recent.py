"""What was written in the last moments, told by replication slots and compared in the pause of a switchover."""

import re
from contextlib import closing, contextmanager

import psycopg2
import pytest

from runtime_lambdas.runtime.comparison import NotPublished, Patterns, Recent, RecordLost, StillOpen, session
from tests.runtime_lambdas.replication.pair import until

from .conftest import FAST

TABLES = """
CREATE TABLE keyed (id char(5), n int, v text, PRIMARY KEY (n, id));
CREATE TABLE "Full %" (id int PRIMARY KEY, flag boolean UNIQUE, v text);
ALTER TABLE "Full %" REPLICA IDENTITY FULL;
CREATE TABLE keyless (v text); ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted DEFAULT;
CREATE PUBLICATION "all ""of them" FOR ALL TABLES WITH (publish_via_partition_root = true);
INSERT INTO keyed SELECT 'a' || i, i, 'v' FROM generate_series(1, 100) i;
INSERT INTO "Full %" VALUES (1, true, 'v'), (2, false, 'v'), (3, NULL, 'v');
INSERT INTO keyless SELECT 'v' || i FROM generate_series(1, 100) i;
INSERT INTO parted SELECT i, 'v' FROM generate_series(1, 100) i;
"""
WRITES = """
INSERT INTO keyed VALUES ('new', 1000, 'v'); UPDATE keyed SET v = 'w' WHERE n = 5;
UPDATE keyed SET n = 2000 WHERE n = 6; DELETE FROM keyed WHERE n = 7;
UPDATE "Full %" SET v = 'w' WHERE id = 1; DELETE FROM "Full %" WHERE id = 2;
INSERT INTO keyless VALUES ('w');
UPDATE parted SET v = 'w' WHERE id = 9
"""
PUBLICATION = 'all "of them'


@pytest.fixture
def published(pair):
    pair.run(TABLES)
    yield pair
    for side in pair:
        side.run('DROP PUBLICATION IF EXISTS "all ""of them"')


@contextmanager
def recent(pair, publication=PUBLICATION, include=("public.%",)):
    def opener(side):
        return lambda: psycopg2.connect(side.server.dsn(side.name))

    publications = {"source": publication, "target": publication}
    with Recent(opener(pair.source), opener(pair.target), Patterns(include), publications, FAST) as opened:
        yield opened


def rows(report):
    return {
        table.table.removeprefix("public."): (
            table.verdict,
            sorted((r.kind, *map(str.rstrip, r.key.values())) for r in table.examples),
        )
        for table in report.tables
    }


def test_nothing_written_is_nothing_read(published):
    with recent(published) as opened:
        report = opened.compare()
    assert (report.verdict, report.tables, report.mode) == ("equal", [], "recent")


def test_the_same_writes_on_both_sides_are_equal(published):
    with recent(published) as opened:
        published.run(WRITES)
        report = opened.compare()
    assert report.verdict == "equal"
    assert {table.table: table.rows_source for table in report.tables} == {
        "public.keyed": 5,  # a new key, a changed row, both keys of a moved one, a deleted one
        "public.Full %": 2,
        "public.keyless": 101,  # the whole of it
        "public.parted": 1,
    }


@pytest.mark.parametrize("settled", [False, True])
def test_what_only_one_side_wrote_is_found(published, settled):
    with recent(published) as opened:
        published.source.run(WRITES)
        if settled:
            assert opened.settle() > 0
        published.target.run("UPDATE keyed SET v = 'x' WHERE n = 50")
        report = opened.compare()
    assert rows(report) == {
        "keyed": (
            "different",
            [
                ("different", "5", "a5"),
                ("different", "50", "a50"),
                ("extra", "6", "a6"),
                ("extra", "7", "a7"),
                ("missing", "1000", "new"),
                ("missing", "2000", "a6"),
            ],
        ),
        "Full %": ("different", [("different", "1"), ("extra", "2")]),
        "keyless": ("different", [("missing", "(0,101)")]),
        "parted": ("different", [("different", "9")]),
    }


def test_what_was_settled_is_not_read_again(published):
    with recent(published) as opened:
        published.run(WRITES)
        assert opened.settle() == 0
        published.run("UPDATE keyed SET v = 'y' WHERE n = 8; UPDATE keyless SET v = 'y' WHERE v = 'v1'")
        assert {table.table: table.rows_source for table in opened.compare().tables} == {
            "public.keyed": 1,
            "public.keyless": 101,
        }


def test_a_truncated_table_is_compared_as_a_whole(published):
    with recent(published) as opened:
        published.source.run("TRUNCATE keyed, parted")
        published.target.run("TRUNCATE keyed")
        report = opened.compare()
    assert {table.table: (table.verdict, table.extra) for table in report.tables} == {
        "public.keyed": ("equal", 0),
        "public.parted": ("different", 100),
    }


def test_a_transaction_that_was_rolled_back_wrote_nothing(published):
    with recent(published) as opened:
        with psycopg2.connect(published.source.server.dsn(published.source.name)) as connection:
            connection.cursor().execute("DELETE FROM keyed")
            connection.rollback()
        connection.close()
        assert opened.compare().tables == []


def test_a_publication_that_leaves_something_out_is_refused(published):
    for side in published:
        side.run("CREATE PUBLICATION one FOR TABLE keyed")
        side.run("CREATE PUBLICATION inserts FOR TABLE keyed WITH (publish = 'insert')")
    try:
        with pytest.raises(NotPublished, match=r"public\.Full %, public\.keyless, public\.parted"):
            recent(published, "one").__enter__()
        for name in ("inserts", "nothing"):
            with pytest.raises(NotPublished, match=name):
                recent(published, name, ["public.keyed"]).__enter__()
    finally:
        for side in published:
            side.run("DROP PUBLICATION one; DROP PUBLICATION inserts")


@pytest.mark.parametrize("name", ["source", "target"])
def test_a_transaction_that_does_not_end_is_told_and_can_be_ended_as_told(published, name, monkeypatch):
    monkeypatch.setattr(session, "_PINNED", {**session._PINNED, "lock_timeout": "300ms"})
    side = getattr(published, name)
    with closing(psycopg2.connect(side.server.dsn(side.name), application_name="nightly")) as connection:
        connection.cursor().execute("INSERT INTO keyed VALUES ('open', 1, 'v')")
        number, began = connection.info.backend_pid, side.run("SELECT to_char(now(), 'YYYY-MM-DD HH24')")[0][0]
        with pytest.raises(StillOpen) as caught:
            recent(published).__enter__()
        who = rf"on the {name} .*process {number} of postgres \(nightly\) in the database {side.name}, since {began}"
        assert re.search(who, caught.value.message)
        [mend] = re.findall(r"end it: (.*); then", caught.value.hint)
        assert mend == f"SELECT pg_terminate_backend({number})"
        until(lambda: slots(published) == [0, 0])
        side.run(mend)
    with recent(published) as opened:
        assert opened.compare().verdict == "equal"


def test_one_that_begins_to_be_open_while_it_is_settled_is_told_too(published, monkeypatch):
    monkeypatch.setattr(session, "_PINNED", {**session._PINNED, "lock_timeout": "300ms"})
    with (
        recent(published) as opened,
        closing(psycopg2.connect(published.source.server.dsn(published.source.name))) as a,
    ):
        a.cursor().execute("DELETE FROM keyed")
        with pytest.raises(StillOpen, match=rf"process {a.info.backend_pid} of postgres in the database"):
            opened.settle()
        a.rollback()
        with pytest.raises(RecordLost, match=r"on the source is gone.*an earlier error of that session"):
            opened.compare()


@pytest.mark.parametrize("name", ["source", "target"])
@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_a_session_that_ended_is_told_in_words_and_not_waited_for(published, name, how, monkeypatch):
    """Writes may be paused, and a new session would not have the slot."""
    side = getattr(published, name)
    with recent(published) as opened:
        published.run(WRITES)
        if how == "kill":
            side.server.kill()
            side.server.restart()
        else:
            side.run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots")
            until(lambda: slots(published).count(0) == 1)
        with monkeypatch.context() as patched, pytest.raises(RecordLost) as caught:
            patched.setattr(psycopg2, "connect", _ask_again)
            opened.compare()
    assert re.search(rf"on the {name} is gone.*its server restarted, or ended the session \(\S", caught.value.message)
    assert caught.value.hint == f"run the command again once the {name} takes connections: it begins a new record"
    with recent(published) as opened:
        assert opened.compare().verdict == "equal"


def _ask_again(*_, **__):
    raise AssertionError("a new connection was opened")


def test_no_slot_is_left(published):
    with recent(published):
        assert slots(published) == [1, 1]
    until(lambda: slots(published) == [0, 0])


def slots(pair):
    """Count them; a temporary one ends with its session, a moment after the connection is closed."""
    return [side.run("SELECT count(*) FROM pg_replication_slots")[0][0] for side in pair]
