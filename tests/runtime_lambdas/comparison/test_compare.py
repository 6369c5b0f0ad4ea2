"""What a comparison finds in two databases that nobody writes to."""

import json
import time
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from paymig.embedded.postgres import VOLATILE, Postgres, PostgresError
from runtime_lambdas.runtime.comparison import (
    Cut,
    CutOutdated,
    Folder,
    KeptElsewhere,
    NothingToCompare,
    TableResult,
    rows,
)
from runtime_lambdas.runtime.comparison import server as servers
from runtime_lambdas.runtime.comparison.session import prepare

from .conftest import FAST, Pair, Side

SMALL = replace(FAST, chunk_rows=100)
FILL = """
CREATE TABLE keyed (id bigint PRIMARY KEY, name text, amount numeric(12, 2));
INSERT INTO keyed SELECT i, 'n' || i, i / 100.0 FROM generate_series(1, 1000) i;
CREATE TABLE composite (region text COLLATE "C", number int, note varchar(9), PRIMARY KEY (region, number));
INSERT INTO composite SELECT 'r' || i % 3, i, i FROM generate_series(1, 700) i;
CREATE TABLE keyless (event text, amount int);
INSERT INTO keyless SELECT 'e' || i % 50, i % 10 FROM generate_series(1, 500) i;
"""


@pytest.fixture(scope="module")
def indifferent():
    """Two databases of a server that has ICU and citext, which those of the wheel have not."""
    try:
        server = Postgres.start(15, VOLATILE)
    except PostgresError:
        pytest.skip("this machine has no PostgreSQL 15")
    with server:
        server.create_role("reader", "reader")
        for name in ("one", "other"):
            server.create_database(name)
        yield Pair(Side(server, "one"), Side(server, "other"))


@pytest.fixture
def filled(pair):
    pair.run(FILL)
    return pair


def found(report):
    """Return what a report says of each table that is not equal: its verdict and its rows by kind."""
    return {
        table.table.removeprefix("public."): (
            table.verdict,
            sorted((row.kind, *row.key.values()) for row in table.examples),
        )
        for table in report.tables
        if table.verdict != "equal"
    }


@pytest.mark.parametrize("options", [FAST, SMALL, replace(SMALL, snapshot=True), replace(SMALL, hash="sha256")])
def test_equal_databases_are_equal(filled, options):
    report = filled.compare(options)
    assert report.verdict == "equal"
    assert [(t.table, t.rows_source, t.rows_target, t.finished) for t in report.tables] == [
        ("public.composite", 700, 700, True),
        ("public.keyed", 1000, 1000, True),
        ("public.keyless", 500, 500, True),
    ]


@pytest.mark.parametrize("options", [FAST, SMALL, replace(SMALL, snapshot=True), replace(SMALL, connections=5)])
def test_every_difference_is_found_and_nothing_else(filled, options):
    filled.target.run("UPDATE keyed SET amount = amount + 0.01, name = 'x' WHERE id IN (100, 101)")
    filled.target.run("DELETE FROM keyed WHERE id IN (1, 500)")
    filled.target.run("INSERT INTO keyed VALUES (-5, 'low', 1), (99999, 'far', 1)")
    filled.source.run("UPDATE composite SET note = NULL WHERE number = 7")
    filled.source.run("DELETE FROM composite WHERE number = 700")
    filled.target.run("INSERT INTO keyless VALUES ('e1', 1)")
    report = filled.compare(options)
    assert found(report) == {
        "composite": ("different", [("different", "r1", "7"), ("extra", "r1", "700")]),
        "keyed": (
            "different",
            [
                ("different", "100"),
                ("different", "101"),
                ("extra", "-5"),
                ("extra", "99999"),
                ("missing", "1"),
                ("missing", "500"),
            ],
        ),
        "keyless": ("different", [("extra", "(0,1)")]),
    }
    keyed = report.tables[1]
    assert (keyed.missing, keyed.extra, keyed.different, keyed.unsettled) == (2, 2, 2, 0)
    changed = next(row for row in keyed.examples if row.key == {"id": "100"})
    assert [(column.name, column.source, column.target) for column in changed.columns] == [
        ("amount", None, None),
        ("name", None, None),
    ]
    assert report.tables[2].examples[0].copies == (10, 11)


