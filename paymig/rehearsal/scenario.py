"""Scenarios: which steps a rehearsal takes, what goes wrong meanwhile, and what must be true at the end."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from paymig.rehearsal.options import Options
from schemas.migration import Migration


@dataclass(frozen=True)
class Step:
    """One step of a scenario.

    Attributes:
        take: the step's name and argument, such as "shift 10".
    """

    take: str


@dataclass(frozen=True)
class Scenario:
    """A way through a migration.

    Attributes:
        name: a word.
        title: what it shows, as a sentence.
        steps: in order; the load is drained and everything proved before the last one, `destroy`.
        patch: what differs from the spec.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    patch: Mapping[str, Any] = field(default_factory=dict)


def back(migration: Migration, options: Options) -> Scenario:
    """Shift step by step, change the spec in mid-shift, and roll back."""
    steps: list[str] = ["preflight", "deploy"]
    if migration.api.code == "builtin:payment_api":
        steps += ["replicate", "compare"]
    shares = [(int(step.to), options.bake(step.bake.total_seconds())) for step in migration.cutover.steps]
    for share, bake in shares[:-1]:
        steps += [f"shift {share}", f"bake {bake:g}"]
    steps += ["redeploy", f"shift {shares[-1][0]}", f"bake {shares[-1][1]:g}", "status"]
    steps += ["compare", "rollback", "bake 1"] if "compare" in steps else ["rollback", "bake 1"]
    return Scenario("back", "All traffic to AWS and back, while the source stays the writer", _steps(steps))


def _steps(names: list[str]) -> tuple[Step, ...]:
    return tuple(Step(name) for name in names)


def merge(into: Any, patch: Mapping[str, Any]) -> Any:
    """Return a spec with a patch laid over it: mappings are merged, everything else is replaced."""
    merged = deepcopy(into)
    for key, value in patch.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged
