"""What the rules judge, and what a rule finds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from runtime_lambdas.runtime.catalogue import matches
from runtime_lambdas.runtime.facts import Facts, Row
from schemas.diagnostics import Severity, SpecPath
from schemas.migration import Migration

Side = Literal["source", "target"]
Name = tuple[str, str]
"""Schema and table, unquoted."""

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

INCLUDE: SpecPath = ("replication", "tables", "include")
EXCLUDE: SpecPath = ("replication", "tables", "exclude")


@dataclass(frozen=True)
class Finding:
    """One thing that would go wrong.

    Attributes:
        path: the place in the spec that brings it in.
        advice: how to mend it, one sentence; the statements come after it.
        side: where `sql` has to be run.
        sql: statements that mend it, each whole, in order; empty where no statement can.
    """

    code: str
    severity: Severity
    message: str
    path: SpecPath
    advice: str
    side: Side = "source"
    sql: tuple[str, ...] = ()

    @property
    def hint(self) -> str:
        """The advice with its statements, for people."""
        if not self.sql:
            return self.advice
        statements = " ".join(f"{statement};" for statement in self.sql)
        return f"{self.advice}, on the {self.side}: {statements}"


@dataclass(frozen=True)
class Case:
    """Both databases and the spec that joins them.

    Attributes:
        application: the role that the application logs in with on the source.
        target: None where the target does not exist yet.
    """

    migration: Migration
    application: str
    source: Facts
    target: Facts | None

    @property
    def dms(self) -> bool:
        """Whether the engine is DMS; it is logical replication otherwise."""
        return self.migration.replication.engine == "dms"

    def severity(self, *, dms: Severity | None, logical: Severity | None) -> Severity | None:
        """Return how bad something is under the spec's engine; None where it does no harm."""
        return dms if self.dms else logical

    def brought_in(self, schema: str, name: str) -> SpecPath:
        """Return the place of the first pattern that selects a table."""
        for index, pattern in enumerate(self.migration.replication.tables.include):
            if matches(schema, name, [pattern]):
                return (*INCLUDE, index)
        return INCLUDE

    @cached_property
    def target_tables(self) -> dict[Name, Row]:
        """The target's tables by name; empty where it does not exist yet."""
        return {(table["schema"], table["name"]): table for table in (self.target.tables if self.target else ())}

    @cached_property
    def target_version(self) -> int:
        """The target's major version, as it is or as the spec asks for it."""
        if self.target is not None:
            return int(self.target.server["version"]) // 10000
        return int(self.migration.database.engine_version.partition(".")[0])

    @cached_property
    def parts(self) -> dict[Name, list[Row]]:
        """What a table keeps its rows in: itself, or its partitions."""
        found: dict[Name, list[Row]] = {}
        for relation in self.source.relations:
            leaves = found.setdefault((relation["root_schema"], relation["root_name"]), [])
            leaves += [relation] if relation["kind"] == "r" else []
        return found


Rule = Callable[[Case], Iterator[Finding]]


def sides(case: Case) -> Iterator[tuple[Side, Facts]]:
    """Yield the databases that exist."""
    yield "source", case.source
    if case.target is not None:
        yield "target", case.target


def setting(facts: Facts, name: str) -> str | None:
    """Return a setting as the server writes it, without its unit; None where this version has none of that name."""
    known: dict[str, Any] = facts.server["settings"]
    return str(known[name]["value"]) if name in known else None


def number(facts: Facts, name: str) -> int:
    """Return a numeric setting in its unit; 0 where this version has none of that name."""
    return int(setting(facts, name) or 0)


def columns(table: Row) -> Iterable[Row]:
    """Return a table's columns."""
    listed: Iterable[Row] = table["columns"]
    return listed


def human(size: float) -> str:
    """Write a number of bytes for people, as "1.5 GiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
