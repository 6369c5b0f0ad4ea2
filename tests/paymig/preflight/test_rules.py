"""Each finding on real servers: a database that is bad in one way shows it, and the finding's own SQL mends it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import psycopg2
import pytest

from paymig.embedded.postgres import VOLATILE, Postgres
from paymig.preflight.case import Finding
from paymig.preflight.judge import judge, stops
from paymig.preflight.rules import server as server_rules
from runtime_lambdas.runtime.catalogue import read_tables
from runtime_lambdas.runtime.replication import publication
from schemas.codes import CODES
from tests.paymig.preflight.pairs import MINIMAL, Pair, clean, fresh, page, run, said
from tests.runtime_lambdas.replication.test_publication import CASES as REPLICATED
from tests.runtime_lambdas.replication.test_publication import TYPES

Function = TypeVar("Function", bound=Callable[..., None])

ALWAYS = {"PMG461", "PMG490"}
"""What is told of every pair here: the servers have no TLS, and something moves."""


def with_code(findings: list[Finding], code: str) -> list[Finding]:
    return [finding for finding in findings if finding.code == code]


@dataclass(frozen=True)
class Bad:
    """A database that is bad in one way.

    Attributes:
        sql: run on `side` as its tables' owner; "SUPER;" in front: as the superuser.
        says: part of the message.
        replication: of the spec, besides the engine.
        both: whether the target gets it as well.
        stays: why it is not mended by a statement here; where that is empty, its own SQL leaves nothing of it.
    """

    code: str
    sql: str
    says: str
    engine: str = "logical"
    side: str = "source"
    replication: str = ""
    both: bool = False
    stays: str = ""
    severity: str = "error"
    also: tuple[str, ...] = ()


CASES = [
    Bad("PMG402", "CREATE TABLE t (x int)", "t has no primary key and no replica identity"),
    Bad("PMG402", "CREATE TABLE t (x int)", "DMS passes over", engine="dms"),
    Bad("PMG402", "CREATE TABLE t (x int); ALTER TABLE t REPLICA IDENTITY FULL", "DMS passes over", engine="dms"),
    Bad("PMG402", "CREATE TABLE t (x int NOT NULL); CREATE UNIQUE INDEX i ON t (x)", "DMS passes", engine="dms"),
    Bad("PMG402", "CREATE TABLE t (x int NOT NULL UNIQUE, \"Y\" int)", "DMS passes", engine="dms"),
    Bad("PMG402", "CREATE TABLE t (x int NOT NULL UNIQUE, y json)", "no replica identity"),
    Bad("PMG402", "CREATE TABLE t (x int, y json)", "and whole rows can not be its identity"),
    Bad(
        "PMG402",
        "CREATE TABLE t (x int) PARTITION BY LIST (x); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); "
        "CREATE TABLE t2 PARTITION OF t DEFAULT; ALTER TABLE t1 REPLICA IDENTITY FULL",
        "no replica identity",
    ),
    Bad("PMG402", "CREATE TABLE t (x text NOT NULL); CREATE UNIQUE INDEX i ON t (x text_pattern_ops)", "DMS passes",
        engine="dms"),
    Bad("PMG402", "CREATE TABLE t (x text NOT NULL); CREATE UNIQUE INDEX i ON t (x COLLATE \"POSIX\")", "DMS passes",
        engine="dms"),
    Bad("PMG402", "CREATE TABLE t (x int PRIMARY KEY DEFERRABLE)", "late and no replica identity: published so, its "
        "updates and deletes would fail on the source, and the start makes whole rows its identity"),
    Bad("PMG402", "CREATE TABLE t (x int, \"Y y\" int, z json, PRIMARY KEY (\"Y y\", x) DEFERRABLE)",
        "a primary key that is checked late and no"),
    Bad("PMG402", "CREATE TABLE t (x int, CONSTRAINT \"K\" PRIMARY KEY (x) DEFERRABLE)", "late: DMS passes", "dms"),
    Bad("PMG402", "CREATE TABLE t (x int NOT NULL UNIQUE, y int); ALTER TABLE t REPLICA IDENTITY USING INDEX t_x_key; "
        "ALTER TABLE t DROP CONSTRAINT t_x_key", "no primary key and no replica identity"),
    Bad("PMG402", "CREATE TYPE mixed AS (a int, b json[]); CREATE TABLE t (x int, y mixed[])", "no replica identity"),
    Bad("PMG402", "CREATE TABLE t (x int) PARTITION BY LIST (x)", "DMS", engine="dms",
        stays="a key has to hold the partition key: only its owner can choose it", also=("PMG406",)),
    Bad("PMG403", "ALTER TABLE payments REPLICA IDENTITY NOTHING", "payments has REPLICA IDENTITY NOTHING"),
    Bad(
        "PMG403",
        "CREATE TABLE t (x int PRIMARY KEY) PARTITION BY LIST (x); CREATE TABLE t1 PARTITION OF t DEFAULT; "
        "ALTER TABLE t1 REPLICA IDENTITY NOTHING",
        "public.t has",
    ),
    Bad("PMG403", "CREATE TABLE t (x int PRIMARY KEY, y int NOT NULL UNIQUE); "
        "ALTER TABLE t REPLICA IDENTITY USING INDEX t_y_key; ALTER TABLE t DROP CONSTRAINT t_y_key", "t has REPLICA"),
    Bad("PMG404", "CREATE TABLE t (x int, y json); ALTER TABLE t REPLICA IDENTITY FULL", "y (json)", also=("PMG412",)),
    Bad("PMG404", "CREATE TABLE t (x int PRIMARY KEY DEFERRABLE, y xml[]); ALTER TABLE t REPLICA IDENTITY FULL",
        "y (xml[])"),
    Bad("PMG404", "CREATE DOMAIN said AS json; CREATE DOMAIN told AS said[]; CREATE TABLE t (x int, y told); "
        "ALTER TABLE t REPLICA IDENTITY FULL", "y (public.told)", also=("PMG412",)),
    Bad("PMG404", "CREATE TYPE mixed AS (a int, b jsonpath); CREATE TABLE t (x int NOT NULL UNIQUE, y mixed); "
        "ALTER TABLE t REPLICA IDENTITY FULL", "y (public.mixed)", also=("PMG412",)),
    Bad("PMG405", "CREATE TABLE t (x int PRIMARY KEY) PARTITION BY LIST (x); "
        "CREATE UNLOGGED TABLE t1 PARTITION OF t DEFAULT", "public.t1 is unlogged"),
    Bad("PMG405", "CREATE UNLOGGED TABLE t (x int PRIMARY KEY)", "t is unlogged"),
    Bad(
        "PMG406", "CREATE TABLE t (x int PRIMARY KEY) PARTITION BY LIST (x)", "t is partitioned", "dms",
        stays="beyond SQL",
    ),
    Bad("PMG407", "CREATE MATERIALIZED VIEW m AS SELECT 1", "m is a materialized view", stays="beyond SQL",
        severity="note"),
    Bad(
        "PMG409",
        "CREATE SCHEMA o; CREATE TABLE o.p (x int PRIMARY KEY); "
        "CREATE TABLE t (x int PRIMARY KEY REFERENCES o.p)",
        "t refers to o.p"),
    Bad(
        "PMG410",
        "CREATE TABLE a (x int PRIMARY KEY); CREATE TABLE b (x int PRIMARY KEY REFERENCES a); "
        "ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES b; CREATE TABLE c (x int PRIMARY KEY REFERENCES b)",
        "public.a, public.b refer to each other",
        stays="beyond SQL",
        severity="note",
    ),
    Bad("PMG411", "ALTER TABLE payments ENABLE ROW LEVEL SECURITY; ALTER TABLE payments FORCE ROW LEVEL SECURITY",
        "row security hides rows of public.payments from mover on the source"),
    Bad("PMG409", "CREATE SCHEMA o; CREATE TABLE o.c (x bigint REFERENCES payments)",
        "o.c refers to public.payments by c_x_fkey, and stays behind", severity="warning"),
    Bad("PMG412", "CREATE TABLE t (x int); ALTER TABLE t REPLICA IDENTITY FULL", "looks through", severity="warning"),
    Bad("PMG413", "CREATE TABLE t (x int, y int GENERATED ALWAYS AS (x) STORED); ALTER TABLE t REPLICA IDENTITY FULL",
        "published on the target, of version 18, for the way back", both=True, also=("PMG412",)),
    Bad("PMG413", "CREATE TABLE t (y int GENERATED ALWAYS AS (1) STORED PRIMARY KEY, z text NOT NULL UNIQUE)",
        "t is known by y, which is generated and so not sent: the target stops"),
    Bad("PMG414", "CREATE TABLE \"Payments\" (x int PRIMARY KEY)", "public.Payments and public.payments differ in case",
        "dms", stays="beyond SQL"),
    Bad("PMG420", "CREATE TABLE t (x int PRIMARY KEY, n numeric); INSERT INTO t VALUES (1, 1.0123456789)",
        "t.n is numeric: DMS makes it NUMERIC(28,6)", "dms"),
    Bad("PMG420", "CREATE TABLE t (x int PRIMARY KEY, \"N n\" numeric(40,2))", "t.N n is numeric(40,2)", "dms"),
    Bad("PMG421", "CREATE DOMAIN cents AS bigint CHECK (VALUE > 0); CREATE TABLE t (x int PRIMARY KEY, n cents)",
        "a domain", "dms"),
    Bad("PMG421", "CREATE DOMAIN path AS int4multirange CHECK (NOT isempty(VALUE)); "
        "CREATE TABLE t (x int PRIMARY KEY, n public.path)", "t.n is public.path, a domain", "dms"),
    Bad("PMG421", "CREATE TABLE t (x int PRIMARY KEY, n int4multirange)", "t.n is int4multirange", "dms"),
    Bad(
        "PMG421",
        "SUPER;CREATE EXTENSION vector; CREATE TABLE t (x int PRIMARY KEY, n vector); ALTER TABLE t OWNER TO mover",
        "t.n is public.vector", "dms"),
    Bad("PMG422", "CREATE TABLE t (x int PRIMARY KEY, n timetz(3))", "drops the zone", "dms"),
    Bad("PMG423", "ALTER TABLE lines ADD twice bigint GENERATED ALWAYS AS (payment * 2) STORED", "twice is generated",
        "dms", both=True),
    Bad("PMG424", "ALTER TABLE payments ALTER id SET GENERATED ALWAYS", "refuses the numbers", "dms", both=True),
    Bad("PMG424", "ALTER TABLE payments ALTER id SET GENERATED ALWAYS", "refuses the numbers", "dms", side="target"),
    Bad("PMG424", "CREATE TABLE t (x int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)", "refuses the numbers", "dms"),
    Bad("PMG425", "CREATE TABLE t (x int PRIMARY KEY, n text NOT NULL)", "t.n is NOT NULL", "dms",
        replication="  large_objects: {mode: full}\n", stays="there is no target yet"),
    Bad("PMG425", "ALTER TABLE payments ALTER note SET NOT NULL", "payments.note is NOT NULL", "dms",
        replication="  large_objects: {mode: inline}\n", both=True),
    Bad(
        "PMG427",
        'CREATE TABLE t (x int PRIMARY KEY, "The doc" oid); INSERT INTO t SELECT 1, lo_from_bytea(0, \'abc\')',
        "holds 1 large objects",
        also=("PMG421",),
    ),
    Bad("PMG427", "SELECT lo_create(0)", "holds 1 large objects", severity="warning",
        stays="nobody knows what it is for"),
    Bad(
        "PMG430",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
        "CREATE TRIGGER \"My\" BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION f(); "
        "ALTER TABLE payments ENABLE ALWAYS TRIGGER \"My\"",
        'the trigger "My" of public.payments on the source',
    ),
    Bad(
        "PMG430",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
        "CREATE TRIGGER late BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION f(); "
        "ALTER TABLE payments ENABLE REPLICA TRIGGER late",
        "on the target fires",
        "dms",
        side="target",
    ),
    Bad(
        "PMG431",
        "SUPER;CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION f()",
        "the event trigger watch (ddl_command_end)",
        severity="warning",
    ),
    Bad(
        "PMG432",
        "CREATE RULE twice AS ON INSERT TO payments DO ALSO NOTIFY x; ALTER TABLE payments ENABLE ALWAYS RULE twice",
        "the rule twice",
        "dms",
    ),
    Bad(
        "PMG432",
        "CREATE RULE late AS ON INSERT TO payments DO ALSO NOTIFY x; ALTER TABLE payments ENABLE REPLICA RULE late",
        "the rule late",
        "dms",
    ),
    Bad(
        "PMG433",
        "CREATE FUNCTION pay(\"order\" int) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM payments'",
        "public.pay(integer) runs with the rights of mover and may write, and PUBLIC can call it: the fence takes that",
        severity="note",
    ),
    Bad(
        "PMG433",
        "SUPER;CREATE FUNCTION pay() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM payments'",
        "mover is no member of postgres and can't take that from them, so they pass the fence",
    ),
    Bad(
        "PMG433",
        "CREATE PROCEDURE pay() LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN DELETE FROM payments; END'; "
        "REVOKE EXECUTE ON PROCEDURE pay() FROM PUBLIC; GRANT EXECUTE ON PROCEDURE pay() TO app",
        "app can call it",
        severity="note",
    ),
    Bad("PMG440", "CREATE SEQUENCE s; CREATE TABLE t (x int PRIMARY KEY DEFAULT nextval('s'))",
        "though the default of public.t.x calls it", severity="note"),
    Bad("PMG441", "CREATE SEQUENCE s START 2147480000; "
        "CREATE TABLE t (x int PRIMARY KEY DEFAULT nextval('s')); ALTER SEQUENCE s OWNED BY t.x",
        "stands at 2147480000 and feeds public.t.x, of type integer"),
    Bad("PMG441", "CREATE SEQUENCE s START 32000; CREATE TABLE t (x smallint PRIMARY KEY DEFAULT nextval('s'))",
        "feeds public.t.x, of type smallint", also=("PMG440",)),
    Bad("PMG440", "CREATE SEQUENCE s", "moves because tables of its schema do", severity="note"),
    Bad("PMG440", "CREATE SCHEMA o; CREATE SEQUENCE o.s", "stays behind", severity="warning",
        stays="where it belongs, its owner knows"),
    Bad("PMG440", "CREATE SCHEMA o; CREATE SEQUENCE o.s; CREATE TABLE t (x int PRIMARY KEY DEFAULT nextval('o.s'))",
        "though the default of public.t.x calls it", severity="note", stays="a column's own sequence is in its schema"),
    Bad("PMG441", "CREATE TABLE t (x smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY); "
        "SELECT setval('t_x_seq', 32000)", "stands at 32000 and ends at 32767"),
    Bad("PMG441", "CREATE SEQUENCE s MAXVALUE 5000", "stands at 1 and ends at 5000", also=("PMG440",)),
    Bad("PMG441", "CREATE SEQUENCE s INCREMENT -1 MINVALUE -2147483648; SELECT setval('s', -2147483640)",
        "ends at -2147", also=("PMG440",)),
    Bad("PMG441", "CREATE TABLE \"T\" (\"X\" serial PRIMARY KEY); SELECT setval('\"T_X_seq\"', 2147483000)",
        "stands at 2147483000"),
    Bad("PMG442", "CREATE SEQUENCE s CYCLE", "starts over", severity="warning", also=("PMG440",)),
    Bad("PMG471", "SUPER;CREATE ROLE other; CREATE TABLE t (x int PRIMARY KEY); ALTER TABLE t OWNER TO other",
        "other owns public.t, and mover is no member"),
    Bad("PMG471", "SUPER;CREATE ROLE other; CREATE SEQUENCE s; ALTER SEQUENCE s OWNER TO other",
        "other owns the sequence public.s, and mover is no member", also=("PMG440",)),
    Bad("PMG472", "SUPER;CREATE ROLE \"Group\"; GRANT mover TO \"Group\"; GRANT \"Group\" TO app",
        "app is a member of the role that owns"),
    Bad("PMG472", "SUPER;ALTER TABLE payments OWNER TO app", "app owns public.payments", also=("PMG471",)),
    Bad("PMG472", "SUPER;GRANT mover TO app", "app is a member of the role that owns"),
    Bad("PMG473", "SUPER;ALTER ROLE app SUPERUSER", "app is a superuser"),
    Bad("PMG473", "SUPER;GRANT pg_write_all_data TO app", "member of pg_write_all_data"),
    Bad("PMG473", "SUPER;CREATE ROLE \"Group\"; GRANT pg_write_all_data TO \"Group\"; GRANT \"Group\" TO app",
        "member of pg_write_all_data"),
    Bad("PMG473", "SUPER;CREATE ROLE chief; GRANT pg_write_all_data TO chief WITH ADMIN OPTION; SET ROLE chief; "
        "GRANT pg_write_all_data TO app", "member of pg_write_all_data"),
    Bad("PMG474", "SUPER;CREATE ROLE dba LOGIN SUPERUSER", "dba may log in and write whatever", severity="warning"),
    Bad("PMG474", "SUPER;CREATE ROLE fellow LOGIN IN ROLE mover", "fellow may log in, and owns", severity="warning"),
    Bad("PMG474", "SUPER;CREATE ROLE batch LOGIN; GRANT UPDATE (note) ON payments TO batch",
        "batch may log in and write 1 of", severity="note", stays="it is meant to write"),
    Bad("PMG475", "GRANT INSERT ON payments TO PUBLIC", "everybody may write public.payments", severity="warning"),
    Bad("PMG476", "GRANT TRUNCATE ON payments TO app", "app may TRUNCATE public.payments", "dms", severity="warning"),
    Bad("PMG476", "GRANT TRUNCATE ON lines TO PUBLIC", "app may TRUNCATE public.lines", "dms", severity="warning",
        also=("PMG475",)),
    Bad("PMG476", "SUPER;CREATE ROLE \"Group\"; GRANT \"Group\" TO app; GRANT TRUNCATE ON lines TO \"Group\", app",
        "app may TRUNCATE public.lines", "dms", severity="warning"),
    Bad("PMG477", "SUPER;REVOKE pg_create_subscription FROM mover", "mover may not subscribe on the source"),
    Bad("PMG478", "SUPER;ALTER DATABASE {name} OWNER TO postgres", "mover may not create anything"),
    Bad("PMG470", "SUPER;ALTER ROLE mover NOREPLICATION", "mover may not replicate"),
    Bad("PMG459", "SUPER;ALTER ROLE mover SET statement_timeout = '1min'", "statement_timeout is 60000 ms for mover"),
    Bad("PMG459", "SUPER;ALTER ROLE mover SET transaction_timeout = '1min'", "on the target", side="target"),
    Bad("PMG460", "SUPER;ALTER ROLE mover SET default_transaction_read_only = on", "transactions of mover are read"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=lambda bad: f"{bad.code}-{bad.engine}-{bad.says[:20]}")
def test_it_is_found_and_its_own_sql_mends_it(pair: Pair, bad: Bad):
    pair.spec += f"replication:\n  engine: {bad.engine}\n{bad.replication}"
    target = bad.side == "target" or bad.both
    sql = bad.sql.removeprefix("SUPER;") if bad.sql.startswith("SUPER;") else f"SET ROLE mover; {bad.sql}"
    for side in ("source", "target") if bad.both else (bad.side,):
        pair.run(side, sql.replace("{name}", pair.name))
    try:
        findings = pair.judge(target)
        (found,) = with_code(findings, bad.code)
        assert bad.says in found.message
        assert found.severity == bad.severity
        assert {finding.code for finding in findings} <= {bad.code, *bad.also, *ALWAYS}
        if not bad.stays:
            assert found.sql
            pair.mend([found])
            assert with_code(pair.judge(target), bad.code) == []
    finally:
        if bad.sql.startswith("SUPER;"):
            clean(pair)


BEYOND_SQL = {
    "PMG401": "what a pattern selects is the spec's",
    "PMG406": "another engine replicates partitions as one table",
    "PMG407": "its rows are none to move: it is filled on the target, where it is told of all the same",
    "PMG408": "what is excluded is the spec's",
    "PMG410": "nothing is wrong",
    "PMG414": "a name is its owner's choice",
    "PMG426": "how large a value may be is the spec's",
    "PMG480": "the version is the spec's",
    "PMG481": "an encoding is a database's for ever",
    "PMG482": "an order is a database's for ever, and a column's its owner's choice",
    "PMG490": "nothing is wrong",
    "PMG491": "it was not looked at",
}
"""What no statement mends, because."""


def test_every_code_is_mended_by_its_own_sql_or_known_to_be_beyond_it():
    mended = {bad.code for bad in CASES if not bad.stays} | MENDED
    assert not mended & BEYOND_SQL.keys()
    assert mended | BEYOND_SQL.keys() == {code for code in CODES if code.startswith("PMG4")}
    assert {bad.code for bad in CASES if bad.stays == "beyond SQL"} <= BEYOND_SQL.keys()


MENDED: set[str] = set()
"""What tests of their own find, mend and look for again."""


def mends(*codes: str) -> Callable[[Function], Function]:
    """Say of a test which findings it mends by their own SQL."""
    MENDED.update(codes)
    return lambda function: function


def test_a_good_pair_has_nothing_but_what_it_tells(pair: Pair):
    for engine in ("dms", "logical"):
        pair.spec = f"{MINIMAL}replication:\n  engine: {engine}\n"
        found = pair.judge()
        assert {finding.code for finding in found} == ALWAYS
        assert not stops(found)


IDENTITIES = {"PMG402", "PMG403", "PMG404", "PMG413"}


def test_what_the_engine_refuses_is_found_and_mended(pair: Pair):
    """Every table of which real servers were seen to fail or not to fail."""
    pair.spec += "replication:\n  engine: logical\n"
    pair.run("source", f"SET ROLE mover; {TYPES}")
    for case in REPLICATED:
        alter = f"; ALTER TABLE {case.name} {case.then}" if case.then else ""
        pair.run("source", f"SET ROLE mover; CREATE TABLE {case.name} ({case.columns}){alter}")
    wrong = {case.name for case in REPLICATED if case.refused}
    assert refused_by_the_engine(pair) == wrong
    before = found_by_name(pair)
    assert wrong <= before.keys()
    assert before.keys() - wrong == {"keyless", "late", "dropped", "dropped_keyed", "nothing"}  # have no identity yet
    pair.mend([finding for finding in before.values() if finding.sql])
    left = {"generated_key", "generated_index"}  # of other columns none is known to tell a row
    assert refused_by_the_engine(pair) == left == found_by_name(pair).keys()


def test_what_no_switchover_publishes_is_found_under_dms_too(pair: Pair):
    """Its comparison publishes the tables on both sides, whatever replicates them."""
    server = pair.servers["target"]
    newest = Pair({"source": server, "target": server}, pair.name, f"{MINIMAL}replication:\n  engine: dms\n", pair.made)
    newest.run("source", f"SET ROLE mover; {TYPES}")
    for case in REPLICATED:
        alter = f"; ALTER TABLE {case.name} {case.then}" if case.then else ""
        newest.run("source", f"SET ROLE mover; CREATE TABLE {case.name} ({case.columns}){alter}")
    newest.run(
        "source",
        "SET ROLE mover; ALTER TABLE generated_late REPLICA IDENTITY FULL;"
        "ALTER TABLE generated_index ADD UNIQUE (id), ALTER id SET NOT NULL",
    )
    keyless = {"generated", "generated_blind"}
    forbidden = keyless | {"generated_late", "generated_key", "generated_index"}
    assert forbidden_by_the_switchover(newest) == forbidden
    found = with_code(newest.judge(), "PMG413")
    assert named(found).keys() == forbidden - keyless
    assert named(with_code(newest.judge(), "PMG402")).keys() >= keyless
    assert all("no switchover publishes it on the source, of version 18" in finding.message for finding in found)
    newest.mend([finding for finding in found if finding.sql])
    assert forbidden_by_the_switchover(newest) - keyless == {"generated_key"}  # of other columns none tells a row
    assert named(with_code(newest.judge(), "PMG413")).keys() == {"generated_key"}


def test_below_version_18_nothing_stands_in_the_way_of_dms(pair: Pair):
    """The target's column is no generated one: PMG423 sees to that."""
    pair.spec += "replication:\n  engine: dms\n"
    for side in ("source", "target"):
        pair.run(
            side, "SET ROLE mover; CREATE TABLE t (x int NOT NULL, y int GENERATED ALWAYS AS (x) STORED PRIMARY KEY)"
        )
    pair.mend(with_code(pair.judge(), "PMG423"))
    assert forbidden_by_the_switchover(pair) == set()
    assert {finding.code for finding in pair.judge()} & IDENTITIES == set()


