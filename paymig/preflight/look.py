"""Reading the facts of both databases: from this machine, or by the function inside the VPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg2 import Error

from paymig.errors import Refused
from paymig.preflight.case import WARNING, Case, Finding
from runtime_lambdas.runtime.facts import Facts, read_facts

if TYPE_CHECKING:
    from paymig.aws.session import Aws
    from paymig.databases import Databases
    from schemas.migration import Migration

_ELSEWHERE = "run this where there is a route to it, or with --in-aws, which lets the switchover function look"


@dataclass(frozen=True)
class Seen:
    """What was seen, and what could not be."""

    case: Case
    unseen: tuple[Finding, ...] = ()


def from_here(databases: Databases, migration: Migration) -> Seen:
    """Connect to both databases from this machine.

    Raises:
        Refused: the source can't be reached or read.
    """
    application = databases.login("source", "application").user
    try:
        source = _read(databases, migration, "source", "admin")
    except Error as error:
        raise Refused(f"the source can't be read: {_first_line(error)}", _ELSEWHERE) from error
    try:
        target = _read(databases, migration, "target", "master")
    except Refused:
        return Seen(Case(migration, application, source, None))  # it was not deployed yet
    except Error as error:
        return Seen(Case(migration, application, source, None), (_unseen(_first_line(error)),))
    return Seen(Case(migration, application, source, target))


def _read(databases: Databases, migration: Migration, side: Any, role: Any) -> Facts:
    tables = migration.replication.tables
    with databases.open(side, role) as connection:
        return read_facts(connection, tables.include, tables.exclude, sample=side == "source")


def _first_line(error: Error) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _unseen(why: str) -> Finding:
    return Finding(
        "PMG491", WARNING, f"the target exists and was not looked at: {why}", ("database",), _ELSEWHERE, "target"
    )


def from_aws(aws: Aws, databases: Databases, migration: Migration) -> Seen:
    """Let the switchover function look, which has a route to both.

    Raises:
        Refused: it does not exist yet, or can't read the source.
    """
    from paymig.preflight.remote import ask

    application = databases.login("source", "application").user
    tables = migration.replication.tables
    found: dict[str, Facts] = {}
    unseen: list[Finding] = []
    for side in ("source", "target"):
        answer = ask(aws, migration.full_name, side, tables.include, tables.exclude)
        if isinstance(answer, Facts):
            found[side] = answer
        elif side == "source":
            raise Refused(f"the switchover function can't read the source: {answer}", "see its log group")
        else:
            unseen.append(_unseen(answer))
    return Seen(Case(migration, application, found["source"], found.get("target")), tuple(unseen))
