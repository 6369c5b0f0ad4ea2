import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from paymig.embedded import postgres
from paymig.embedded.postgres import VOLATILE, Postgres, PostgresError, find_binaries


def ask(dsn, sql):
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()
    finally:
        connection.close()


@pytest.fixture
def temporary(tmp_path_factory, monkeypatch):
    """A temporary folder that a server's unprivileged account can reach."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="pg-test-"))
    folder.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("major", [16, 18])
def test_a_server_runs_with_its_settings_and_leaves_nothing(temporary, major):
    with Postgres.start(major, {**VOLATILE, "max_wal_senders": "7"}) as server:
        shown = "SELECT current_setting('server_version_num')::int / 10000, current_setting('wal_level'),"
        shown += " current_setting('max_wal_senders'), current_setting('fsync'), inet_server_addr()::text"
        assert ask(server.dsn(), shown) == (major, "logical", "7", "off", "127.0.0.1/32")
        assert server.version.startswith(f"{major}.")
        assert list(temporary.iterdir())
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(server.dsn())
    assert list(temporary.iterdir()) == []


def test_roles_and_databases_are_real_and_passwords_are_checked():
    with Postgres.start(settings=VOLATILE) as server:
        server.create_role('odd "name"', "it's", "REPLICATION")
        server.create_database("payments", owner='odd "name"')
        assert ask(server.dsn("payments", 'odd "name"', "it's"), "SELECT current_user") == ('odd "name"',)
        roles = "SELECT rolreplication, rolsuper FROM pg_roles WHERE rolname LIKE 'odd%'"
        assert ask(server.dsn("payments"), roles) == (True, False)
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(server.dsn("payments", 'odd "name"', "wrong"))


def test_two_servers_run_side_by_side():
    with Postgres.start(16, VOLATILE) as one, Postgres.start(16, VOLATILE) as other:
        assert one.port != other.port
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(other.dsn(user="postgres", password=one.password))


def test_a_failed_start_tells_the_server_s_reason(temporary):
    with pytest.raises(PostgresError, match='unrecognized configuration parameter "no_such_setting"'):
        Postgres.start(settings={"no_such_setting": "on"})
    assert list(temporary.iterdir()) == []


def test_a_missing_version_says_what_there_is():
    with pytest.raises(PostgresError, match=r"no PostgreSQL 9 .*16\.\d+ in .*PAYMIG_PG_BIN"):
        find_binaries(9)


def test_a_chosen_folder_comes_first(monkeypatch):
    newer, _ = find_binaries(18)
    monkeypatch.setenv("PAYMIG_PG_BIN", str(newer))
    assert find_binaries()[0] == newer


def test_a_killed_parent_leaves_no_server(temporary):
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\nfrom paymig.embedded.postgres import *\n"
            "print(Postgres.start(settings=VOLATILE).dsn(), flush=True)\ntime.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        dsn = parent.stdout.readline().strip()
        assert ask(dsn, "SELECT 1") == (1,)
        parent.kill()
    deadline = time.monotonic() + 15
    while list(temporary.iterdir()):
        assert time.monotonic() < deadline, "the supervisor left the server's folder"
        time.sleep(0.05)
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(dsn)


def test_a_stopped_supervisor_stops_its_server(temporary):
    server = Postgres.start(settings=VOLATILE)
    os.kill(server._supervisor.pid, signal.SIGTERM)
    server.stop()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(server.dsn())
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("major", [16, 18])
def test_a_restarted_server_keeps_its_port_and_data_and_takes_new_settings(major):
    with Postgres.start(major, {**VOLATILE, "wal_level": "replica"}) as server:
        port = server.port
        with closing(server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept AS SELECT 1 AS one")
            cursor.execute("ALTER SYSTEM SET max_wal_senders = 4")
        server.restart({"wal_level": "logical"})
        shown = "SELECT one, current_setting('wal_level'), current_setting('max_wal_senders') FROM kept"
        assert (ask(server.dsn(), shown), server.port) == ((1, "logical", "4"), port)
        assert (server.data / "PG_VERSION").read_text().strip() == str(major)


def test_a_killed_server_recovers_what_was_committed(temporary):
    with Postgres.start(settings={"fsync": "off"}) as server:
        connection = server.connect()
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (one int); BEGIN; INSERT INTO kept VALUES (1); COMMIT; BEGIN")
            cursor.execute("INSERT INTO kept VALUES (2)")
            server.kill()
            with pytest.raises(psycopg2.OperationalError):
                cursor.execute("COMMIT")
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(server.dsn())
        server.restart()
        assert ask(server.dsn(), "SELECT array_agg(one) FROM kept") == ([1],)
        assert "automatic recovery in progress" in server.log
        server.kill()
    assert list(temporary.iterdir()) == []


def test_a_server_that_does_not_come_back_tells_why_and_leaves_nothing(temporary):
    with Postgres.start(settings=VOLATILE) as server:
        with pytest.raises(PostgresError, match="no_such_setting"):
            server.restart({"no_such_setting": "on"})
        with pytest.raises(PostgresError, match="supervisor"):
            server.restart()
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give its privileges away")
def test_root_runs_a_copy_of_binaries_that_others_cannot_reach(temporary, monkeypatch):
    binaries, _ = find_binaries(16)
    package, closed = binaries.parents[1], temporary / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(binaries.parent, closed / package.name / "install", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name)
    monkeypatch.setenv("PAYMIG_PG_BIN", str(closed / package.name / "install/bin"))
    monkeypatch.setenv("PAYMIG_CACHE_DIR", str(temporary / "cache"))
    for _ in range(2):  # the second start finds the copy
        with Postgres.start(16, VOLATILE) as server:
            assert ask(server.dsn(), "SELECT 1") == (1,)
    copies = list((temporary / "cache").glob("postgres/*"))
    assert len(copies) == 1
    assert postgres._open_to_all(copies[0] / package.name / "install/bin/initdb")


SYSTEM = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.mark.skipif(not SYSTEM, reason="this machine has no PostgreSQL of its own")
def test_the_system_s_server_is_found_where_the_wheel_has_no_such_version():
    folder = SYSTEM[0]
    major = int(folder.parent.name)
    found, version = find_binaries(major)
    assert version.startswith(f"{major}.")
    if major not in (16, 18):
        assert found == folder
    with Postgres.start(major, VOLATILE) as server:
        assert ask(server.dsn(), "SELECT current_setting('server_version_num')::int / 10000") == (major,)


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run without root here")
def test_a_server_starts_without_root(temporary):
    reached = [Path(sys.executable), Path(postgres.__file__), find_binaries(16)[0] / "postgres"]
    if not all(postgres._open_to_all(path) for path in reached):
        pytest.skip("this checkout is closed to other users")
    temporary.chmod(0o777)
    program = "from paymig.embedded.postgres import *\nwith Postgres.start(16, VOLATILE) as s: s.connect().close()"
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": Path(postgres.__file__).parents[2]}
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, **nobody)
    assert done.returncode == 0, done.stderr
    assert list(temporary.iterdir()) == []
