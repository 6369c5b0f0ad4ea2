"""What each command that deals with the traffic costs, in seconds and API calls; and from an alarm to the weights back.

Over the embedded AWS, whose stacks are made in a second, whose name servers agree at once, and whose alarm fires when
told to: these are the costs of paymig and of the rollback function, not of AWS. Each command has a session of its own,
as in a process of its own; starting that is not counted. A shift reads every gate and lets it pass.

    python benchmarks/traffic.py [--rounds 20]
"""

import argparse
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from compiler.compile import compile_spec
from paymig import approvals
from paymig.aws import weights
from paymig.aws.session import Aws
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import Deployer, record_of
from paymig.gates.gate import Gate, Position
from paymig.gates.judge import judge
from paymig.journal.opening import open_journal
from paymig.rehearsal.stage import Stage, open_stage
from paymig.rollback import roll_back
from paymig.status import look
from paymig.traffic.shift import Shifter
from schemas.load import Spec, load

SPEC = Path(__file__).parents[1] / "specs" / "payments.yaml"


class CountingAws(Aws):
    """An operator's access that counts its API calls, repeated ones too."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(
            stage.aws.region, endpoint_url=stage.embedded.endpoint_url, credentials=(stage.embedded.account_id, "x")
        )
        self.calls: Counter[str] = Counter()

    def _make_client(self, service: str) -> Any:
        client = super()._make_client(service)
        client.meta.events.register("before-send", self._count)
        return client

    def _count(self, event_name: str, **_: Any) -> None:
        self.calls[event_name.rpartition(".")[2]] += 1


class Table:
    """Prints a line for each command."""

    def __init__(self) -> None:
        print(f"{'':<28}{'median ms':>10}{'worst ms':>10}{'calls':>7}")

    def line(self, name: str, seconds: list[float], calls: list[Counter[str]] | None = None) -> None:
        """Print how long it took; the calls are those of the round in the middle."""
        middle = sorted(calls, key=Counter.total)[len(calls) // 2] if calls else Counter[str]()
        listed = ", ".join(f"{call} {count}" for call, count in sorted(middle.items()))
        median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
        print(f"{name:<28}{median:>10.0f}{worst:>10.0f}{middle.total() or '':>7}   {listed}", flush=True)


class Rounds:
    """Runs commands, each as an operator who has just arrived."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.seconds: list[float] = []
        self.calls: list[Counter[str]] = []

    def run(self, command: Callable[[Aws], object]) -> Any:
        """Run one, and keep what it cost."""
        aws = CountingAws(self._stage)
        began = time.perf_counter()
        done = command(aws)
        self.seconds.append(time.perf_counter() - began)
        self.calls.append(aws.calls)
        return done


def shift(spec: Spec, share: int) -> Callable[[Aws], object]:
    """The command that moves the traffic, without its bake."""

    def act(aws: Aws) -> object:
        read = judge(aws, spec.migration)

        def let_pass(where: Position) -> tuple[Gate, ...]:
            read(where)
            return ()

        return Shifter(aws, spec, Console(), judge=let_pass).shift(share, yes=True, bake=False)

    return act


def deploy(spec: Spec) -> Callable[[Aws], Any]:
    """The command that deploys; the spec is compiled already."""
    compiled = compile_spec(spec)
    return lambda aws: Deployer(aws, spec, compiled, Console()).run(yes=True)


def with_memory(spec: Spec, mebibytes: int) -> Spec:
    """The spec with one value changed."""
    api = spec.migration.api.model_copy(update={"memory": mebibytes * 2**20})
    return replace(spec, migration=spec.migration.model_copy(update={"api": api}))


def approve(stage: Stage, spec: Spec, share: int) -> None:
    """Approve a share as somebody else, where the spec asks for that."""
    step = approvals.step_of(share)
    if approvals.rule_of(spec.migration, step) != "none":
        journal = open_journal(stage.aws, spec.migration.full_name)
        journal.who += "/somebody-else"
        approvals.approve(journal, step, approvals.digest(stage.aws, spec, journal))


def alarm_to_weights(stage: Stage, spec: Spec, alarm: str) -> float:
    """Set the alarm off at 50 % and wait for the weights to be back; give the seconds."""
    client, record = stage.aws.client("cloudwatch"), record_of(spec.migration)
    weights.write(stage.aws, record, Weights.to_new(50))
    began = time.perf_counter()
    client.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="benchmark")
    while weights.read(stage.aws, record) != Weights.to_new(0):
        time.sleep(0.005)
    took = time.perf_counter() - began
    client.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="benchmark")
    return took


@contextmanager
def load_of_the_machine() -> Iterator[None]:
    """Say what else the machine had to do."""
    before = os.getloadavg()[0]
    yield
    print(f"{os.cpu_count()} processors, load {before:.1f} at the beginning and {os.getloadavg()[0]:.1f} at the end")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    spec = load(SPEC)
    with load_of_the_machine(), open_stage(spec.migration) as stage:
        first, same, change = Rounds(stage), Rounds(stage), Rounds(stage)
        smaller, larger = deploy(spec), deploy(with_memory(spec, 1024))
        outputs = first.run(smaller).outputs
        for _ in range(rounds):
            change.run(larger)
            same.run(larger)
            change.run(smaller)
        shifts, backs, statuses, traffic = Rounds(stage), Rounds(stage), Rounds(stage), []
        steps = [int(step.to) for step in spec.migration.cutover.steps]
        for _ in range(rounds):
            for share in steps:
                approve(stage, spec, share)
                shifts.run(shift(spec, share))
            statuses.run(lambda aws: look(aws, spec.migration))
            traffic.append(backs.run(lambda aws: roll_back(aws, spec.migration, Console(), yes=True)).seconds)
        alarm = next(name for name in outputs["AlarmNames"].split(",") if "ErrorRateAlarm" in name)
        alarms = [alarm_to_weights(stage, spec, alarm) for _ in range(rounds)]
        table = Table()
        table.line("deploy, the first", first.seconds, first.calls)
        table.line("deploy, one change", change.seconds, change.calls)
        table.line("deploy, nothing changed", same.seconds, same.calls)
        table.line("shift, gates and move", shifts.seconds, shifts.calls)
        table.line("status", statuses.seconds, statuses.calls)
        table.line("rollback", backs.seconds, backs.calls)
        table.line("  the traffic of it", traffic)
        table.line("alarm to weights back", alarms)


if __name__ == "__main__":
    main()
