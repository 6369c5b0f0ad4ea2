"""The steps of a migration in order, each with its command, its bake and its way back: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from schemas.migration import Migration


@dataclass(frozen=True)
class Stop:
    """One step of the runbook.

    Attributes:
        name: what it is, in a few words.
        command: what is typed, without the spec; empty where there is nothing to type.
        options: what stands behind the spec.
        bake: how long everybody waits and watches afterwards.
        writer: which database takes writes afterwards.
        traffic: percent on AWS afterwards.
        back: how to leave it backwards.
        lost: what could be lost by that.
        approval: who has to approve before, as the spec says.
    """

    name: str
    command: str
    options: str = ""
    bake: timedelta = timedelta()
    writer: str = "source"
    traffic: str = "0"
    back: str = ""
    lost: str = "nothing"
    approval: str = "none"

    @property
    def approved_as(self) -> str:
        """The step's name, as `paymig approve` knows it."""
        return self.command if self.command == "switchover" else self.options.removeprefix("--to ")


def timetable(migration: Migration) -> list[Stop]:
    """Return the steps; times are from the first shift on."""
    cutover = migration.cutover
    stops = [
        Stop("Preflight", "preflight", back="nothing was changed"),
        Stop("Review", "plan", back="nothing was changed"),
        Stop("Deploy", "deploy", back="paymig destroy"),
        Stop("Schema", "transfer-schema", "--section pre-data", back="paymig destroy"),
        Stop("Load and follow", "replicate start", back="paymig replicate stop"),
        Stop("Indexes and constraints", "transfer-schema", "--section post-data", back="paymig replicate stop"),
        Stop("Compare", "compare", "--full", back="paymig replicate stop"),
    ]
    together = cutover.strategy == "together"
    stops += [
        Stop(
            f"{step.to:g} % of the traffic",
            "shift",
            f"--to {step.to:g}%",
            bake=step.bake,
            traffic=f"{step.to:g}",
            back="paymig rollback",
            approval=step.approval,
        )
        for step in ([] if together else cutover.steps)
    ]
    stops += [
        Stop(
            "Move the writer" + (" and the traffic" if together else ""),
            "switchover",
            writer="target",
            traffic="100",
            bake=cutover.rollback.window,
            back="before its commit by itself; after it paymig rollback, which switches back",
            lost="nothing while the way back is healthy; otherwise paymig rollback says how many rows",
            approval=cutover.writer_approval,
        ),
        Stop("End the way back", "finalize", writer="target", traffic="100", back="none", lost="-"),
    ]
    return stops


def words(duration: timedelta) -> str:
    """Write a duration as the spec does, such as 1h 30m."""
    left = round(duration.total_seconds())
    parts = []
    for letter, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{letter}")
    return " ".join(parts) or "0s"
