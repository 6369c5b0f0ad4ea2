"""From an operator's wishes to a report, on the connections that the spec, the secrets and the stacks give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2

from paymig.comparison import show
from paymig.databases import Databases
from paymig.errors import PaymigError, Refused
from runtime_lambdas.runtime.comparison import (
    Folder,
    Invariant,
    KeptElsewhere,
    NothingToCompare,
    Options,
    Patterns,
    Report,
    SnapshotLost,
    TooManyRows,
)
from runtime_lambdas.runtime.comparison import compare as compare_databases
from runtime_lambdas.runtime.comparison.place import Place
from runtime_lambdas.validation.validate import validate

if TYPE_CHECKING:
    from paymig.operation import Operation
    from runtime_lambdas.runtime.comparison.digest import Hash


@dataclass(frozen=True)
class Wishes:
    """What the operator chose.

    Attributes:
        tables: patterns; empty takes the spec's.
        resume: where to keep how far it is.
    """

    tables: tuple[str, ...]
    full: bool
    show_values: bool
    max_load: float
    connections: int
    snapshot: bool
    hash: Hash
    resume: Path | None


def compare(at: Operation, wishes: Wishes, file: Path | None) -> Report:
    """Compare, show the report, and write it to a file where one is named.

    A comparison of all of the spec's tables that finds them equal is remembered in the journal's table: later ones
    compare what changed since, the validation function's too.

    Raises:
        Refused: there is no journal or no target yet, or what was kept belongs to another comparison.
        PaymigError: a database is unreachable or refused a query, or there is nothing to compare.
    """
    journal = at.journal
    options = Options(
        connections=wishes.connections,
        max_load=wishes.max_load,
        snapshot=wishes.snapshot,
        show_values=wishes.show_values,
        hash=wishes.hash,
        leader=journal.writer().side,
    )
    try:
        databases = Databases(at.aws, at.spec)
        with show.progress(at.console) as watch:
            source, target = databases.login("source", "application").open, databases.login("target", "validation").open
            kept = Folder(wishes.resume) if wishes.resume else None
            tables = at.migration.replication.tables
            if wishes.tables:
                patterns = Patterns(wishes.tables, tables.exclude)
                report = compare_databases(source, target, patterns, options, kept=kept, watch=watch)
            else:
                *_, report = validate(
                    source,
                    target,
                    Patterns(tables.include, tables.exclude),
                    [Invariant(each.name, each.sql, each.expect) for each in at.migration.validation.invariants],
                    Place(at.aws.client("dynamodb"), journal.table, at.migration.full_name),
                    options,
                    full=wishes.full or kept is not None,
                    watch=watch,
                    kept=kept or _Nowhere(),
                )
    except (KeptElsewhere, ValueError) as error:
        if isinstance(error, NothingToCompare | TooManyRows):
            raise PaymigError(str(error)) from error
        raise Refused(str(error), "name an empty folder with --resume") from error
    except (psycopg2.Error, SnapshotLost) as error:
        raise PaymigError(f"a database refused or was lost: {str(error).strip()}", _hint(error)) from error
    if file is not None:
        file.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    at.console.result(report.to_json(), show.render(report))
    return report


class _Nowhere:
    """Keeps nothing: an operator's comparison leaves the function's unfinished one alone."""

    def load(self) -> None:
        return None

    def save(self, state: Mapping[str, Any]) -> None:
        return

    def clear(self) -> None:
        return


def _hint(error: Exception) -> str | None:
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return "the source's login and paymig_validation on the target need SELECT on every table"
    if isinstance(error, psycopg2.OperationalError):
        return "run it where both databases can be reached; --resume FOLDER goes on where it stopped"
    return None
