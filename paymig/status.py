"""Where a migration stands: its stacks, its traffic, its alarms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from paymig.aws import bootstrap, stack, weights
from paymig.aws.session import Aws
from paymig.aws.weights import Weights
from paymig.cutover.way_back import WayBack, last_move, unseen
from paymig.deploy import record_of
from paymig.gates import show
from paymig.gates.gate import Gate
from paymig.gates.judge import judge
from paymig.gates.position import position, wanted
from paymig.journal.opening import open_journal
from paymig.phase import Standing, standing, stopped
from runtime_lambdas.runtime.journal.control import Writer
from runtime_lambdas.runtime.journal.entry import Entry
from schemas.migration import Migration

_NAME_SERVERS = 60.0
"""Seconds that Route 53 takes at most, as a rule, until every name server has a change."""

_QUESTIONS = 5
"""How often Route 53 is asked what it answers; it takes five calls a second from an account, rollbacks included."""

_HEALTHY_STACKS = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")


@dataclass(frozen=True)
class Rollback:
    """What going back would mean now.

    Attributes:
        lossless: whether nothing would be lost; None where it can't be told.
        seconds: about how long it takes: while only weights move, until everybody who asks anew is sent to the source
            (the name servers' agreement and the record's TTL); once the target is the writer, as long as the writer
            took on its last move. None where the way back has ended, or nothing is known.
    """

    lossless: bool | None
    seconds: float | None
    why: str

    def __str__(self) -> str:
        losses = {True: "loses nothing", False: "may lose payments", None: "can't be told"}[self.lossless]
        return losses if self.seconds is None else f"{losses}, about {self.seconds:.0f} s"


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
        wanted: what the journal's last move of the traffic reached; None where it tells of none.
        phase: where the migration is on its road.
        writer: which database accepts writes; None where there is no journal.
        lease: who is at work; None for nobody.
        gates: what every gate says now; empty before the first deploy.
        answered: the percentage of Route 53's answers, of five, that sent to AWS; None where there is no pair.
        rollback: whether going back now loses nothing, about how many seconds it takes, and why.
        stopped: what keeps the applications from writing, with nobody at work on it; None for nothing.
    """

    name: str
    stack: str
    components: Mapping[str, str]
    live: Weights | None
    recorded: Weights | None
    alarms: int
    firing: tuple[str, ...]
    wanted: str | None = None
    phase: str = "absent"
    writer: Writer | None = None
    lease: str | None = None
    gates: tuple[Gate, ...] = ()
    rollback: Rollback | None = None
    answered: float | None = None
    stopped: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the status as JSON's types."""
        return asdict(self) | {"gates": [gate.to_json() for gate in self.gates], "healthy": self.healthy}

    @property
    def healthy(self) -> bool:
        """Whether everything is deployed, no alarm fires, and no application is kept from writing."""
        states = [self.stack, *self.components.values()]
        deployed = all(state in _HEALTHY_STACKS for state in states) and self.live is not None
        return deployed and not self.firing and self.stopped is None


def look(aws: Aws, migration: Migration, way_back: Callable[[], WayBack] = unseen) -> Status:
    """Gather the status.

    Args:
        aws: where.
        migration: the spec's values.
        way_back: looks at the replication to the source; called where the target is the writer.

    Raises:
        Refused: the weighted pair is in a shape that paymig does not make, or the journal contradicts itself.
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
    live = weights.read(aws, record_of(migration))
    known: dict[str, Any] = {}
    if bootstrap.journal_table(aws) is not None:
        journal = open_journal(aws, name)
        entries, lease = list(journal.entries()), journal.lease()
        writer = journal.writer()
        stands = standing(live.share if live else None, writer, entries)
        known = {
            "phase": stands.phase,
            "writer": writer,
            "lease": str(lease) if lease and lease.held else None,
            "wanted": wanted(entries),
            "rollback": _rollback(migration, stands, entries, way_back),
            "stopped": stopped(stands, migration.cutover.strategy) if not (lease and lease.held) else None,
            "gates": judge(aws, migration)(position(migration, live, entries)) if root and live else (),
        }
    return Status(
        name=name,
        stack=root.status if root else "absent",
        components={name: component.status for name, component in sorted(components.items())},
        live=live,
        recorded=recorded,
        alarms=len(alarms),
        firing=tuple(_firing(aws, alarms)),
        answered=weights.answered(aws, record_of(migration), _QUESTIONS) if live else None,
        **known,
    )


def _rollback(
    migration: Migration, stands: Standing, entries: Sequence[Entry], way_back: Callable[[], WayBack]
) -> Rollback:
    if stands.writer.side == "source":
        seconds = _NAME_SERVERS + migration.routing.ttl.total_seconds()
        why = "the source is the writer; only weights move"
        if stands.move is not None:
            how = "completed" if stands.move.committed else "undone"
            why = f"the source is the writer; the {stands.move.way.verb} is {how} first, then the weights move"
        return Rollback(True, seconds, why)
    if stands.finalized:
        return Rollback(False, None, "paymig finalize has ended the way back: the source is left behind")
    found, took = way_back(), last_move(entries)
    long = "" if took is None or took.pause is None else f"; the last move paused writes for {took.pause:.1f} s of that"
    return Rollback(found.lossless, took.seconds if took else None, f"the target is the writer, and {found.why}{long}")


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
    for name, text, odd in traffic(status):
        table.add_row(name, f"[yellow]{text}[/]" if odd else text)
    if status.writer is not None:
        table.add_row("phase", f"{status.phase}; the {status.writer.side} is the writer (epoch {status.writer.epoch})")
        table.add_row("lease", status.lease or "free")
    if status.stopped is not None:
        table.add_row("stopped", f"[red]{status.stopped}[/]")
    if status.rollback is not None:
        colour = {True: "green", False: "red", None: "yellow"}[status.rollback.lossless]
        table.add_row("going back", f"[{colour}]{status.rollback}[/]; {escape(status.rollback.why)}")
    fires = f"[red]{', '.join(status.firing)}[/]" if status.firing else "none firing"
    table.add_row("alarms", f"{fires} of {status.alarms}")
    verdict = "[green]healthy[/]" if status.healthy else "[red]not healthy[/]"
    return Group(table, *([show.table(status.gates)] if status.gates else []), verdict)


def traffic(status: Status) -> list[tuple[str, str, bool]]:
    """Say what the live weights are compared with: its name, what it says, and whether it contradicts them."""
    live, told = status.live, []
    if live is None:
        return []
    if status.wanted is not None:
        odd = status.wanted != str(live)
        by_hand = "; somebody moved it by hand since" if odd else ""
        told.append(("wanted", f"{status.wanted}: where the journal's last move ended{by_hand}", odd))
    if status.answered is not None:
        odd = live.share in (0, 100) and status.answered != live.share
        told.append(("answered", f"Route 53 sent {status.answered:g} % of {_QUESTIONS} questions to AWS", odd))
    return told


def _coloured(state: str) -> str:
    colour = "green" if state in _HEALTHY_STACKS else "yellow" if state.endswith("_IN_PROGRESS") else "red"
    return f"[{colour}]{state}[/]"


def _bar(live: Weights, width: int = 30) -> str:
    new = round(width * live.share / 100)
    return f"[blue]{'█' * (width - new)}[/][green]{'█' * new}[/]"
