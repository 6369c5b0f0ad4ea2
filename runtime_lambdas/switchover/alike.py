"""Both sides equal: compared before the pause, and in the pause no more than what was written since."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor

from runtime_lambdas.runtime import roles
from runtime_lambdas.runtime.comparison import Cut, CutOutdated, Options, Patterns, Proof, Recent, Report, compare
from runtime_lambdas.runtime.logins import Role
from runtime_lambdas.runtime.refused import Refused
from runtime_lambdas.runtime.replication import publication
from runtime_lambdas.runtime.replication.engine import Engine, ReplicationError
from runtime_lambdas.runtime.writer import SIDES, Side

from .actions import NotReady
from .phases import Way
from .settings import Settings
from .sides import OWNER, REPLICATOR, Sides

_ROUNDS = 5


class Different(Refused):
    """The two sides are not equal."""


class Alike:
    """The comparison of one attempt, opened before the pause and used in it.

    Args:
        sides: both databases.
        settings: which tables, which invariants.
        way: the old writer is the one that replication follows.
        engine: replication from the old writer.
    """

    def __init__(self, sides: Sides, settings: Settings, way: Way, engine: Engine) -> None:
        self._sides = sides
        self._settings = settings
        self._engine = engine
        self._patterns = Patterns(settings.include, settings.exclude)
        self._options = Options(leader=way.old, patience=settings.pause_budget)
        self._name = f"paymig_{''.join(c if c.isalnum() else '_' for c in settings.migration.lower())}_cmp"
        self._recent: Recent | None = None

    def prepare(self) -> dict[str, Any]:
        """Record what is written from now on, and compare what came before it since both sides were last found equal.

        Raises:
            NotReady: a table can't be published without harm to the application.
            Different: the sides are not equal.
        """
        for side in SIDES:
            self._publish(side)
        self._recent = Recent(
            self._opener("source", REPLICATOR),
            self._opener("target", REPLICATOR),
            self._patterns,
            dict.fromkeys(SIDES, self._name),
            self._options,
            partial(self._wait, self._options.patience),
        )
        report = self._before()
        _demand(report)
        return {"mode": report.mode, "tables": len(report.tables), "seconds": round(report.seconds, 3)}

    def settle(self) -> int:
        """Look at what was written meanwhile, now rather than in the pause.

        Returns:
            How many rows are left to be looked at again.
        """
        left = 0
        if self._recent is not None:
            for _ in range(_ROUNDS):
                left = self._recent.settle()
                if not left:
                    break
        return left

    def rows_at_stake(self) -> int:
        """Count the rows of the old writer that the new one does not have as they are, waiting for nothing.

        Raises:
            Different: a table cannot be counted, so the number would be too low.
        """
        report = self._compare(replace(self._options, patience=0, limit=sys.maxsize))
        if blind := [table for table in report.tables if table.disagreements or not table.finished]:
            raise Different(
                "what would be lost cannot be counted: " + "; ".join(f"{each.table}: {_words(each)}" for each in blind),
                "paymig compare says what is not alike in these tables; mend it first",
            )
        return sum(table.differences + table.unsettled for table in report.tables)

    def _before(self) -> Report:
        with suppress(CutOutdated):
            return self._compare(self._options, self._settings.since())
        return self._compare(self._options)

    def _compare(self, options: Options, since: Cut | None = None) -> Report:
        opens = [self._opener(side, OWNER) for side in SIDES]
        wait = partial(self._wait, options.patience)
        return compare(opens[0], opens[1], self._patterns, options, since=since, wait=wait)

    def at_the_fence(self) -> dict[str, Any]:
        """Compare what was written since `prepare`, and the invariants.

        Raises:
            Different: the sides are not equal.
        """
        if self._recent is None:
            raise Different("the comparison was not prepared", "run the command again")
        report = self._recent.compare(self._settings.invariants)
        _demand(report)
        rows = sum(table.rows_source for table in report.tables)
        return {"tables": len(report.tables), "rows": rows, "invariants": len(report.invariants)}

    def close(self) -> None:
        """Drop the slots."""
        if self._recent is not None:
            self._recent.close()
            self._recent = None

    def _wait(self, patience: float) -> Proof:
        """Wait until everything that the old writer has committed is on the other side."""
        try:
            return "caught up" if self._engine.lag(patience).arrived else "behind"
        except ReplicationError:
            return "behind"

    def _publish(self, side: Side) -> None:
        tables = self._sides.tables(side)
        reader = sql.Identifier(self._sides.user(side, REPLICATOR[side]))
        schemas = sorted({table.schema for table in tables})

        with self._sides.connection(side).cursor() as running:
            # Published without an identity, a table takes no UPDATE or DELETE of the application's any more. Logical
            # replication gave it one; DMS does not need it, and a table that was made since has none.
            if wrong := publication.forbidden(tables, running.connection.server_version // 10_000):
                raise NotReady(f"what is written on the {side} can't be recorded: {'; '.join(wrong)}")
            publication.identify(running, tables)

        def act(running: cursor) -> None:
            publication.publish(running, self._name, tables)
            if OWNER[side] == REPLICATOR[side]:
                return
            for schema in schemas:
                running.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), reader))
            for table in tables:
                name = sql.Identifier(table.schema, table.name)
                running.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(name, reader))
            roles.grant_beating(running, self._sides.user(side, REPLICATOR[side]))

        self._sides.transact(side, act)

    def _opener(self, side: Side, roles: Mapping[Side, Role]) -> Any:
        return lambda: self._sides.logins.login(side, roles[side]).open()


def _demand(report: Report) -> None:
    if report.verdict == "equal":
        return
    tables = [f"{table.table}: {_words(table)}" for table in report.tables if table.verdict != "equal"]
    broken = [f"invariant {each.name}: {each.verdict}" for each in report.invariants if each.verdict != "equal"]
    raise Different("source and target differ: " + "; ".join([*tables, *broken]), "paymig compare shows the rows")


def _words(table: Any) -> str:
    counts = {name: getattr(table, name) for name in ("missing", "extra", "different", "unsettled")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or table.verdict