def forbidden_by_the_switchover(pair: Pair) -> set[str]:
    found = set()
    for server in pair.servers.values():
        with closing(server.connect(pair.name)) as connection, connection.cursor() as cursor:
            tables = read_tables(cursor, ["public.%"])
            major = connection.server_version // 10_000
        found |= {table.name for table in tables if publication.forbidden([table], major)}
    return found


def refused_by_the_engine(pair: Pair) -> set[str]:
    with closing(pair.servers["source"].connect(pair.name)) as connection, connection.cursor() as cursor:
        tables = read_tables(cursor, ["public.%"])
    return {table.name for table in tables if publication.refused([table], 16) or publication.forbidden([table], 18)}


def found_by_name(pair: Pair) -> dict[str, Finding]:
    return named([finding for finding in pair.judge() if finding.code in IDENTITIES])


def named(found: list[Finding]) -> dict[str, Finding]:
    by_name = {finding.message.removeprefix("public.").split()[0]: finding for finding in found}
    assert len(by_name) == len(found)
    return by_name


def test_what_is_for_replicas_alone_does_not_begin_to_work_for_the_application(pair: Pair):
    pair.run(
        "source",
        "SET ROLE mover; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END'",
        "SET ROLE mover; CREATE TRIGGER late BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION f();"
        "ALTER TABLE payments ENABLE REPLICA TRIGGER late",
        "SET ROLE app; INSERT INTO payments (amount) VALUES (1)",
    )
    pair.mend(with_code(pair.judge(), "PMG430"))
    assert with_code(pair.judge(), "PMG430") == []
    pair.run("source", "SET ROLE app; INSERT INTO payments (amount) VALUES (1)")


def test_a_finding_names_the_pattern_that_brings_the_table_in(pair: Pair):
    pair.run(
        "source", "CREATE SCHEMA pay; CREATE TABLE pay.t (x int); CREATE TABLE u (x int); CREATE TABLE pay.v (x int)"
    )
    pair.spec += "replication:\n  engine: dms\n  tables: {include: [public.%, pay.t, pay.%], exclude: [pay.v]}\n"
    paths = {finding.message.split()[0]: finding.path for finding in with_code(pair.judge(), "PMG402")}
    assert paths == {
        "pay.t": ("replication", "tables", "include", 1),
        "public.u": ("replication", "tables", "include", 0),
    }


def test_patterns_that_select_nothing(pair: Pair):
    pair.spec += (
        "replication:\n  tables: {include: [public.%, public.paiments, public.lines], exclude: [tmp.%, public.lines]}\n"
    )
    found = with_code(pair.judge(), "PMG401")
    assert [(str(each.severity), each.path[-2:], each.advice) for each in found] == [
        ("error", ("include", 1), "write what exists, as public.payments"),
        ("warning", ("exclude", 0), "correct the pattern, or delete it"),
    ]


def test_columns_generated_when_read_need_a_target_that_can(pair: Pair):
    pair.run("target", "ALTER TABLE lines ADD twice bigint GENERATED ALWAYS AS (payment * 2) VIRTUAL")
    turned = pair.turned()
    turned.spec += "replication:\n  engine: logical\n"
    (found,) = with_code(turned.judge(), "PMG423")
    assert "PostgreSQL 16 on the target can't do" in found.message
    newest = Pair(
        {"source": pair.servers["target"], "target": pair.servers["target"]}, pair.name, turned.spec, pair.made
    )
    assert with_code(newest.judge(), "PMG423") == []
    newest.spec = f"{MINIMAL}replication:\n  engine: dms\n"
    (other,) = with_code(newest.judge(), "PMG423")
    assert "can't be made to take" in other.message
    assert other.sql == found.sql
    newest.mend([other])
    for mended in (newest, turned):
        assert with_code(mended.judge(), "PMG423") == []


def test_a_target_older_than_its_source(pair: Pair):
    turned = pair.turned()
    assert "the target is PostgreSQL 16 and the source 18." in with_code(turned.judge(), "PMG480")[0].message
    turned.spec += 'database: {engine_version: "16.9"}\n'
    (found,) = with_code(turned.judge(target=False), "PMG480")
    assert found.path == ("database", "engine_version")
    assert with_code(pair.judge(), "PMG480") == []


def test_what_a_domain_demands_is_demanded_by_the_table_then(pair: Pair):
    """All of it, through every domain that a domain is one of; and a word in a literal is no value."""
    pair.spec += "replication:\n  engine: dms\n"
    pair.run(
        "source",
        "SET ROLE mover; CREATE COLLATION \"Other\" (PROVIDER = libc, LOCALE = 'POSIX');"
        "CREATE DOMAIN word AS varchar(9) COLLATE \"Other\" NOT NULL CHECK (VALUE <> 'VALUE' AND VALUE <> 'it''s');"
        "CREATE DOMAIN short AS word DEFAULT 'a \"VALUE\"' CHECK (length(VALUE) < 10 OR NULLIF(VALUE, 'x') IS NULL);"
        "ALTER DOMAIN short ADD CONSTRAINT low CHECK (lower(VALUE) = VALUE) NOT VALID;"
        "CREATE TABLE t (x int PRIMARY KEY, \"VALUE n\" short, own short DEFAULT 'own');"
        "INSERT INTO t VALUES (1, 'fine')",
    )
    first, second = with_code(pair.judge(target=False), "PMG421")
    pair.mend([first, second])
    assert with_code(pair.judge(target=False), "PMG421") == []
    with closing(pair.servers["source"].connect(pair.name)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (2, 'good') RETURNING own")
        assert cursor.fetchone() == ("own",)
        for refused in ("'VALUE'", "'it''s'", "'UPPER'", "NULL"):
            with pytest.raises(psycopg2.errors.IntegrityError):
                cursor.execute(f"INSERT INTO t VALUES (3, {refused})")
        with pytest.raises(psycopg2.errors.StringDataRightTruncation):
            cursor.execute("INSERT INTO t VALUES (3, 'far too long')")
        with pytest.raises(psycopg2.errors.CheckViolation):  # which says that the default was kept
            cursor.execute("INSERT INTO t VALUES (3)")
        cursor.execute(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), l.collname FROM pg_attribute a"
            " JOIN pg_collation l ON l.oid = a.attcollation WHERE a.attrelid = 't'::regclass ORDER BY a.attnum"
        )
        assert cursor.fetchall() == [(name, "character varying(9)", "Other") for name in ("VALUE n", "own")]


