"""Scenarios: which steps a rehearsal takes, what goes wrong meanwhile, and what must be true at the end."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from paymig.errors import PaymigError, Refused
from paymig.rehearsal.options import Options
from schemas.load import Spec, parse
from schemas.migration import Migration


@dataclass(frozen=True)
class Step:
    """One step of a scenario.

    Attributes:
        take: the step's name and argument, such as "shift 10".
        fault: what goes wrong meanwhile, by name; empty for nothing.
        exits: the exit codes that its command may have, where that is not 0 alone.
    """

    take: str
    fault: str = ""
    exits: tuple[int, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A way through a migration.

    Attributes:
        name: a word.
        title: what it shows, as a sentence.
        steps: in order; the load is drained and everything proved before the last one, `destroy`.
        patch: what differs from the spec.
        expect: what must be true before all is destroyed: `writer`, `weight` (percent on AWS), `failed` (the most
            requests that may), `lost` (whether acknowledged writes are, which the operator gave up).
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    patch: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)

    @property
    def faulty(self) -> bool:
        """Whether anything goes wrong in it."""
        return any(step.fault for step in self.steps)

    def broken(self, writer: str, weight: float, failed: int, lost: int) -> list[str]:
        """Tell what is not as expected, as sentences."""
        return [
            f"{what} is {found}, expected was {self.expect[what]}"
            for what, found, holds in (
                ("writer", writer, writer == self.expect.get("writer")),
                ("weight", weight, weight == self.expect.get("weight")),
                ("failed", failed, failed <= self.expect.get("failed", failed)),
                ("lost", lost, bool(lost) == self.expect.get("lost")),
            )
            if what in self.expect and not holds
        ]


def peopled(migration: Migration) -> bool:
    """Whether clients know how to use a spec's API: the built-in one, or one for which the spec names a workload."""
    return migration.api.code == "builtin:payment_api" or migration.rehearsal.workload is not None


def whole(migration: Migration, options: Options) -> Scenario:
    """Every share of the traffic under its gates, then the writer, then the end of the way back."""
    if not peopled(migration):
        return _without_clients(migration, options)
    steps = [Step(name) for name in ("preflight", "plan", "deploy", "replicate", "compare")]
    if migration.cutover.strategy == "compute-first":
        steps += [Step(f"shift {int(step.to)}") for step in migration.cutover.steps]
    if migration.source.database.admin_secret is None:
        title = "The traffic to AWS and back; the writer can't move, since the application's login owns the tables"
        return Scenario("traffic", title, (*steps, Step("switchover", exits=(Refused.exit_code,)), Step("rollback")))
    title = "The traffic to AWS step by step, then the writer, and the end of the way back"
    last = ("switchover", f"bake {options.duration:g}", "status", "compare", "finalize")
    return Scenario("whole", title, (*steps, *map(Step, last)))


def _without_clients(migration: Migration, options: Options) -> Scenario:
    """The traffic to AWS and back, with nobody who knows how to pay: nothing tells the gates how it goes."""
    shares = [(int(step.to), options.bake(step.bake.total_seconds())) for step in migration.cutover.steps]
    steps = ["preflight", "deploy"]
    for share, bake in shares:
        steps += [f"move {share}", f"bake {bake:g}"]
    return Scenario("traffic", "All traffic to AWS and back", _steps([*steps, "status", "rollback"]))


def read(file: Path) -> Scenario:
    """Read a scenario's file.

    Raises:
        PaymigError: it is none; says what is wrong.
    """
    from paymig.rehearsal.faults import FAULTS
    from paymig.rehearsal.steps import known

    raw = YAML(typ="safe").load(file.read_text())
    wrong: list[str] = []
    if not isinstance(raw, dict) or not {"title", "steps"} <= raw.keys() <= _KEYS:
        wrong.append(f"it is a mapping with {', '.join(sorted(_KEYS))}; title and steps are required")
        raise PaymigError(f"{file} is no scenario: {wrong[0]}")
    steps = [Step(raw_) if isinstance(raw_, str) else _step(raw_, wrong) for raw_ in raw["steps"]]
    wrong += [f"there is no step {step.take!r}" for step in steps if not known(step.take)]
    wrong += [f"there is no fault {step.fault!r}" for step in steps if step.fault and step.fault not in FAULTS]
    wrong += [f"nothing is expected of {name!r}" for name in raw.get("expect", {}) if name not in _EXPECTED]
    if wrong:
        raise PaymigError(
            f"{file} is no scenario: {'; '.join(wrong)}",
            f"faults are {', '.join(FAULTS)}; docs/rehearsal.md has the steps",
        )
    name = file.parent.name
    return Scenario(name, raw["title"], tuple(steps), raw.get("spec", {}), raw.get("expect", {}))


_KEYS = {"title", "spec", "steps", "expect"}
_EXPECTED = ("writer", "weight", "failed", "lost")


def _step(raw: Any, wrong: list[str]) -> Step:
    if not isinstance(raw, dict) or "take" not in raw or not raw.keys() <= {"take", "fault", "exits"}:
        wrong.append(f"{raw!r} is no step: it has take and, if you like, fault and exits")
        return Step("status")
    return Step(raw["take"], raw.get("fault", ""), tuple(raw.get("exits", ())))


_STRIKES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "operator-killed": ("shift", (0, -9)),
    "operator-killed-in-the-pause": ("switchover", (0, -9)),
    "target-dies-in-the-pause": ("switchover", (0, Refused.exit_code)),
    "long-transaction": ("switchover", (Refused.exit_code,)),
    "two-operators": ("shift", (0, 3)),
    "clock-skew": ("shift", ()),
}
"""Where a fault strikes when it is only named: during this step's middle occurrence; else during a bake."""


def with_fault(scenario: Scenario, fault: str) -> Scenario:
    """Let a fault strike in the middle of a scenario; a step that it may end is taken again, by another operator.

    Raises:
        PaymigError: the scenario has no step that it strikes.
    """
    where, exits = _STRIKES.get(fault, ("bake", ()))
    places = [number for number, step in enumerate(scenario.steps) if step.take.split()[0] == where]
    if not places:
        raise PaymigError(f"{fault} strikes a {where}, and {scenario.title!r} has none", "leave --fault out")
    middle = places[len(places) // 2]
    step = scenario.steps[middle]
    struck = [Step(step.take, fault, exits)]
    if exits:
        struck += [Step("unlock", exits=(0, Refused.exit_code)), step]
    return replace(scenario, steps=(*scenario.steps[:middle], *struck, *scenario.steps[middle + 1 :]))


def _steps(names: list[str]) -> tuple[Step, ...]:
    return tuple(Step(name) for name in names)


def patched(spec: Spec, patch: Mapping[str, Any], environment: str | None = None) -> Spec:
    """Return the spec with a patch laid over it, below the overlay of an environment.

    Raises:
        SpecError: it has errors then.
    """
    return parse(changed(spec.text, patch), spec.file, spec.folder, environment)


def changed(text: str, patch: Mapping[str, Any]) -> str:
    """Return a spec's text with a patch laid over it."""
    yaml, written = YAML(), StringIO()
    yaml.dump(merge(yaml.load(text), patch), written)
    return written.getvalue()


def merge(into: Any, patch: Mapping[str, Any]) -> Any:
    """Return a spec with a patch laid over it: mappings are merged, everything else is replaced."""
    merged = deepcopy(into)
    for key, value in patch.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged
