"""A comparison that is planned, done part by part, and put together."""

import json
from dataclasses import replace

import pytest

from runtime_lambdas.runtime.comparison import Folder, Options, PartOutdated, Patterns, compare_part, gather, plan
from runtime_lambdas.runtime.comparison.engine import Engine

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


def ranges(found):
    return [(part["table"], part["low"], part["high"]) for part in found["parts"]]


def done(pair, part):
    return json.loads(json.dumps(compare_part(pair.source.open, pair.target.open, part, FAST)))


def test_the_parts_are_the_whole(filled):
    found = planned(filled)
    assert ranges(found) == [
        ("public.keyed", None, ["300"]),
        ("public.keyed", ["300"], ["600"]),
        ("public.keyed", ["600"], ["900"]),
        ("public.keyed", ["900"], None),
        ("public.keyless", None, None),
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


@pytest.mark.parametrize(
    "change", ["DROP TABLE keyed", "ALTER TABLE keyed ADD COLUMN w int", "ALTER TABLE keyed DROP CONSTRAINT keyed_pkey"]
)
def test_a_table_that_changed_since_the_plan(filled, change):
    part = planned(filled)["parts"][1]
    filled.run(change)
    with pytest.raises(PartOutdated):
        done(filled, part)


def test_a_plan_that_fits_is_kept(filled):
    found = planned(filled)

    def again(options=FAST, tables=("public.%",)):
        return plan(filled.source.open, filled.target.open, Patterns(tables), options, 300, found)

    filled.run("INSERT INTO keyed SELECT i, i FROM generate_series(1001, 2000) i")
    assert again() is found
    assert again(replace(FAST, leader="target")) is not found
    assert again(replace(FAST, hash="sha256")) is not found
    assert len(again(tables=("public.keyed",))["parts"]) == 7
    filled.source.run("CREATE TABLE alone (id int)")
    assert again()["results"] != found["results"]


def test_a_part_that_does_not_fit_into_its_time_is_gone_on_with(filled, tmp_path):
    found = planned(filled)
    filled.target.run("UPDATE keyed SET v = '' WHERE id = 301; DELETE FROM keyed WHERE id = 600")
    part, rounds, result = found["parts"][1], 0, {}
    read, short = [], replace(FAST, chunk_rows=100)
    while not result.get("finished"):
        rounds += 1
        assert rounds < 20
        # Each invocation's time is over after its first range of 100 rows.
        with pytest.MonkeyPatch.context() as patch:
            looks = iter([False])
            patch.setattr(Engine, "out_of_time", property(lambda _, looks=looks: next(looks, True)))
            kept = Folder(tmp_path)
            result = compare_part(filled.source.open, filled.target.open, part, short, kept=kept)
        read.append(result["rows_source"])
    assert read[0] < read[-1] == 300
    assert (result["different"], result["missing"], result["verdict"]) == (1, 1, "different")


def test_parts_that_would_not_fit_the_other_server_are_one(pair):
    for side, order in zip(pair, (("a", "b", "c"), ("c", "b", "a")), strict=True):
        side.run("CREATE TYPE label AS ENUM ('" + "', '".join(order) + "')")
    pair.run("CREATE TABLE t (k label PRIMARY KEY); INSERT INTO t VALUES ('a'), ('b'), ('c')")
    assert ranges(planned(pair, 1)) == [("public.t", None, None)]