def test_values_that_may_be_cut(pair: Pair):
    pair.spec += "replication:\n  engine: dms\n  large_objects: {mode: limited, max: 64KiB}\n"
    pair.run(
        "source",
        "INSERT INTO payments (amount, note) SELECT 1, string_agg(md5(g::text), '') FROM generate_series(1, 999) g",
    )
    (found,) = with_code(pair.judge(), "PMG426")
    assert "of large values in note" in found.message
    pair.spec = pair.spec.replace("64KiB", "8MiB")
    assert with_code(pair.judge(), "PMG426") == []


@mends("PMG484")
def test_an_extension_that_the_target_lacks(pair: Pair):
    pair.run("source", "CREATE EXTENSION vector")
    assert with_code(pair.judge(), "PMG484") == []  # both embedded servers have it
    assert with_code(pair.judge(target=False), "PMG484") == []  # and so has Aurora
    pair.run("source", "UPDATE pg_extension SET extname = 'timescaledb' WHERE extname = 'vector'")
    for target, where in ((True, "the target"), (False, "Aurora")):
        (found,) = with_code(pair.judge(target), "PMG484")
        assert f"which {where} does not offer" in found.message
    pair.mend([found])
    assert with_code(pair.judge(), "PMG484") == []


def test_an_extension_s_own_table_is_not_selected_by_dms(pair: Pair):
    pair.spec += "replication:\n  engine: dms\n"
    pair.run(
        "source",
        "CREATE EXTENSION vector; CREATE TABLE known (x int PRIMARY KEY)",
        "ALTER EXTENSION vector ADD TABLE known",
    )
    (found,) = with_code(pair.judge(), "PMG408")
    assert found.advice == "add public.known to replication.tables.exclude"
    pair.spec = pair.spec.replace("engine: dms", "engine: dms\n  tables: {exclude: [public.known]}")
    assert with_code(pair.judge(), "PMG408") == []


