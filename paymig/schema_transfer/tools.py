"""Finding a pg_dump that is new enough, with the pg_restore beside it."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from os import environ
from pathlib import Path

from paymig.embedded.postgres import binary_folders
from paymig.errors import Refused
from runtime_lambdas.runtime import database
from runtime_lambdas.runtime.logins import Login


@dataclass(frozen=True)
class Tools:
    """The folder that holds pg_dump and pg_restore, and their major version."""

    folder: Path
    major: int

    def run(self, name: str, arguments: list[str], login: Login | None = None) -> str:
        """Run a tool and return what it printed.

        Args:
            name: pg_dump or pg_restore.
            arguments: without what says where the database is.
            login: the database to work on; its password is in no argument, where other users would see it.

        Raises:
            Refused: the tool failed: says with what.
        """
        done = subprocess.run(
            [str(self.folder / name), *arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=_environment(login),
        )
        if done.returncode:
            raise Refused(f"{name} {self.major} failed: {_said(done.stderr)}")
        return done.stdout


def find_tools(least: int, login: Login) -> Tools:
    """Return the oldest pg_dump that knows a server of version `least`, and can speak TLS where the login needs it.

    The oldest, because a newer one writes statements that an older target may not know. `$PAYMIG_PG_BIN` comes before
    all others.

    Raises:
        Refused: none suits; says what was found and what to install.
    """
    where = database.located(login.server, login.secret)
    encrypted = not database.is_loopback(where.host)
    seen: list[str] = []
    suitable: list[tuple[bool, int, Path]] = []
    for folder in _folders():
        if (major := _major(folder)) is None:
            continue
        if major < least:
            seen.append(f"{major} in {folder}")
        elif encrypted and not _speaks_tls(folder):
            seen.append(f"{major} in {folder}, which can't speak TLS")
        else:
            suitable.append((str(folder) != environ.get("PAYMIG_PG_BIN"), major, folder))
    if not suitable:
        raise Refused(
            f"there is no pg_dump for PostgreSQL {least} on this machine (found: {', '.join(seen) or 'none'})",
            f"install the client programs of PostgreSQL {least} or newer, or set PAYMIG_PG_BIN to their folder",
        )
    _, major, folder = min(suitable)
    return Tools(folder, major)


def _folders() -> list[Path]:
    on_path = shutil.which("pg_dump")
    return [*binary_folders(), *([Path(on_path).parent] if on_path else [])]


def _major(folder: Path) -> int | None:
    if not (folder / "pg_dump").is_file() or not (folder / "pg_restore").is_file():
        return None
    said = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\b(\d+)[.\w]*", said)
    return int(found[1]) if found else None


def _speaks_tls(folder: Path) -> bool:
    # It fails either way: nobody listens there. Without TLS it says that instead.
    asked = subprocess.run(
        [folder / "pg_dump", "host=127.0.0.1 port=1 sslmode=require"],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(None),
    )
    return "not compiled in" not in asked.stderr


def _environment(login: Login | None) -> Mapping[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith("PG")}
    if login is None:
        return kept | {"LC_ALL": "C"}
    where = database.located(login.server, login.secret)
    near = database.is_loopback(where.host)
    return kept | {
        "LC_ALL": "C",
        "PGHOST": where.host,
        "PGPORT": str(where.port),
        "PGDATABASE": where.name,
        "PGUSER": login.user,
        "PGPASSWORD": str(login.secret["password"]),
        "PGSSLMODE": "prefer" if near else where.tls,
        "PGCONNECT_TIMEOUT": "10",
        "PGAPPNAME": "paymig",
        **({"PGSSLROOTCERT": where.ca} if where.ca and not near else {}),
    }


def _said(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return "; ".join(lines[-4:]) or "it said nothing"
