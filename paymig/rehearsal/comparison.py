"""The comparison of both databases during a rehearsal, under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paymig.databases import Databases
from runtime_lambdas.runtime.comparison import Invariant, Patterns, Report, compare

if TYPE_CHECKING:
    from paymig.rehearsal.play import Play


def both(play: Play) -> Report:
    """Compare every table that moves, and the spec's invariants, by the roles that read."""
    tables = play.migration.replication.tables
    with Databases(play.stage.aws, play.spec) as databases:
        source, target = databases.login("source", "admin"), databases.login("target", "validation")
        return compare(
            source.open,
            target.open,
            Patterns(tuple(tables.include), tuple(tables.exclude)),
            invariants=[Invariant(i.name, i.sql, i.expect) for i in play.migration.validation.invariants],
        )