def test_values_are_shown_only_when_asked_for(filled):
    filled.target.run("UPDATE keyed SET name = 'secret' WHERE id = 5; DELETE FROM keyed WHERE id = 6")
    filled.target.run("INSERT INTO keyless VALUES ('secret', 1)")
    assert "secret" not in json.dumps(filled.compare().to_json())
    report = filled.compare(replace(FAST, show_values=True)).to_json()
    [keyed] = [table for table in report["tables"] if table["table"] == "public.keyed"]
    assert keyed["examples"] == [
        {
            "kind": "different",
            "key": {"id": "5"},
            "columns": [{"name": "name", "source": "n5", "target": "secret"}],
            "copies": None,
        },
        {
            "kind": "missing",
            "key": {"id": "6"},
            "columns": [
                {"name": "amount", "source": "0.06", "target": None},
                {"name": "id", "source": "6", "target": None},
                {"name": "name", "source": "n6", "target": None},
            ],
            "copies": None,
        },
    ]
    assert {"name": "event", "source": None, "target": "secret"} in report["tables"][2]["examples"][0]["columns"]


def test_keys_that_the_servers_order_differently(pair):
    """Two names of a collation may be two orders: nothing is cut into ranges, and all is found."""
    for side, collation in zip(pair, ('"POSIX"', '"C"'), strict=True):
        side.run(f"CREATE TABLE t (k text COLLATE {collation} PRIMARY KEY, v int)")
    pair.run("INSERT INTO t SELECT chr(65 + i % 58) || i, i FROM generate_series(1, 3000) i")
    assert pair.compare(SMALL).verdict == "equal"
    pair.target.run("DELETE FROM t WHERE v = 700; UPDATE t SET v = -1 WHERE v = 1; INSERT INTO t VALUES ('', 0)")
    [table] = pair.compare(SMALL).tables
    assert sorted((row.kind, row.key["k"]) for row in table.examples) == [
        ("different", "B1"),
        ("extra", ""),
        ("missing", "E700"),
    ]


def test_ranges_that_do_not_fit_the_other_server_are_noticed(pair):
    """An enum's labels are in another order there; only the ends of the ranges tell."""
    labels = [f"l{number:03}" for number in range(300)]
    for side, order in zip(pair, (labels, labels[::-1]), strict=True):
        side.run("CREATE TYPE label AS ENUM ('" + "', '".join(order) + "')")
    pair.run("CREATE TABLE t (k label PRIMARY KEY, v int)")
    pair.run("INSERT INTO t SELECT ('l' || lpad(i::text, 3, '0'))::label, i FROM generate_series(0, 299) i")
    assert pair.compare(SMALL).verdict == "equal"
    pair.target.run("DELETE FROM t WHERE v = 150; UPDATE t SET v = -1 WHERE v = 0")
    assert found(pair.compare(SMALL)) == {"t": ("different", [("different", "l000"), ("missing", "l150")])}


def test_only_the_parts_of_a_range_that_differ_are_fetched(pair, monkeypatch):
    pair.run("CREATE TABLE t (place int, number int, v text, PRIMARY KEY (place, number))")
    pair.run("INSERT INTO t SELECT i / 10, i, 'v' FROM generate_series(1, 10000) i")
    pair.target.run("UPDATE t SET v = 'w' WHERE number IN (1000, 1001, 2000, 10000)")
    pair.target.run("DELETE FROM t WHERE number IN (1, 7000); INSERT INTO t VALUES (-1, 0, ''), (9999, 0, '')")
    fetched = []
    real = rows.in_chunk
    monkeypatch.setattr(rows, "in_chunk", lambda *asked, **part: fetched.append(part) or real(*asked, **part))
    assert found(pair.compare()) == {
        "t": (
            "different",
            [
                *(("different", place, number) for place, number in (("100", "1000"), ("100", "1001"))),
                ("different", "1000", "10000"),
                ("different", "200", "2000"),
                ("extra", "-1", "0"),
                ("extra", "9999", "0"),
                ("missing", "0", "1"),
                ("missing", "700", "7000"),
            ],
        )
    }
    # The first, second, seventh and tenth thousand of the source, and what is above them; from each side.
    assert len(fetched) == 2 * 5