def test_a_foreign_table_s_rows_stay_where_they_are(pair: Pair):
    pair.run(
        "source",
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w",
        "CREATE FOREIGN TABLE f (x int) SERVER s",
    )
    (found,) = with_code(pair.judge(), "PMG407")
    assert "public.f is a foreign table" in found.message
    pair.run(
        "source",
        "CREATE TABLE t (x int) PARTITION BY LIST (x); ALTER TABLE t OWNER TO mover",
        "CREATE FOREIGN TABLE far PARTITION OF t DEFAULT SERVER s",
    )
    part, found = with_code(pair.judge(), "PMG407")
    assert "public.far, a partition of public.t, is a foreign table" in part.message
    assert (part.severity, found.severity) == ("error", "warning")


def test_encodings(servers, pair: Pair):
    for encoding, says, severity in (
        ("LATIN1", "converted on the way", "warning"),
        ("SQL_ASCII", "which is none", "error"),
    ):
        name = fresh("encoded")
        run(
            servers["source"],
            "postgres",
            f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 OWNER mover",
        )
        servers["target"].create_database(name, owner="mover")
        encoded = Pair(servers, name, made={server.port for server in servers.values()})
        (found,) = with_code(encoded.judge(), "PMG481")
        assert says in found.message
        assert found.severity == severity
        if encoding == "LATIN1":
            assert said(found) == page("PMG481")[1]
        assert len(with_code(encoded.judge(target=False), "PMG481")) == 1


ORDINARY = """
CREATE TYPE state AS ENUM ('new', 'paid'); CREATE DOMAIN cents AS bigint NOT NULL DEFAULT 0 CHECK (VALUE >= 0);
CREATE TYPE address AS (street text, city text);
CREATE TABLE merchants (
    id uuid PRIMARY KEY, name varchar(80) NOT NULL UNIQUE, home address, tags text[], settings jsonb, raw json,
    parent uuid REFERENCES merchants, made timestamptz NOT NULL DEFAULT now(), at point, span tstzrange
);
CREATE TABLE invoices (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, merchant uuid NOT NULL REFERENCES merchants ON DELETE CASCADE,
    total numeric NOT NULL, net cents, doubled numeric GENERATED ALWAYS AS (total * 2) STORED, state state, doc bytea,
    EXCLUDE USING gist (during WITH &&), during daterange
);
CREATE TABLE events (id bigserial, at date NOT NULL, what text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2026-01-01');
CREATE TABLE events_new PARTITION OF events DEFAULT PARTITION BY HASH (id);
CREATE TABLE events_new_0 PARTITION OF events_new FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX ON events (what text_pattern_ops); CREATE INDEX ON invoices ((total * 2)) WHERE state = 'new';
CREATE VIEW paid AS SELECT * FROM invoices WHERE state = 'paid';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.made := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON merchants FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION total(uuid) RETURNS numeric LANGUAGE sql STABLE
    AS 'SELECT sum(total) FROM invoices WHERE merchant = $1';
COMMENT ON TABLE events IS 'VALUE'; REVOKE ALL ON FUNCTION total FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
INSERT INTO merchants (id, name) VALUES (gen_random_uuid(), 'Zoë');
INSERT INTO invoices (merchant, total) SELECT id, 1.5 FROM merchants;
INSERT INTO events (at) VALUES ('2025-01-01'), (now());
"""


def test_an_ordinary_schema_has_what_its_engine_minds_and_nothing_else(pair: Pair):
    for side in ("source", "target"):
        pair.run(side, f"SET ROLE mover; {ORDINARY}")
    pair.spec = f"{MINIMAL}replication:\n  engine: logical\n"
    assert {finding.code for finding in pair.judge()} == ALWAYS
    pair.spec = f"{MINIMAL}replication:\n  engine: dms\n"
    found = [(finding.code, finding.message.split(" is ")[0]) for finding in pair.judge() if finding.code not in ALWAYS]
    assert found == [
        ("PMG406", "public.events"),
        ("PMG420", "public.invoices.total"),
        ("PMG420", "public.invoices.doubled"),
        ("PMG421", "public.invoices.net"),
        ("PMG423", "public.invoices.doubled"),
        ("PMG424", "public.invoices.id"),
    ]


