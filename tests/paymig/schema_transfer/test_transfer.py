"""A schema goes from one real server to another in two sections, however often it is interrupted."""

from collections.abc import Iterator
from contextlib import closing
from itertools import count

import psycopg2
import pytest

from paymig.embedded.postgres import VOLATILE, Postgres
from paymig.errors import Refused
from paymig.schema_transfer import tools, transfer
from paymig.schema_transfer.contents import after_the_load, before_the_load, entries
from paymig.schema_transfer.tools import find_tools
from runtime_lambdas.runtime.catalogue_diff import diff_catalogues
from runtime_lambdas.runtime.database import Server
from runtime_lambdas.runtime.logins import Login
from tests.runtime_lambdas.test_catalogue_diff import PAYMENTS, RICH

_numbers = count(1)

MORE = """
CREATE TABLE pay."by index" (x int NOT NULL, doc json); CREATE UNIQUE INDEX "an index" ON pay."by index" (x);
ALTER TABLE pay."by index" REPLICA IDENTITY USING INDEX "an index";
COMMENT ON TABLE pay.t IS 'two
lines'; COMMENT ON INDEX pay.u_up IS 'up'; COMMENT ON EXTENSION vector IS 'mine';
INSERT INTO pay.t (amount) VALUES (5); REFRESH MATERIALIZED VIEW pay.m;
CREATE MATERIALIZED VIEW pay.later AS SELECT n FROM pay.m;
CREATE INDEX later_n ON pay.later (n);
ALTER TABLE pay.p DROP CONSTRAINT p_pkey;
ALTER TABLE pay.p ADD CONSTRAINT "the key" PRIMARY KEY (at, id);
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Postgres, Postgres]]:
    with Postgres.start(16, VOLATILE) as older, Postgres.start(18, VOLATILE) as newer:
        yield older, newer


@pytest.fixture
def logins(servers) -> tuple[Login, Login]:
    """Logins to a rich source and to an empty target."""
    name = f"transfer {next(_numbers)}"
    for server in servers:
        server.create_database(name)
    run(servers[0], name, RICH, PAYMENTS.read_text(), MORE)
    return tuple(
        Login(
            Server(server.host, server.port, name, "verify-full", None),
            {"username": server.user, "password": server.password},
        )
        for server in servers
    )


def run(server: Postgres, name: str, *statements: str) -> None:
    with closing(server.connect(name)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def ask(login: Login, query: str) -> list[tuple]:
    with closing(login.open()) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def differences(logins) -> list:
    with (
        closing(logins[0].open()) as ours,
        closing(logins[1].open()) as theirs,
        ours.cursor() as source,
        theirs.cursor() as target,
    ):
        return diff_catalogues(source, target)


KEYS = "SELECT conname FROM pg_constraint WHERE contype = 'p' AND connamespace <> 'pg_catalog'::regnamespace ORDER BY 1"


def test_both_sections_make_the_same_schema(logins):
    source, target = logins
    done = transfer.transfer(source, target, "pre-data")
    assert (done.outcome, done.extra) == ("made", ())
    assert done.major == 16
    assert ask(target, KEYS) == ask(source, KEYS)
    identity = "SELECT relreplident::text FROM pg_class WHERE oid = 'pay.\"by index\"'::regclass"
    assert ask(target, identity) == [("i",)]
    left = differences(logins)
    assert {difference.kind for difference in left} == {
        "constraint", "index", "trigger", "rule", "policy", "statistics",
    }  # fmt: skip
    assert all(difference.target is None for difference in left)
    with closing(target.open()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO pay.t (amount) VALUES (7)")  # the load
    done = transfer.transfer(source, target, "post-data")
    assert done.outcome == "made"
    assert differences(logins) == []
    assert ask(target, "SELECT n, relispopulated FROM pay.later, pg_class WHERE relname = 'later'") == [(1, True)]
    assert ask(target, "SELECT obj_description('pay.u_up'::regclass), obj_description('pay.t'::regclass)") == [
        ("up", "two\nlines")
    ]
    assert ask(target, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'pay'") == [("postgres",)]


def test_a_second_run_makes_nothing(logins):
    for section in ("pre-data", "post-data"):
        assert transfer.transfer(*logins, section).outcome == "made"
    for section in ("pre-data", "post-data"):
        done = transfer.transfer(*logins, section)
        assert (done.outcome, done.objects) == ("unchanged", 0)


def test_what_a_failed_run_left_out_is_made_by_the_next(servers, logins):
    source, target = logins
    transfer.transfer(source, target, "pre-data")
    run(servers[1], target.server.name, "INSERT INTO pay.u (t) VALUES (99)")  # its row is not there: the key can't be
    with pytest.raises(Refused, match="u_t_fkey"):
        transfer.transfer(source, target, "post-data")
    left = differences(logins)
    assert "pay.u.u_t_fkey" in {difference.name for difference in left}
    run(servers[1], target.server.name, "DELETE FROM pay.u")
    transfer.transfer(source, target, "post-data")
    assert differences(logins) == []
    run(servers[1], target.server.name, "DROP INDEX pay.u_up; DROP TRIGGER trip ON pay.t")
    done = transfer.transfer(source, target, "post-data")
    assert done.outcome == "made"
    assert differences(logins) == []


def test_a_target_with_another_schema_is_left_alone(servers, logins):
    source, target = logins
    run(servers[1], target.server.name, "CREATE SCHEMA pay; CREATE TABLE pay.u (other text)")
    with pytest.raises(Refused) as caught:
        transfer.transfer(source, target, "pre-data")
    assert "has 1 of the source's tables already" in caught.value.message
    assert "the table pay.t is missing on the target" in caught.value.message
    assert ask(target, "SELECT count(*) FROM pg_tables WHERE schemaname = 'pay'") == [(1,)]
    with pytest.raises(Refused, match="not the source's"):
        transfer.transfer(source, target, "post-data")


def test_pre_data_is_made_whole_or_not_at_all(servers, logins):
    source, target = logins
    run(servers[1], target.server.name, "CREATE SCHEMA pay; CREATE VIEW pay.p AS SELECT 1")
    with pytest.raises(Refused, match="pg_restore 16 failed"):
        transfer.transfer(source, target, "pre-data")
    assert ask(target, "SELECT count(*) FROM pg_tables WHERE schemaname IN ('pay', 'public')") == [(0,)]


def test_what_is_on_the_target_only_is_told(servers, logins):
    source, target = logins
    run(servers[1], target.server.name, "CREATE SCHEMA own; CREATE TABLE own.t (x int)")
    done = transfer.transfer(source, target, "pre-data")
    assert {difference.name for difference in done.extra} == {"own", "own.t", "own.t.x"}


def test_the_oldest_tools_that_know_the_server_are_taken(logins, monkeypatch):
    folders = {find_tools(major, logins[0]).folder for major in (13, 16)}
    assert find_tools(17, logins[0]).major == 18
    with pytest.raises(Refused, match=r"no pg_dump for PostgreSQL 99 .*16 in .*18 in") as caught:
        find_tools(99, logins[0])
    assert "PAYMIG_PG_BIN" in caught.value.hint
    chosen = find_tools(18, logins[0]).folder
    monkeypatch.setenv("PAYMIG_PG_BIN", str(chosen))
    assert find_tools(13, logins[0]).folder == chosen
    assert folders


def test_tools_without_tls_are_not_taken_for_another_machine(logins, monkeypatch):
    wheel = find_tools(18, logins[0]).folder
    monkeypatch.setattr(tools, "_folders", lambda: [wheel])
    away = Login(Server("db.corp.example.com", 5432, "payments", "verify-full", None), logins[0].secret)
    with pytest.raises(Refused, match="which can't speak TLS"):
        find_tools(18, away)


def test_no_argument_holds_the_password(logins, monkeypatch):
    seen = []
    real = tools.subprocess.run
    monkeypatch.setattr(tools.subprocess, "run", lambda command, **how: seen.append(command) or real(command, **how))
    transfer.transfer(*logins, "pre-data")
    assert len(seen) > 4
    for login in logins:
        assert not any(login.secret["password"] in str(part) for command in seen for part in command)


def test_a_wrong_password_is_refused_in_words(logins):
    source, target = logins
    wrong = Login(target.server, {**target.secret, "password": "wrong"})
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        transfer.transfer(source, wrong, "pre-data")


LIST = """;
; Archive created at 2026-01-01
3; 2615 100 SCHEMA - pay owner
4; 0 0 COMMENT - EXTENSION vector owner
5; 1417 101 USER MAPPING - USER MAPPING x SERVER s owner
6; 2606 200 CONSTRAINT pay "t t_pkey" t_pkey owner
7; 2606 201 FK CONSTRAINT pay u u_t_fkey owner
8; 0 0 INDEX ATTACH pay p1_pkey owner
9; 0 0 INDEX ATTACH pay p1_pkey2 owner
10; 1259 300 INDEX pay u_up owner
11; 0 300 COMMENT pay INDEX u_up owner
12; 0 50 ROW SECURITY pay t owner
"""


def test_the_list_is_read_by_oids_and_not_by_names():
    listed = entries(LIST)
    pre, post = listed[:3], listed[3:]
    first = before_the_load(pre, post, {(2606, 200)}, ["pay p1_pkey"])
    assert [int(line.partition(";")[0]) for line in first.splitlines()] == [3, 6, 8, 12]
    second = after_the_load(post, {(2606, 201), (1259, 300)}, [])
    assert [int(line.partition(";")[0]) for line in second.splitlines()] == [7, 10, 11]
    assert after_the_load(post, set(), []) == ""