def test_parts_of_a_range_that_do_not_fit_the_other_server(pair):
    for side, order in zip(pair, ("'a', 'b', 'c'", "'a', 'c', 'b'"), strict=True):
        side.run(f"CREATE TYPE label AS ENUM ({order})")
    pair.run("CREATE TABLE t (k label, n int, v int, PRIMARY KEY (k, n))")
    pair.run("INSERT INTO t SELECT k, i, i FROM unnest('{a,b,c}'::label[]) k, generate_series(1, 1500) i")
    pair.target.run("UPDATE t SET v = -1 WHERE (k, n) = ('c', 7); DELETE FROM t WHERE (k, n) = ('b', 1400)")
    assert found(pair.compare()) == {"t": ("different", [("different", "c", "7"), ("missing", "b", "1400")])}


def test_how_a_value_came_about_is_no_difference(pair):
    """Arrays keep a trace of a NULL that is gone, operations have NaNs of their own; neither is part of the value."""
    pair.run(
        "CREATE TABLE t (id int PRIMARY KEY, numbers int[], words text[], double float8, single float4, place point)"
    )
    pair.source.run("INSERT INTO t VALUES (1, '{1,NULL}', '{a,NULL}', 'inf', 'inf', '(1,2)')")
    pair.source.run(
        "UPDATE t SET numbers[2] = 5, words[2] = 'b', double = double - 'inf', single = single * 0, "
        "place = point('inf'::float8 - 'inf', 2)"
    )
    pair.target.run("INSERT INTO t VALUES (1, '{1,5}', '{a,b}', 'NaN', 'NaN', '(NaN,2)')")
    assert pair.compare().verdict == "equal"
    pair.target.run("UPDATE t SET double = '-0', words = '[0:1]={a,b}'")
    pair.source.run("UPDATE t SET double = 0")
    [row] = pair.compare().tables[0].examples
    assert [column.name for column in row.columns] == ["double", "words"]


ALIKE = {
    "numeric": ("1.0", "1.00"),
    "double precision": ("0", "-0"),
    "interval": ("P1M", "P30D"),
    "jsonb": ("[2.0]", "[2]"),
}
"""Types whose values may be equal and not the same: as the source has it, and as the target has it."""


@pytest.mark.parametrize("how", ["one range", "many ranges", "changes", "unordered"])
def test_keys_that_are_equal_and_not_the_same_are_one_row_that_differs_in_its_key(pair, how):
    collations = ("POSIX", "C") if how == "unordered" else ("C", "C")
    for number, (kind, (text, _)) in enumerate(ALIKE.items()):
        for side, collation in zip(pair, collations, strict=True):
            side.run(
                f'CREATE TABLE t{number} (k {kind}, part text COLLATE "{collation}", v int, PRIMARY KEY (k, part));'
                f"INSERT INTO t{number} SELECT '{text}', i, i FROM generate_series(1, 3) i"
            )
    pair.run("SELECT")
    options = replace(FAST, chunk_rows=1) if how == "many ranges" else FAST
    before = pair.compare(options)
    assert before.verdict == "equal"
    for number, (_, text) in enumerate(ALIKE.values()):
        pair.target.run(f"UPDATE t{number} SET k = '{text}'")
    pair.target.run("UPDATE t0 SET v = -1 WHERE part = '2'; DELETE FROM t1 WHERE part = '3'")
    pair.target.run("INSERT INTO t2 VALUES ('0', '', 0)")
    report = pair.compare(options, since=Cut.from_json(before.cut) if how == "changes" else None)
    assert report.mode == ("changes" if how == "changes" else "full")

    def told(table):
        return sorted(
            (row.kind, row.key["k"], row.key["part"], [c.name for c in row.columns]) for row in table.examples
        )

    assert {table.table: told(table) for table in report.tables} == {
        "public.t0": [("different", "1.0", part, ["k", *["v"] * (part == "2")]) for part in "123"],
        "public.t1": [("different", "0", "1", ["k"]), ("different", "0", "2", ["k"]), ("missing", "0", "3", [])],
        "public.t2": [*(("different", "P1M", part, ["k"]) for part in "123"), ("extra", "PT0S", "", [])],
        "public.t3": [("different", "[2.0]", part, ["k"]) for part in "123"],
    }