@mends("PMG483")
def test_collations(pair: Pair):
    turned = pair.turned()  # the newer server has a collation that is built in
    turned.run(
        "source",
        "CREATE COLLATION known (PROVIDER = builtin, LOCALE = 'C.UTF-8')",
        "ALTER TABLE payments ALTER note TYPE text COLLATE known",
    )
    assert not {finding.code for finding in turned.judge()} & {"PMG482", "PMG483"}  # the schema's transfer makes it
    turned.run("source", "UPDATE pg_collation SET collversion = '0' WHERE collname = 'pg_c_utf8'")
    assert with_code(turned.judge(), "PMG483") == []  # nothing of the tables is ordered by it
    turned.run("source", "UPDATE pg_collation SET collversion = '0' WHERE collname = 'known'")
    (found,) = with_code(turned.judge(), "PMG483")
    assert said(found) == page("PMG483")[1]
    turned.mend([found])
    assert with_code(turned.judge(), "PMG483") == []
    turned.run("source", "ALTER TABLE payments ALTER note TYPE text COLLATE pg_c_utf8")
    (found,) = with_code(turned.judge(), "PMG482")
    assert said(found) == page("PMG482")[1]


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        ({"collate": "en_US.utf8"}, {"collate": "en_US.UTF-8"}, ""),
        ({"collate": "POSIX"}, {"collate": "C"}, ""),
        ({"collate": "de_DE.UTF-8"}, {"collate": "en_US.utf8"}, "by de_DE.UTF-8 on the source and by en_US.UTF-8 on"),
        (
            {"collate": "en_US.UTF-8", "provider": "i", "locale": "en-US"},
            {"collate": "en_US.UTF-8", "provider": "c"},
            "by en-US of ICU on the source and by en_US.UTF-8 on the target",
        ),
    ],
)
def test_one_order_of_text_may_be_spelled_in_two_ways(pair: Pair, ours, theirs, says):
    """On servers that have these locales; the ones here do not."""
    case = pair.case()
    assert case.target is not None
    source = replace(case.source, server={**case.source.server, **ours})
    target = replace(case.target, server={**case.target.server, **theirs})
    found = with_code(judge(replace(case, source=source, target=target)), "PMG482")
    assert len(found) == bool(says)
    assert all(says in each.message for each in found)


def test_what_is_set_in_a_parameter_group_has_the_name_that_it_has_there(pair: Pair):
    case = pair.case()
    settings = {**case.source.server["settings"], "wal_level": {"value": "replica", "unit": None}}
    managed = replace(case.source, server={**case.source.server, "managed": True, "settings": settings})
    (found,) = with_code(judge(replace(case, source=managed)), "PMG450")
    assert (found.advice, found.sql) == (
        "set it in the parameter group and reboot: rds.logical_replication = 1",
        (),
    )


def test_another_order_of_text(servers):
    name = fresh("ordered")
    order = "LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' TEMPLATE template0 OWNER mover"
    run(servers["source"], "postgres", f"CREATE DATABASE {name} {order}")
    servers["target"].create_database(name, owner="mover")
    ordered = Pair(servers, name, made={server.port for server in servers.values()})
    (found,) = with_code(ordered.judge(), "PMG482")
    assert "ordered by C.UTF-8 on the source and by C on the target" in found.message


def test_an_application_that_is_the_migration_s_own_login(pair: Pair):
    """There is one login for everything: its tables go to a role that nobody logs in as."""
    (found,) = with_code(pair.judge(application="mover"), "PMG472")
    pair.run("source", *found.sql)
    again = pair.judge(application="mover")
    assert with_code(again, "PMG472") == []
    (missing,) = with_code(again, "PMG471")  # who is to own them is the next question
    assert "paymig_owner owns public.lines and 1 more" in missing.message
    pair.run("source", "REASSIGN OWNED BY paymig_owner TO mover")
    clean(pair)


def test_how_much_moves_and_how_long_that_takes(pair: Pair):
    (told,) = with_code(pair.judge(), "PMG490")
    assert "2 tables with about 0 rows" in told.message
    assert "less than a minute" in told.message
    assert told.advice.endswith("public.payments, public.lines")
    pair.run(
        "source",
        "INSERT INTO payments (amount, note) SELECT 1, repeat(md5(g::text), 12) FROM generate_series(1, 90000) g",
        "ANALYZE payments",
    )
    (told,) = with_code(pair.judge(), "PMG490")
    assert "about 90,000 rows" in told.message
    assert "MiB/s measured now" in told.message


@mends("PMG457")
def test_transactions_that_are_in_the_way(pair: Pair, monkeypatch):
    monkeypatch.setattr(server_rules, "LONG_TRANSACTION", 0.0)
    pair.make("source")
    with closing(psycopg2.connect(pair.servers["source"].dsn(pair.name, "mover", "secret"))) as connection:
        connection.cursor().execute("SELECT 1")
        (found,) = with_code(pair.judge(), "PMG457")
        assert "the transaction of mover" in found.message
        assert "once it writes, the start" in found.message
        connection.cursor().execute("UPDATE payments SET note = note")
        connection.cursor().execute("INSERT INTO payments (amount) VALUES (1)")
        (found,) = with_code(pair.judge(), "PMG457")
        assert "s: the start of the replication and the fence wait for it" in found.message
        pair.mend([found])
        assert with_code(pair.judge(), "PMG457") == []


@pytest.fixture(scope="module", params=[16, 18])
def odd(request) -> Iterator[Postgres]:
    settings = {
        **VOLATILE,
        "wal_level": "replica",
        "max_replication_slots": "0",
        "max_wal_senders": "0",
        "max_logical_replication_workers": "2",
        "wal_sender_timeout": "5s",
        "max_slot_wal_keep_size": "1GB",
        "ssl_min_protocol_version": "TLSv1",
        "max_prepared_transactions": "2",
        **({"idle_replication_slot_timeout": "1h"} if request.param == 18 else {}),
    }
    with Postgres.start(request.param, settings) as server:
        server.create_role("mover", "secret", "REPLICATION")
        server.create_role("app", "secret")
        run(server, "postgres", "GRANT pg_read_all_settings, pg_create_subscription TO mover")
        yield server


@mends("PMG450", "PMG451", "PMG452", "PMG453", "PMG454", "PMG455", "PMG456", "PMG462")
def test_settings_of_a_server(odd: Postgres, tmp_path):
    """Each is found on both sides of a migration from the server to itself, and gone once its SQL was run."""
    name = fresh("payments")
    odd.create_database(name, owner="mover")
    both = Pair({"source": odd, "target": odd}, name, made={odd.port})
    run(
        odd,
        name,
        "BEGIN; CREATE TABLE t (x int PRIMARY KEY); ALTER TABLE t OWNER TO mover; PREPARE TRANSACTION 'it''s me'",
    )
    settings = {"PMG450", "PMG451", "PMG452", "PMG454", "PMG455", "PMG456", "PMG462"}
    found: list[Finding] = []
    for engine in ("dms", "logical"):
        both.spec = f"{MINIMAL}replication:\n  engine: {engine}\n"
        found += both.judge()
    assert {each.code for each in found if each.code in settings | {"PMG453"}} == settings | {"PMG453"}
    assert {each.side for each in with_code(found, "PMG450")} == {"source", "target"}
    printed = {said(each) for each in found}
    for code in ("PMG450", "PMG451", "PMG452", "PMG453", "PMG454", "PMG455", "PMG462"):
        assert page(code)[1] in printed
    assert len({each.message for each in with_code(found, "PMG455")}) == (4 if odd.version.startswith("18") else 2)
    done: set[str] = set()
    for each in found:
        if each.code in settings | {"PMG453"}:
            run(odd, name, *(statement for statement in each.sql if statement not in done))
            done |= set(each.sql) - {"SELECT pg_reload_conf()"}
    odd.restart()
    for engine in ("dms", "logical"):
        both.spec = f"{MINIMAL}replication:\n  engine: {engine}\n"
        assert {each.code for each in both.judge()} <= {"PMG461", "PMG490"}


