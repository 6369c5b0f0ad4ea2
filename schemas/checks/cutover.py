"""The road to 100%: steps, bakes, gates and the pause."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from schemas.diagnostics import Diagnostic, SpecPath
from schemas.spec import Spec
from schemas.units import format_duration, format_percentage
from schemas.words import quote

HEARTBEAT_INTERVAL = timedelta(seconds=1)
"""How often the replication lag is measured: nothing shorter can be promised."""


def steps(spec: Spec) -> Iterator[Diagnostic]:
    """The shares rise, and the last is everything."""
    cutover = spec.migration.cutover
    shares = [step.to for step in cutover.steps]
    if cutover.strategy == "together" and shares != [100]:
        message = "the strategy together moves all traffic in one step"
        yield spec.finding("PMG204", "cutover.steps", message, "write a single step to 100%, or compute-first")
        return
    for index, (before, share) in enumerate(zip([Decimal(0), *shares], shares, strict=False)):
        if share <= before:
            message = (
                f"the step to {format_percentage(share)} does not rise above the {format_percentage(before)} before it"
            )
            yield spec.finding("PMG204", ("cutover", "steps", index, "to"), message, "put the steps in rising order")
    if shares[-1] != 100:
        message = f"the last step goes to {format_percentage(shares[-1])}"
        path = ("cutover", "steps", len(shares) - 1)
        yield spec.finding("PMG204", path, message, "add a last step to 100%")


def pause(spec: Spec) -> Iterator[Diagnostic]:
    """Within the pause the lag is measured, at the rate of the heartbeat."""
    budget = spec.migration.cutover.switchover.pause_budget
    if budget <= HEARTBEAT_INTERVAL:
        interval = format_duration(HEARTBEAT_INTERVAL)
        message = f"a pause of {format_duration(budget)} ends before the heartbeat, every {interval}, can show the lag"
        yield spec.finding("PMG205", "cutover.switchover.pause_budget", message, "write 2s or more, such as 10s")


def patience(spec: Spec) -> Iterator[Diagnostic]:
    """A request that is held while writes are paused must outlive the pause."""
    api, budget = spec.migration.api, spec.migration.cutover.switchover.pause_budget
    functions: list[tuple[str, SpecPath, timedelta]] = [("the API", ("api", "timeout"), api.timeout)]
    for name, route in api.routes.items():
        functions.append((f"the route {quote(name)}", ("api", "routes", name, "timeout"), route.timeout))
    for who, path, timeout in functions:
        if timeout <= budget:
            at = path if path in spec.positions else ("cutover", "switchover", "pause_budget")
            message = (
                f"{who} gives up after {format_duration(timeout)}, so a request cannot be held for the whole pause of "
                f"{format_duration(budget)}"
            )
            hint = f"write an {'.'.join(map(str, path))} above the pause_budget, such as 30s for 10s"
            yield spec.finding("PMG223", at, message, hint)


def bakes(spec: Spec) -> Iterator[Diagnostic]:
    """A bake ends while there is still a lossless way back."""
    window = spec.migration.cutover.rollback.window
    for index, step in enumerate(spec.migration.cutover.steps):
        if step.bake > window:
            message = (
                f"the bake of {format_duration(step.bake)} outlasts the rollback window of {format_duration(window)}"
            )
            hint = f"write {format_duration(window)} or less, or a longer cutover.rollback.window"
            yield spec.finding("PMG206", ("cutover", "steps", index, "bake"), message, hint)


def gates(spec: Spec) -> Iterator[Diagnostic]:
    """A gate that lets through what sounds the alarm would move traffic into a fire."""
    gates, alarms = spec.migration.cutover.gates, spec.migration.monitoring.alarms
    found = (
        ("replication_lag", gates.replication_lag > alarms.replication_lag, format_duration),
        ("error_rate", gates.error_rate > alarms.error_rate, format_percentage),
    )
    for name, looser, written in found:
        if looser:
            gate, alarm = written(getattr(gates, name)), written(getattr(alarms, name))
            path = ("cutover", "gates", name)
            if path not in spec.positions:
                path = ("monitoring", "alarms", name)
            message = f"the gate lets {name} reach {gate}, but the alarm fires at {alarm}"
            hint = f"write cutover.gates.{name}: {alarm} or less, or raise monitoring.alarms.{name}"
            yield spec.finding("PMG207", path, message, hint)