def test_keys_that_a_collation_or_an_extension_takes_for_equal(indifferent):
    """The collation's equality is the column's; an extension's operators are none that a reader would trust."""
    pair = indifferent
    pair.run("CREATE COLLATION either (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    pair.run("CREATE EXTENSION citext")
    pair.run("CREATE TABLE words (k text COLLATE either PRIMARY KEY, v int); CREATE TABLE cited (k citext PRIMARY KEY)")
    pair.run("INSERT INTO words VALUES ('Zoë', 1), ('Ada', 2), ('Eve', 3)")
    pair.source.run("INSERT INTO cited VALUES ('Ada'), ('Zoë')")
    pair.target.run("INSERT INTO cited VALUES ('ADA'), ('Zoë'); UPDATE words SET k = upper(k) WHERE v < 3")
    report = pair.compare()
    assert found(report) == {
        "words": ("different", [("different", "Ada"), ("different", "Zoë")]),
        "cited": ("different", [("extra", "ADA"), ("missing", "Ada")]),
    }
    assert {c.name for table in report.tables if table.different for row in table.examples for c in row.columns} == {
        "k"
    }


def test_definitions_that_differ_are_differences(pair):
    pair.source.run("CREATE TABLE a (id int PRIMARY KEY, n numeric(10, 2), gone text); CREATE TABLE only_here (id int)")
    pair.target.run("CREATE TABLE a (id int, n numeric(12, 2), fresh text); CREATE TABLE only_there (id int)")
    pair.run("INSERT INTO a (id, n) VALUES (1, 1.5)")
    assert pair.compare().verdict == "different"
    said = {
        (table.table, each.what, each.column, each.source, each.target)
        for table in pair.compare().tables
        for each in table.disagreements
    }
    assert said == {
        ("public.a", "type", "n", "numeric(10,2)", "numeric(12,2)"),
        ("public.a", "missing column", "gone", "text", ""),
        ("public.a", "missing column", "fresh", "", "text"),
        ("public.a", "primary key", "", "id", ""),
        ("public.only_here", "missing table", "", "public.only_here", ""),
        ("public.only_there", "missing table", "", "", "public.only_there"),
    }
    assert [table.differences for table in pair.compare().tables] == [0, 0, 0]


def test_partitioned_tables_and_generated_columns(pair):
    pair.source.run("CREATE TABLE p (id int, v text, l int GENERATED ALWAYS AS (length(v)) STORED, PRIMARY KEY (id))")
    pair.target.run(
        "CREATE TABLE p (l int GENERATED ALWAYS AS (length(v)) STORED, id int, v text, PRIMARY KEY (id))"
        " PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (250);"
        " CREATE TABLE p2 PARTITION OF p DEFAULT"
    )
    pair.run("INSERT INTO p (id, v) SELECT i, 'v' || i FROM generate_series(1, 500) i")
    assert pair.compare(SMALL).verdict == "equal"
    pair.target.run("UPDATE p2 SET v = 'other' WHERE id = 300")
    assert found(pair.compare(SMALL)) == {"p": ("different", [("different", "300")])}


def test_names_that_need_quotes(pair):
    pair.run(
        'CREATE TABLE "we""ird % table" ("a ""key" int, "key" text, "100 %" text, PRIMARY KEY ("a ""key", "key"));'
        "INSERT INTO \"we\"\"ird % table\" SELECT i, 'it''s %s \\', '%' FROM generate_series(1, 300) i"
    )
    assert pair.compare(SMALL).verdict == "equal"
    pair.target.run('DELETE FROM "we""ird % table" WHERE "a ""key" = 250')
    [table] = pair.compare(SMALL).tables
    assert [(row.kind, row.key) for row in table.examples] == [("missing", {'a "key': "250", "key": "it's %s \\"})]


def test_wide_rows_and_no_columns(pair):
    pair.run("CREATE TABLE wide (id int PRIMARY KEY, v text); CREATE TABLE nothing ()")
    pair.run("INSERT INTO wide SELECT i, repeat(md5(i::text), 40000) FROM generate_series(1, 20) i")
    pair.run("INSERT INTO nothing DEFAULT VALUES")
    pair.target.run("UPDATE wide SET v = v || 'x' WHERE id = 3")
    report = pair.compare()
    assert found(report) == {"wide": ("different", [("different", "3")])}


def test_a_row_that_policies_hide_is_no_silent_equal(pair):
    pair.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    pair.target.run("DELETE FROM t WHERE id = 2")
    pair.source.run("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id = 1)")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
        pair.compare()


def test_without_the_right_to_read_nothing_is_equal(pair):
    pair.run("CREATE TABLE t (id int PRIMARY KEY)")
    pair.target.run("REVOKE SELECT ON t FROM reader")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        pair.compare()


def test_patterns_that_select_nothing(pair):
    with pytest.raises(NothingToCompare, match=r"nowhere\.%"):
        pair.compare(include=["nowhere.%"])


def test_a_table_full_of_differences_is_left(pair):
    pair.run("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 30000) i")
    pair.target.run("UPDATE t SET v = -v")
    [table] = pair.compare(replace(SMALL, chunk_rows=500, limit=1000, examples=7)).tables
    assert (table.verdict, table.finished, len(table.examples)) == ("different", False, 7)
    assert table.note == f"stopped after {table.differences} rows that differ"
    assert 1000 <= table.differences <= 30000


def test_a_result_survives_being_written(filled):
    filled.target.run("UPDATE keyed SET name = 'y' WHERE id = 5; INSERT INTO keyless VALUES ('e1', 1)")
    for table in filled.compare(replace(FAST, show_values=True)).tables:
        assert TableResult.from_json(json.loads(json.dumps(table.to_json()))) == table


def test_it_goes_on_where_another_process_stopped(filled, tmp_path, monkeypatch):
    filled.target.run("DELETE FROM keyed WHERE id = 5; UPDATE keyed SET name = 'z' WHERE id = 995")
    kept = Folder(tmp_path)

    class Dying(Folder):
        def save(self, state):
            super().save(state)
            if int((state["tables"]["public.keyed"]["frontier"] or "0")[0]) >= 300:
                raise KeyboardInterrupt

    monkeypatch.setattr("runtime_lambdas.runtime.comparison.run._KEEP_EVERY", 0)
    with pytest.raises(KeyboardInterrupt):
        filled.compare(SMALL, kept=Dying(tmp_path))
    state = kept.load()
    assert state["tables"]["public.composite"]["read"]
    [[_, end, _]] = state["tables"]["public.keyed"]["unlike"]
    assert int(end[0]) < 200 < int(state["tables"]["public.keyed"]["frontier"][0])
    done = state["tables"]["public.keyed"]["result"]["rows_source"]
    # Would be found if these were read again; the row that is missing is looked for now.
    filled.source.run("UPDATE keyed SET name = 'y' WHERE id BETWEEN 150 AND 199")
    with pytest.raises(KeptElsewhere):
        filled.compare(SMALL, include=["public.keyed"], kept=kept)
    report = filled.compare(SMALL, kept=kept)
    assert 0 < done < 1000
    assert found(report)["keyed"] == ("different", [("different", "995"), ("missing", "5")])
    assert report.started == state["started"]
    assert kept.load() is None


def test_it_stops_in_time_and_goes_on(filled, tmp_path):
    kept = Folder(tmp_path)
    options = replace(SMALL, seconds=0.0)
    report = filled.compare(options, kept=kept)
    assert report.verdict == "unfinished"
    verdicts = {report.verdict}
    for _ in range(200):
        report = filled.compare(replace(SMALL, seconds=0.02), kept=kept)
        verdicts.add(report.verdict)
        if report.verdict == "equal":
            break
    assert verdicts == {"unfinished", "equal"}
    assert [table.rows_source for table in report.tables] == [700, 1000, 500]


def test_rows_that_differ_are_counted_once_however_often_it_stops(filled, tmp_path):
    filled.target.run("UPDATE keyed SET name = 'z' WHERE id % 9 = 0")
    kept, verdicts = Folder(tmp_path), []
    while not verdicts or verdicts[-1] == "unfinished":
        seconds = 0.02 if len(verdicts) < 20 else 60  # too little to look at a row again and again
        report = filled.compare(replace(SMALL, chunk_rows=20, seconds=seconds), kept=kept)
        verdicts.append(report.verdict)
    assert verdicts == ["unfinished"] * 20 + ["different"]
    keyed = next(table for table in report.tables if table.table == "public.keyed")
    assert (keyed.different, keyed.rows_source, keyed.rows_target) == (111, 1000, 1000)


def test_a_damaged_state_is_refused(filled, tmp_path):
    (tmp_path / "comparison.json").write_text("[]")
    with pytest.raises(ValueError, match=r"comparison\.json"):
        filled.compare(kept=Folder(tmp_path))


def test_broken_connections_are_replaced(filled, monkeypatch):
    monkeypatch.setattr(servers, "_PAUSE", 0)
    killed = []
    real = servers.Server._once

    def once(self, ask, snapshot):
        if len(killed) < 6 and getattr(self._own, "connection", None) is not None:
            pid = self._own.connection.info.backend_pid
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s"
            killed.extend(side.run(query, pid) for side in filled)
        return real(self, ask, snapshot)

    monkeypatch.setattr(servers.Server, "_once", once)
    assert filled.compare(SMALL).verdict == "equal"
    assert killed


def test_a_low_load_rests_between_questions(filled):
    with servers.Server(filled.source.open, 1, max_load=0.25) as server:
        started = time.monotonic()
        server.run(lambda running: running.execute("SELECT pg_sleep(0.05)"))
        server.run(lambda running: None)
        assert time.monotonic() - started >= 0.2  # 0.05 of work, 0.15 of rest
    assert filled.compare(replace(SMALL, max_load=0.9)).verdict == "equal"


def cut_of(report):
    return Cut.from_json(report.cut)


def test_a_table_that_is_not_as_it_was_at_the_cut_is_compared_in_full(filled):
    """Nobody wrote these rows since, and nobody compared them then."""
    tables = ["public.%"]
    filled.run("CREATE TABLE later (id int PRIMARY KEY, v int)")
    for side, value in zip(filled, (1, 2), strict=True):
        side.run(f"INSERT INTO later VALUES (1, {value})")
    cut = cut_of(filled.compare(include=["public.keyed", "public.composite"]))
    found = {table.table: table for table in filled.compare(since=cut, include=tables).tables}
    assert (found["public.later"].different, found["public.keyed"].verdict) == (1, "equal")

    filled.run("DROP TABLE later")
    cut = cut_of(filled.compare())
    for side, value in zip(filled, ("old", "new"), strict=True):  # in PostgreSQL this writes no row
        side.run(f"ALTER TABLE keyed ADD COLUMN kind text DEFAULT '{value}'")
    report = filled.compare(since=cut)
    found = {table.table: table for table in report.tables}
    assert (report.mode, found["public.keyed"].verdict, found["public.composite"].verdict) == (
        "changes",
        "different",
        "equal",
    )


def test_changes_since_a_cut(filled):
    whole = filled.compare()
    cut = cut_of(whole)
    assert filled.compare(SMALL, since=cut).verdict == "equal"
    filled.run("UPDATE keyed SET amount = 7 WHERE id = 40; INSERT INTO keyed VALUES (2000, 'n', 1)")
    filled.run("DELETE FROM composite WHERE number = 300")
    assert filled.compare(SMALL, since=cut).verdict == "equal"
    filled.source.run("UPDATE keyed SET amount = 8 WHERE id = 41")  # not replicated
    filled.target.run("UPDATE keyed SET amount = 8 WHERE id = 42")  # behind replication's back
    filled.source.run("DELETE FROM composite WHERE number = 301")  # not replicated
    filled.target.run("DELETE FROM composite WHERE number = 302")
    filled.target.run("DELETE FROM keyless WHERE ctid = '(0,1)'")
    report = filled.compare(SMALL, since=cut)
    assert report.mode == "changes"
    assert found(report) == {
        "composite": ("different", [("extra", "r1", "301"), ("missing", "r2", "302")]),
        "keyed": ("different", [("different", "41"), ("different", "42")]),
        "keyless": ("different", [("missing", "(0,1)")]),
    }


def test_a_cut_of_another_database_or_too_long_ago_is_refused(filled, make_pair):
    cut = cut_of(filled.compare())
    other = make_pair()
    other.run(FILL)
    with pytest.raises(CutOutdated, match="this is"):
        other.compare(since=cut)
    old = cut.source._replace(transaction=cut.source.transaction - 2**31)
    with pytest.raises(CutOutdated, match="transaction"):
        filled.compare(since=cut._replace(source=old))
    later = cut.target._replace(transaction=cut.target.transaction + 10**6)
    with pytest.raises(CutOutdated, match="transaction"):
        filled.compare(since=cut._replace(target=later))


def test_nothing_is_written_on_either_side(filled):
    def transactions():
        return [side.run("SELECT pg_snapshot_xmax(pg_current_snapshot())::text") for side in filled]

    def written():
        before = transactions()
        filled.compare(replace(SMALL, snapshot=True))
        return transactions() != before

    assert not all(written() for _ in range(5))  # once may have been the server's own cleaning up
    opened = prepare(filled.source.open())
    with closing(opened), opened.cursor() as cursor, pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        cursor.execute("CREATE TABLE public.t ()")
