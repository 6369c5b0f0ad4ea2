"""A comparison that is planned, done part by part, and put together."""

import json

import pytest

from runtime_lambdas.runtime.comparison import Options, PartOutdated, Patterns, compare_part, gather, plan

from .conftest import FAST


@pytest.fixture
def filled(pair):
    pair.run(
        "CREATE TABLE keyed (id int PRIMARY KEY, v text); CREATE TABLE keyless (v int);"
        "INSERT INTO keyed SELECT i, i FROM generate_series(1, 1000) i;"
        "INSERT INTO keyless SELECT generate_series(1, 100)"
    )
    return pair


def planned(pair, rows=300):
    found = plan(pair.source.open, pair.target.open, Patterns(["public.%"]), FAST, rows)
    return json.loads(json.dumps(found))


def done(pair, part):
    return json.loads(json.dumps(compare_part(pair.source.open, pair.target.open, part, FAST)))


def test_the_parts_are_the_whole(filled):
    found = planned(filled)
    assert found["parts"] == [
        {"table": "public.keyed", "low": None, "high": ["300"]},
        {"table": "public.keyed", "low": ["300"], "high": ["600"]},
        {"table": "public.keyed", "low": ["600"], "high": ["900"]},
        {"table": "public.keyed", "low": ["900"], "high": None},
        {"table": "public.keyless", "low": None, "high": None},
    ]
    report = gather(found, [done(filled, part) for part in found["parts"]])
    assert (report.verdict, report.mode, report.cut) == ("equal", "full", found["cut"])
    assert [(table.table, table.rows_source, table.chunks) for table in report.tables] == [
        ("public.keyed", 1000, 4),
        ("public.keyless", 100, 1),
    ]


def test_each_part_finds_its_own_differences(filled):
    filled.target.run("DELETE FROM keyed WHERE id = 300; UPDATE keyed SET v = '' WHERE id = 901")
    filled.target.run("INSERT INTO keyed VALUES (-1, ''), (2000, ''); CREATE TABLE fresh ()")
    found = planned(filled)
    report = gather(found, reversed([done(filled, part) for part in found["parts"]]))
    tables = {table.table: table for table in report.tables}
    assert sorted((row.kind, row.key["id"]) for row in tables["public.keyed"].examples) == [
        ("different", "901"),
        ("extra", "-1"),
        ("extra", "2000"),
        ("missing", "300"),
    ]
    assert tables["public.fresh"].verdict == "different"
    assert tables["public.keyless"].verdict == "equal"
    few = gather(found, [done(filled, part) for part in found["parts"]], Options(examples=2))
    assert [len(table.examples) for table in few.tables] == [0, 2, 0]


def test_a_part_without_a_result_is_never_equal(filled):
    found = planned(filled)
    results = [done(filled, part) for part in found["parts"]]
    assert gather(found, results[1:]).verdict == "unfinished"
    assert gather(found, []).verdict == "unfinished"
    assert gather(found, []).tables[0].note == "4 parts of it have no result"


def test_a_table_that_changed_since_the_plan(filled):
    part = planned(filled)["parts"][1]
    filled.run("DROP TABLE keyed")
    with pytest.raises(PartOutdated):
        done(filled, part)


def test_parts_that_would_not_fit_the_other_server_are_one(pair):
    for side, order in zip(pair, (("a", "b", "c"), ("c", "b", "a")), strict=True):
        side.run("CREATE TYPE label AS ENUM ('" + "', '".join(order) + "')")
    pair.run("CREATE TABLE t (k label PRIMARY KEY); INSERT INTO t VALUES ('a'), ('b'), ('c')")
    assert planned(pair, 1)["parts"] == [{"table": "public.t", "low": None, "high": None}]
