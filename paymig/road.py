"""The road of a cutover: what is still ahead, from wherever the journal stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from paymig.aws import weights
from paymig.aws.session import Aws
from paymig.deploy import record_of
from paymig.phase import Standing, standing
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.switchover.phases import FORTH
from schemas.migration import Migration


@dataclass(frozen=True)
class Leg:
    """One command of the road.

    Attributes:
        share: of the traffic, for a shift.
    """

    kind: Literal["deploy", "replicate", "shift", "switchover", "finalize", "rollback"]
    share: int = 0

    @property
    def command(self) -> tuple[str, ...]:
        """The command as it is typed, after `paymig`."""
        return {
            "deploy": ("deploy",),
            "replicate": ("replicate", "start"),
            "shift": ("shift", "--to", f"{self.share}%"),
            "switchover": ("switchover",),
            "finalize": ("finalize",),
            "rollback": ("rollback",),
        }[self.kind]

    def __str__(self) -> str:
        return " ".join(("paymig", *self.command))


def ahead(now: Standing, shares: Sequence[int]) -> list[Leg]:
    """List every leg that is left, in order; a share that is being baked is the first.

    With `strategy: together` a switchover has to be typed again as well where the traffic has not followed the writer.
    A move of the writer that is under way comes before everything else: forth it is completed or begun again by a
    switchover, back by a rollback, and what comes after that is for the operator to say.

    Args:
        now: where the migration stands.
        shares: those that the traffic takes before the writer moves, rising to 100; none with `strategy: together`.
    """
    if now.move is not None:
        return [Leg("switchover"), Leg("finalize")] if now.move.way == FORTH else [Leg("rollback")]
    if now.phase == "finalized":
        return []
    if now.phase == "baking":
        followed = shares or now.share == 100
        return [Leg("finalize")] if followed else [Leg("switchover"), Leg("finalize")]
    legs = [] if now.deployed else [Leg("deploy")]
    if not now.loaded:
        legs.append(Leg("replicate"))
    legs += [Leg("shift", share) for share in shares if share >= now.share]
    return [*legs, Leg("switchover"), Leg("finalize")]


def shares_of(migration: Migration) -> list[int]:
    """Name the shares that the traffic takes before the writer moves."""
    if migration.cutover.strategy == "together":
        return []
    return [int(step.to) for step in migration.cutover.steps]


def look(aws: Aws, migration: Migration, journal: Journal) -> Standing:
    """Read where a migration stands."""
    live = weights.look(aws, record_of(migration))
    return standing(live.share if live else None, journal.writer(), list(journal.entries()))
