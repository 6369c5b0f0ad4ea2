"""Applications that pay at either database, and commands that are typed while they do."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from paymig.cli import main
from paymig.databases import Databases as Logins
from runtime_lambdas.switchover.actions import Evidence
from runtime_lambdas.switchover.databases import Databases
from runtime_lambdas.switchover.history import Attempt
from runtime_lambdas.switchover.pause import Pause
from runtime_lambdas.switchover.phases import Step, Way

SPECS = Path(__file__).parents[2] / "specs"
PAY = (
    "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
    " VALUES ('{}', 'd', 'Zoë', 1, 'EUR', 'captured')"
)
TOGETHER = """\
  strategy: together
  steps: [{to: 100%, bake: 1h, approval: required}]
"""
"""Of `cutover`: traffic and writer move in one step."""


def checkout(folder: Path, cutover: str = "") -> Path:
    """Check the examples out, and return the ledger's: with a pause that a busy machine keeps within.

    Args:
        folder: where; it must not exist.
        cutover: lines of YAML for `cutover`.
    """
    shutil.copytree(SPECS, folder)
    file = folder / "logical-vpn.yaml"
    text = file.read_text()
    for old, new in (("pause_budget: 5s", "pause_budget: 25s"), ("\ncutover:\n", f"\ncutover:\n{cutover}")):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return file


def execute(dsn: str, sql: str) -> list[tuple]:
    """Run SQL as a superuser, in a transaction of its own."""
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def execute_alone(dsn: str, sql: str) -> None:
    """Run a statement as a superuser, outside a transaction."""
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        connection.cursor().execute(sql)


def may_pay(databases: Logins, side: str, key: str) -> bool:
    """Pay as the side's application; False where it is fenced."""
    role = {"source": "application", "target": "api"}[side]
    try:
        with closing(databases.login(side, role).open()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(PAY.format(key))
    except psycopg2.errors.InsufficientPrivilege:
        return False
    return True


class Died(BaseException):
    """The operator's process is gone."""


@contextmanager
def dies_at(step: Step) -> Iterator[None]:
    """Whoever moves the writer in the block dies where a step begins."""
    do = Databases.do

    def dying(self: Databases, way: Way, doing: Step, attempt: Attempt | None, pause: Pause | None) -> Evidence:
        if doing is step:
            raise Died
        return do(self, way, doing, attempt, pause)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr(Databases, "do", dying)
        yield


def type_(
    capsys: pytest.CaptureFixture[str], file: Path, *words: str, yes: bool = True, **terms: object
) -> tuple[int, list[dict], str]:
    """Type a command that prints JSON, and say yes where it may ask.

    Returns:
        The exit code, what was printed, and what was said besides.
    """
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*words, str(file), *(["--yes"] if yes else []), "--format", "json"], terms=terms or None)
    said = capsys.readouterr()
    return ended.value.code, documents(said.out), said.err


def documents(text: str) -> list[dict]:
    """Read the JSON documents that stand there one after the other."""
    found, text = [], text.lstrip()
    while text:
        one, end = json.JSONDecoder().raw_decode(text)
        found.append(one)
        text = text[end:].lstrip()
    return found
