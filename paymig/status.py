"""Where a migration stands: its stacks, its traffic, its alarms."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table

from paymig.aws import stack, weights
from paymig.aws.session import Aws
from paymig.aws.weights import Weights
from paymig.deploy import record_of
from schemas.migration import Migration

_HEALTHY_STACKS = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")


@dataclass(frozen=True)
class Status:
    """One look at a migration.

    Attributes:
        stack: the root stack's status; `absent` before the first deploy.
        components: each nested stack's status.
        live: the weights that Route 53 answers with; None where there is no weighted pair.
        recorded: the weights that the last deploy recorded in the stack.
        alarms: how many alarms there are.
        firing: the names of those in alarm.
    """

    name: str
    stack: str
    components: Mapping[str, str]
    live: Weights | None
    recorded: Weights | None
    alarms: int
    firing: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether everything is deployed and no alarm fires."""
        states = [self.stack, *self.components.values()]
        return all(state in _HEALTHY_STACKS for state in states) and self.live is not None and not self.firing


def look(aws: Aws, migration: Migration) -> Status:
    """Gather the status; reads only.

    Raises:
        Refused: the weighted pair is in a shape that paymig does not make.
    """
    name = migration.full_name
    root = stack.describe(aws, name)
    components = {r.logical_id: r for r in stack.resources(aws, name) if r.type == stack.NESTED} if root else {}
    alarms = sorted(
        resource.physical_id
        for component in components.values()
        if component.physical_id
        for resource in stack.resources(aws, component.physical_id)
        if resource.type in _ALARMS and resource.physical_id
    )
    recorded = None
    if root and {"OldWeight", "NewWeight"} <= root.parameters.keys():
        recorded = Weights(int(root.parameters["OldWeight"]), int(root.parameters["NewWeight"]))
    return Status(
        name=name,
        stack=root.status if root else "absent",
        components={name: component.status for name, component in sorted(components.items())},
        live=weights.read(aws, record_of(migration)),
        recorded=recorded,
        alarms=len(alarms),
        firing=tuple(_firing(aws, alarms)),
    )


def _firing(aws: Aws, names: list[str]) -> list[str]:
    firing: list[str] = []
    for start in range(0, len(names), 100):
        found = aws.client("cloudwatch").describe_alarms(
            AlarmNames=names[start : start + 100], AlarmTypes=["MetricAlarm", "CompositeAlarm"], StateValue="ALARM"
        )
        firing += [alarm["AlarmName"] for alarm in (*found["MetricAlarms"], *found["CompositeAlarms"])]
    return firing


def render(status: Status) -> RenderableType:
    """Draw the status for a terminal."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("migration", f"[bold]{status.name}[/]  {_coloured(status.stack)}")
    for name, state in status.components.items():
        table.add_row("", f"{name:<14} {_coloured(state)}")
    if status.live is None:
        table.add_row("traffic", "no weighted pair yet")
    else:
        table.add_row("traffic", f"{_bar(status.live)}  source {status.live.old} %, AWS {status.live.new} %")
    fires = f"[red]{', '.join(status.firing)}[/]" if status.firing else "none firing"
    table.add_row("alarms", f"{fires} of {status.alarms}")
    verdict = "[green]healthy[/]" if status.healthy else "[red]not healthy[/]"
    return Group(table, verdict)


def _coloured(state: str) -> str:
    colour = "green" if state in _HEALTHY_STACKS else "yellow" if state.endswith("_IN_PROGRESS") else "red"
    return f"[{colour}]{state}[/]"


def _bar(live: Weights, width: int = 30) -> str:
    new = round(width * live.share / 100)
    return f"[blue]{'█' * (width - new)}[/][green]{'█' * new}[/]"
