"""The rehearsal: the whole migration on this machine, by the very code that runs it on AWS."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rich.table import Table

from compiler.compile import compile_spec
from paymig.aws import stack, weights
from paymig.console import Console
from paymig.deploy import Deployer, Deployment, record_of
from paymig.destroy import destroy
from paymig.rehearsal.client import BrokenPromise, Client, prove
from paymig.rehearsal.stage import Stage, open_stage
from paymig.rollback import roll_back
from paymig.status import look, render
from paymig.traffic import shift
from schemas.load import Spec

T = TypeVar("T")

_PAYMENTS_A_STEP = 5


@dataclass(frozen=True)
class Step:
    """One step of the rehearsal as it went."""

    name: str
    seconds: float
    result: str


@dataclass
class Report:
    """What a rehearsal did.

    Attributes:
        payments: how many acknowledged payments were looked up in the writer and found.
    """

    migration: str
    steps: list[Step] = field(default_factory=list)
    payments: int = 0

    @property
    def seconds(self) -> float:
        """Time of all steps."""
        return sum(step.seconds for step in self.steps)

    def table(self) -> Table:
        """Draw the summary."""
        table = Table(title=f"Rehearsal of {self.migration}", title_justify="left", box=None, pad_edge=False)
        for heading, justify in (("step", "left"), ("seconds", "right"), ("result", "left")):
            table.add_column(heading, justify=justify, header_style="dim")  # type: ignore[arg-type]
        for step in self.steps:
            table.add_row(step.name, f"{step.seconds:.2f}", step.result)
        verdict = f"{self.payments} payments acknowledged, every one in the writer exactly once; ledger balanced."
        table.add_section()
        table.add_row("[bold]all[/]", f"[bold]{self.seconds:.2f}[/]", f"[bold green]{verdict}[/]")
        return table


class Rehearsal:
    """One rehearsal of one spec.

    Args:
        spec: the operator's spec; its templates are deployed as they are.
        console: where progress goes.
    """

    def __init__(self, spec: Spec, console: Console) -> None:
        self._spec = spec
        self._console = console
        self._report = Report(spec.migration.full_name)

    def run(self) -> Report:
        """Play every step.

        Raises:
            PaymigError: a step failed; what was started is stopped and removed.
        """
        migration = self._spec.migration
        self._console.say(f"[bold]Rehearsing {migration.full_name}[/] on this machine")
        with self._staged() as stage:
            deployment = self._step("deploy", lambda: self._deploy(stage, self._spec))
            client = Client(stage.embedded, deployment.outputs["LoadBalancerDnsName"])
            self._step("call the API", lambda: self._pay(client))
            shares = [int(step.to) for step in migration.cutover.steps]
            for share in shares[:-1]:
                self._step(f"shift to {share} %", lambda share=share: self._shift(stage, client, share))  # type: ignore[misc]
            self._step("redeploy, changed", lambda: self._redeploy(stage, client))
            self._step(f"shift to {shares[-1]} %", lambda: self._shift(stage, client, shares[-1]))
            self._step("status", lambda: self._status(stage))
            self._step("roll back", lambda: self._roll_back(stage, client))
            self._step("prove", lambda: self._prove(stage, client))
            self._step("destroy", lambda: self._destroy(stage))
        return self._report

    @contextmanager
    def _staged(self) -> Iterator[Stage]:
        opened = time.monotonic()
        with open_stage(self._spec.migration) as stage:
            what = f"PostgreSQL {stage.source.version} and the embedded AWS at {stage.embedded.endpoint_url}"
            self._record("start", time.monotonic() - opened, what)
            yield stage

    def _step(self, name: str, act: Callable[[], tuple[T, str]]) -> T:
        started = time.monotonic()
        self._console.say(f"[dim]-- {name}[/]")
        value, result = act()
        self._record(name, time.monotonic() - started, result)
        return value

    def _record(self, name: str, seconds: float, result: str) -> None:
        self._report.steps.append(Step(name, seconds, result))
        self._console.say(f"[green]ok[/] {name}  {seconds:.2f} s  {result}")

    def _deploy(self, stage: Stage, spec: Spec) -> tuple[Deployment, str]:
        done = Deployer(stage.aws, spec, compile_spec(spec), self._console).run(yes=True)
        nested = stack.nested(stage.aws, done.stack)
        count = sum(len(list(stack.resources(stage.aws, id_))) for id_ in nested.values())
        return done, f"{done.outcome}: {len(nested)} nested stacks, {count} resources"

    def _pay(self, client: Client) -> tuple[None, str]:
        health = client.health()
        if self._spec.migration.api.code != "builtin:payment_api":
            return None, "healthy (an API of your own is not sent payments)"
        for amount in range(100, 100 + _PAYMENTS_A_STEP):
            payment = client.read(client.pay(amount))
            if payment["amount"] != amount:
                raise BrokenPromise(f"payment {payment['id']} reads {payment['amount']}, acknowledged was {amount}")
        return None, f"{_PAYMENTS_A_STEP} payments, each sent twice; the writer is the {health['writer']}"

    def _shift(self, stage: Stage, client: Client, share: int) -> tuple[None, str]:
        shift(stage.aws, self._spec.migration, share, self._console, yes=True)
        self._pay(client)
        return None, f"live weights: {self._live(stage)}"

    def _roll_back(self, stage: Stage, client: Client) -> tuple[None, str]:
        roll_back(stage.aws, self._spec.migration, self._console, yes=True)
        self._pay(client)
        return None, f"live weights: {self._live(stage)}"

    def _redeploy(self, stage: Stage, client: Client) -> tuple[None, str]:
        before = self._live(stage)
        migration = self._spec.migration
        api = migration.api.model_copy(update={"memory": migration.api.memory * 2})
        changed = replace(self._spec, migration=migration.model_copy(update={"api": api}))
        done, _ = self._deploy(stage, changed)
        after = self._live(stage)
        if done.outcome != "updated" or before != after:
            raise BrokenPromise(f"a deploy in mid-shift ended {done.outcome}; weights before: {before}, after: {after}")
        self._pay(client)
        return None, f"{done.outcome}; weights did not move: {after}"

    def _live(self, stage: Stage) -> weights.Weights:
        live = weights.read(stage.aws, record_of(self._spec.migration))
        if live is None:
            raise BrokenPromise("the weighted pair is gone")
        return live

    def _status(self, stage: Stage) -> tuple[None, str]:
        status = look(stage.aws, self._spec.migration)
        self._console.say(render(status))
        if not status.healthy:
            raise BrokenPromise("the status is not healthy")
        return None, "healthy"

    def _prove(self, stage: Stage, client: Client) -> tuple[None, str]:
        self._report.payments = prove(stage.source_dsn, client.receipts)
        return None, f"{self._report.payments} of {len(client.receipts)} acknowledged payments found once"

    def _destroy(self, stage: Stage) -> tuple[None, str]:
        destroy(stage.aws, self._spec.migration, self._console, yes=True)
        left = stack.describe(stage.aws, self._spec.migration.full_name)
        if left is not None and left.status != "DELETE_COMPLETE":
            raise BrokenPromise(f"the stack is still there: {left.status}")
        return None, "no stack left"
