"""Moving traffic over the embedded AWS: how long, and in how many calls; and from an alarm to the weights back.

The embedded Route 53 is in sync at once and the embedded alarm fires when told to, so these are the costs of paymig and
of the rollback function, not of AWS.

    python benchmarks/traffic.py [--rounds 20]
"""

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path

from compiler.compile import compile_spec
from paymig.aws import weights
from paymig.aws.session import Aws
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import Deployer, record_of
from paymig.rehearsal.stage import Stage, open_stage
from paymig.traffic import Shifter
from schemas.load import Spec, load

SPEC = Path(__file__).parents[1] / "specs" / "payments.yaml"


class Calls:
    """Counts the API calls of every client of an `Aws`."""

    def __init__(self, aws: Aws) -> None:
        self.counts: Counter[str] = Counter()
        for service in ("route53", "cloudformation", "dynamodb", "sts"):
            aws.client(service).meta.events.register("before-call", self._count)

    def _count(self, model, **_) -> None:  # noqa: ANN001, ANN003 - botocore's own hook
        self.counts[model.name] += 1


def measured(stage: Stage, spec: Spec, calls: Calls, shares: list[int]) -> tuple[list[float], Counter[str]]:
    """Move the traffic to each share in turn; give the seconds of each and the calls of one."""
    seconds = []
    before = Counter(calls.counts)
    for share in shares:
        started = time.perf_counter()
        Shifter(stage.aws, spec, Console(), judge=lambda _: ()).shift(share, yes=True, force_step=True, bake=False)
        seconds.append(time.perf_counter() - started)
    total = calls.counts - before
    return seconds, Counter({name: round(count / len(shares)) for name, count in total.items()})


def alarm_to_weights(stage: Stage, spec: Spec, alarm: str) -> float:
    """Set the alarm off at 50 % and wait for the weights to be back; give the seconds."""
    client, record = stage.aws.client("cloudwatch"), record_of(spec.migration)
    weights.write(stage.aws, record, Weights.to_new(50))
    started = time.perf_counter()
    client.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="benchmark")
    while weights.read(stage.aws, record) != Weights.to_new(0):
        time.sleep(0.005)
    took = time.perf_counter() - started
    client.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="benchmark")
    return took


def show(label: str, seconds: list[float], calls: Counter[str] | None = None) -> None:
    """Print one line."""
    listed = ", ".join(f"{name} {count}" for name, count in sorted((calls or {}).items()) if count)
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"{label:<26}{median:>10.0f}{worst:>10.0f}   {listed}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    spec = load(SPEC)
    with open_stage(spec.migration) as stage:
        outputs = Deployer(stage.aws, spec, compile_spec(spec), Console()).run(yes=True).outputs
        alarm = next(name for name in outputs["AlarmNames"].split(",") if "ErrorRateAlarm" in name)
        calls = Calls(stage.aws)
        steps = [int(step.to) for step in spec.migration.cutover.steps]
        shifts = measured(stage, spec, calls, steps * (rounds // len(steps) or 1))
        backs: tuple[list[float], Counter[str]] = ([], Counter())
        for _ in range(rounds):
            measured(stage, spec, calls, [50])
            seconds, counts = measured(stage, spec, calls, [0])
            backs = (backs[0] + seconds, counts)
        alarms = [alarm_to_weights(stage, spec, alarm) for _ in range(rounds)]
    print(f"{'':<26}{'median ms':>10}{'worst ms':>10}   calls of one")
    show("shift", *shifts)
    show("rollback", *backs)
    show("alarm to weights back", alarms)


if __name__ == "__main__":
    main()