def test_a_prepared_transaction_of_another_database_is_in_the_way_too(odd: Postgres):
    name = fresh("payments")
    odd.create_database(name, owner="mover")
    both = Pair({"source": odd, "target": odd}, name, made={odd.port})
    run(odd, "postgres", "BEGIN; CREATE TABLE far (x int); PREPARE TRANSACTION 'far'")
    try:
        (found,) = with_code(both.judge(target=False), "PMG456")
        assert found.sql == ()
        assert found.advice.endswith("ROLLBACK PREPARED, in the database postgres of the same server")
    finally:
        run(odd, "postgres", "ROLLBACK PREPARED 'far'")
    assert with_code(both.judge(target=False), "PMG456") == []


def test_a_database_whose_own_collation_has_another_version(servers):
    """The one of most indexes of text: it is the database's, and no column's."""
    newer = servers["target"]
    name = fresh("ordered")
    builtin = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    run(newer, "postgres", f"CREATE DATABASE {name} {builtin} OWNER mover")
    pair = Pair({"source": newer, "target": newer}, name, made={newer.port})
    assert with_code(pair.judge(target=False), "PMG483") == []
    run(newer, "postgres", f"UPDATE pg_database SET datcollversion = '0' WHERE datname = '{name}'")
    (found,) = with_code(pair.judge(target=False), "PMG483")
    assert "the collation of the database was made with version 0 and is now run with 1" in found.message
    pair.mend([found])
    assert with_code(pair.judge(target=False), "PMG483") == []


def test_an_application_that_gave_its_tables_away_still_pays(pair: Pair):
    """Foreign keys are checked with the rights of the tables' owner, who has to see into the schema."""
    source = pair.servers["source"]
    pair.run("source", "CREATE SCHEMA shop AUTHORIZATION app", "GRANT USAGE ON SCHEMA shop TO mover")
    pair.run("source", "REVOKE ALL ON SCHEMA shop FROM mover")
    pair.run(
        "source",
        "SET ROLE app; CREATE TABLE shop.a (x int PRIMARY KEY)",
        "SET ROLE app; CREATE TABLE shop.b (x serial PRIMARY KEY, a int REFERENCES shop.a)",
    )
    pair.spec += "replication:\n  engine: logical\n  tables: {include: [shop.%]}\n"
    (found,) = with_code(pair.judge(target=False), "PMG472")
    pair.run("source", *found.sql)
    assert with_code(pair.judge(target=False), "PMG472") == []
    with closing(psycopg2.connect(source.dsn(pair.name, "app", "secret"))) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO shop.a VALUES (1); INSERT INTO shop.b (a) VALUES (1); DELETE FROM shop.b")


SYSTEM = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


@mends("PMG461")
@pytest.mark.skipif(not SYSTEM, reason="the servers of the wheel are built without TLS")
def test_a_connection_without_tls(monkeypatch):
    monkeypatch.setenv("PAYMIG_PG_BIN", str(SYSTEM[-1].parent))
    with Postgres.start(settings={**VOLATILE, "ssl": "off"}) as server:
        server.create_role("mover", "secret", "REPLICATION", "SUPERUSER")
        server.create_database("payments", owner="mover")
        both = Pair({"source": server, "target": server}, "payments", made={server.port})
        found = with_code(both.judge(target=False), "PMG461")
        assert [said(each) for each in found] == [page("PMG461")[1]]
        give_certificate(server)
        both.mend(found)
        assert with_code(both.judge(), "PMG461") == []


def give_certificate(server: Postgres) -> None:
    """Let the server have a certificate, as its own account needs it."""
    key, certificate = server.data / "server.key", server.data / "server.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    owner = server.data.stat()
    for path in (key, certificate):
        path.chmod(0o600)
        os.chown(path, owner.st_uid, owner.st_gid)


@mends("PMG458")
def test_a_standby_and_an_abandoned_slot(odd: Postgres, monkeypatch):
    monkeypatch.setattr(server_rules, "_KEPT", -1)
    name = fresh("payments")
    odd.create_database(name, owner="mover")
    odd.restart({"wal_level": "logical", "max_replication_slots": "4", "max_wal_senders": "4"})
    for slot in ("left", "paymig_payments_prod_fwd"):  # the other one may be paused
        run(odd, name, f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    both = Pair({"source": odd, "target": odd}, name, made={odd.port})
    found = with_code(both.judge(target=False), "PMG458")
    assert [each.message.split(" on ")[0] for each in found] == ["nobody reads the slot left"]
    both.mend(found)
    assert with_code(both.judge(), "PMG458") == []
    run(odd, name, "SELECT pg_create_logical_replication_slot('paymig_payments_prod_rev', 'pgoutput')")
    both.spec = f"{MINIMAL}replication:\n  engine: logical\n"
    assert with_code(both.judge(), "PMG451") == []  # what is there is ours, and no three more are needed then
    run(odd, name, "SELECT pg_drop_replication_slot('paymig_payments_prod_fwd')")
    run(odd, name, "SELECT pg_create_logical_replication_slot('others', 'pgoutput')")
    run(odd, name, "SELECT pg_create_logical_replication_slot('more', 'pgoutput')")
    assert "2 are in use and 3 more are needed" in with_code(both.judge(), "PMG451")[0].message
    run(odd, name, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    (odd.data / "standby.signal").touch()
    odd.restart()
    (found,) = with_code(both.judge(target=False), "PMG460")
    assert "the source is a standby" in found.message
    both.mend([found])
    assert with_code(both.judge(), "PMG460") == []
