"""The spec's invariants: the same query on both sides, each side's queries in one snapshot of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg2.extensions import cursor

from runtime_lambdas.runtime.journal.control import SIDES, Side

from .lag import Heartbeat, Proof, Wait
from .options import Options
from .report import InvariantResult, Verdict
from .server import Ask, Server

SAME = "same-on-both-sides"
TIMEOUT = 60
"""Seconds for a query."""
_MOST_ROWS = 10_000
_LOOKS = 3  # at what does not move, before it is called different

Rows = list[list[str]]


class TooManyRows(ValueError):
    """An invariant returns more rows than can be compared here: says which."""


@dataclass(frozen=True)
class Invariant:
    """A query that must hold on both sides.

    Attributes:
        expect: `SAME`, or the only value that it must give on both sides.
    """

    name: str
    sql: str
    expect: int | str = SAME

    def holds(self, source: Rows, target: Rows) -> bool:
        """Tell whether both sides are as they should be."""
        return source == target if self.expect == SAME else source == target == [[str(self.expect)]]


def check(
    source: Server, target: Server, invariants: Sequence[Invariant], options: Options, wait: Wait | None = None
) -> list[InvariantResult]:
    """Run the invariants on both sides until each is known to hold or not, or `options.patience` is over.

    One holds when the follower agrees with the leader as it was before or after. It is broken only if neither moved
    over several looks, and replication brought the leader's last commit in between.

    Raises:
        TooManyRows: A query returns too much.
        psycopg2.Error: A query was refused, wrote, or took longer than `TIMEOUT`.
    """
    servers: dict[Side, Server] = {"source": source, "target": target}
    leader, follower = options.leader, SIDES[options.leader == "source"]
    wait = wait or Heartbeat(servers[leader], servers[follower], options.patience, options.pause, leader)
    until = time.monotonic() + options.patience
    open_ones = list(invariants)
    still: dict[str, tuple[int, Rows, Rows]] = {}
    results: list[InvariantResult] = []
    proof: Proof = "unknown"

    def result(invariant: Invariant, verdict: Verdict, here: Rows, there: Rows) -> InvariantResult:
        return InvariantResult(invariant.name, verdict, *((here, there) if leader == "source" else (there, here)))

    while open_ones:
        if still:
            proof = wait()
        before = servers[leader].run(_read(open_ones))
        there = servers[follower].run(_read(open_ones))
        after = servers[leader].run(_read(open_ones))
        left = []
        for place, invariant in enumerate(open_ones):
            first, found, last = before[place], there[place], after[place]
            if invariant.holds(first, found) or invariant.holds(last, found):
                results.append(result(invariant, "equal", last, found))
                continue
            looks, *known = still.get(invariant.name, (0, None, None))
            if first != last or (looks and known != [last, found]):
                looks = 0
            looks += first == last and proof != "behind"
            still[invariant.name] = (looks, last, found)
            if looks >= _LOOKS:
                results.append(result(invariant, "different", last, found))
            else:
                left.append(invariant)
        open_ones = left
        if time.monotonic() >= until:
            break
    results += [result(invariant, "unsettled", *still[invariant.name][1:]) for invariant in open_ones]
    return sorted(results, key=lambda each: each.name)


def _read(invariants: Sequence[Invariant]) -> Ask[list[Rows]]:
    def ask(running: cursor) -> list[Rows]:
        # An invariant is written for the database's own names and indexes, unlike the rest of the comparison.
        running.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path TO DEFAULT;"
            f" SET LOCAL enable_seqscan = on; SET LOCAL statement_timeout = '{TIMEOUT}s'"
        )
        try:
            return [_rows(running, invariant) for invariant in invariants]
        finally:
            if not running.connection.closed:
                running.execute("ROLLBACK")

    return ask


def _rows(running: cursor, invariant: Invariant) -> Rows:
    running.execute(invariant.sql)
    found = running.fetchmany(_MOST_ROWS + 1)
    if len(found) > _MOST_ROWS:
        raise TooManyRows(
            f"the invariant {invariant.name} returns more than {_MOST_ROWS} rows: let it count or sum them"
        )
    return sorted([_plain(value) for value in row] for row in found)


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"  # 1.50 is 1.5
    return "NULL" if value is None else str(value)
