"""Reading and judging the gates at once, as commands do it."""

from collections.abc import Callable
from datetime import UTC, datetime

from paymig.aws.session import Aws
from paymig.gates.evaluate import evaluate
from paymig.gates.gate import Gate, Position
from paymig.gates.read import read
from schemas.migration import Migration

Judge = Callable[[Position], tuple[Gate, ...]]
"""Says what every gate says now, with the traffic where it is."""


def judge(aws: Aws, migration: Migration) -> Judge:
    """Judge by what CloudWatch knows."""

    def now(position: Position) -> tuple[Gate, ...]:
        time = datetime.now(UTC)
        readings = read(aws, migration, position, time)
        return evaluate(migration.cutover.gates, migration.validation.every, readings, position, time)

    return now
