"""Under live writes, with PostgreSQL's own replication running: no false difference, and no damage overlooked."""

import random
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace

import psycopg2
import pytest

from runtime_lambdas.runtime.comparison import Cut, Patterns, Recent, compare
from runtime_lambdas.runtime.replication import heartbeat

from .conftest import FAST

OPTIONS = replace(FAST, chunk_rows=500, patience=60, pause=0.2)
TABLES = """
CREATE TABLE payments (id bigint PRIMARY KEY, status text, amount bigint);
CREATE TABLE log (at timestamptz, what text); ALTER TABLE log REPLICA IDENTITY FULL;
"""


@pytest.fixture
def replicated(pair):
    """A source that is written to and beats, and a target that PostgreSQL replicates it to."""
    pair.run(TABLES)
    for side in pair:
        side.run(heartbeat.DEFINITION)
        side.run("GRANT USAGE ON SCHEMA paymig TO reader; GRANT SELECT ON paymig.heartbeat TO reader")
    pair.source.run("INSERT INTO payments SELECT i, 'captured', i FROM generate_series(1, 5000) i")
    for side in pair:
        side.run("CREATE PUBLICATION forward FOR ALL TABLES")
    server = pair.source.server
    where = f"host={server.host} port={server.port} dbname={pair.source.name} user=postgres password={server.password}"
    pair.target.run(f"CREATE SUBSCRIPTION forward CONNECTION '{where}' PUBLICATION forward")
    try:
        wait(lambda: pair.target.run("SELECT count(*) FROM payments") == [(5000,)])
        wait(lambda: pair.target.run("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel") == [(True,)])
        yield pair
    finally:
        pair.target.run("DROP SUBSCRIPTION forward")
        for side in pair:
            side.run("DROP PUBLICATION forward")


def wait(done):
    until = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


@contextmanager
def writing(side):
    """Write and beat until the block ends; gives the list of what was written, which grows."""
    stop = threading.Event()
    chance = random.Random(5)
    written = []

    def write():
        with closing(side.server.connect(side.name)) as connection, connection.cursor() as cursor:
            number = 10_000
            while not stop.is_set():
                number += 1
                cursor.execute("INSERT INTO payments VALUES (%s, 'captured', 1)", (number,))
                cursor.execute("UPDATE payments SET status = 'refunded' WHERE id = %s", (chance.randrange(1, 4000),))
                cursor.execute("DELETE FROM payments WHERE id = %s", (chance.randrange(10_000, number),))
                if number % 20 == 0:
                    cursor.execute("INSERT INTO log VALUES (now(), %s)", (str(number),))
                    heartbeat.beat(cursor, "source")
                written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        wait(lambda: len(written) > 20)
        yield written
    finally:
        stop.set()
        thread.join()


def found(report):
    return {
        (table.table, row.kind, *row.key.values())
        for table in report.tables
        for row in table.examples
        if table.table != "public.log"
    }


def test_ten_comparisons_and_as_many_damages(replicated):
    source, target = replicated
    with writing(source) as written:
        cut = None
        for number in range(10):
            before = len(written)
            report = replicated.compare(OPTIONS, since=cut if number % 2 else None)
            assert report.verdict == "equal", report.to_json()
            wait(lambda before=before: len(written) > before)  # nobody compares what stands still
            cut = Cut.from_json(report.cut)
            damaged = 4100 + number  # no writer comes there
            target.run(f"UPDATE payments SET amount = -1 WHERE id = {damaged}")
            report = replicated.compare(OPTIONS, since=None if number % 2 else cut)
            assert found(report) == {("public.payments", "different", str(damaged))}
            assert sum(table.differences + table.unsettled for table in report.tables) == 1
            target.run(f"UPDATE payments SET amount = id WHERE id = {damaged}")


def test_what_replication_has_not_brought_is_unsettled_and_no_difference(replicated):
    source, target = replicated
    with writing(source):
        target.run("ALTER SUBSCRIPTION forward DISABLE")
        source.run("UPDATE payments SET amount = 0 WHERE id = 4500")
        [_, payments] = replicated.compare(replace(OPTIONS, patience=1)).tables
        assert (payments.verdict, payments.differences) == ("unsettled", 0)
        target.run("ALTER SUBSCRIPTION forward ENABLE")
        target.run("DELETE FROM payments WHERE id = 4600")
        assert found(replicated.compare(OPTIONS)) == {("public.payments", "missing", "4600")}


def test_the_last_moments_after_writes_have_stopped(replicated):
    source, target = replicated

    def opener(side):
        return lambda: psycopg2.connect(side.server.dsn(side.name))

    publications = {"source": "forward", "target": "forward"}
    with Recent(*map(opener, replicated), Patterns(["public.payments"]), publications, OPTIONS) as recent:
        report = compare(source.open, target.open, Patterns(["public.payments"]), OPTIONS)
        assert report.verdict == "equal"
        with writing(source):
            time.sleep(0.3)
            recent.settle()
        with closing(source.server.connect(source.name)) as connection, connection.cursor() as cursor:
            last = heartbeat.beat(cursor, "source").number
        with closing(target.server.connect(target.name)) as connection, connection.cursor() as cursor:
            assert heartbeat.wait(lambda: heartbeat.read(cursor, "source"), last, 30) is not None
        assert recent.compare().verdict == "equal"
        target.run("UPDATE payments SET amount = -1 WHERE id = 4700; DELETE FROM payments WHERE id = 4701")
        assert found(recent.compare()) == {
            ("public.payments", "different", "4700"),
            ("public.payments", "missing", "4701"),
        }
