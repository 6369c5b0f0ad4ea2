"""`paymig cutover` from the first step to the end of the way back: approvals, Ctrl-C, another machine, a death."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from compiler.driver import cache_folder
from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.databases import Databases as Logins
from paymig.deploy import record_of
from runtime_lambdas.switchover.phases import Step
from schemas.load import load
from tests.paymig.operators import another, approve
from tests.paymig.paying import PAY, checkout, dies_at, execute, may_pay, type_
from tests.runtime_lambdas.conftest import SCHEMA

QUICK = """\
  steps:
    - {to: 10%, bake: 30m}
    - {to: 50%, bake: 10m}
    - {to: 100%, bake: 10m, approval: required}
"""
HURRY = 10_000.0  # times shorter are the bakes of whoever has no day


@pytest.fixture
def file(tmp_path):
    """The spec as it lies on the first operator's machine."""
    found = checkout(tmp_path / "first", QUICK)
    found.write_text(found.read_text().replace("gates: {replication_lag: 2s}", "gates: {minimum_requests: 1}"))
    return found


@pytest.fixture
def spec(file):
    return load(file)


@contextmanager
def watched(stage, spec, outputs):
    """What CloudWatch hears all the time while all is well: of the validation function and of the load balancer."""
    own = [{"Name": "Migration", "Value": spec.migration.full_name}]
    balancer = [{"Name": "LoadBalancer", "Value": outputs["LoadBalancerName"]}]
    well = {"ValidationEqual": 1, "ValidationMismatches": 0, "ReplicationLagSeconds": 0.1}
    client, over = another(stage).client("cloudwatch"), threading.Event()

    def publish():
        while not over.wait(0.5):
            data = [{"MetricName": name, "Value": value, "Dimensions": own} for name, value in well.items()]
            client.put_metric_data(Namespace="Paymig", MetricData=data)
            requests = [{"MetricName": "RequestCount", "Value": 100, "Dimensions": balancer}]
            client.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=requests)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_the_whole_road(stage, spec, file, deploy, capsys, monkeypatch, tmp_path):
    for name, value in stage.embedded.environment().items():
        monkeypatch.setenv(name, value)
    elsewhere = shutil.copytree(file.parent, tmp_path / "second")
    first, second = Machine(file, tmp_path / "a"), Machine(elsewhere / file.name, tmp_path / "b")

    def walk(machine, **terms):
        machine.sit_down(monkeypatch)
        return type_(capsys, machine.file, "cutover", **terms)

    def live():
        return weights.look(another(stage), record_of(spec.migration))

    code, _, said = walk(first)
    assert code == 3 and "was deployed here yet" in said
    outputs = deploy(spec).outputs
    execute(stage.target_dsn, SCHEMA.read_text())
    execute(stage.source_dsn, PAY.format("before"))
    with watched(stage, spec, outputs):
        # Ctrl-C in the first bake; another operator goes on, elsewhere.
        assert first.interrupt_once_moved_to(10) == 130
        assert live() == Weights.to_new(10)
        code, told, said = walk(second, speed=HURRY)
        assert code == 4 and "the step 100% waits for approval: nobody has approved it" in said, said
        assert [one["command"] for one in told if one["event"] == "leg"] == [
            f"paymig shift --to {share}%" for share in (10, 50, 100)
        ]
        assert live() == Weights.to_new(50)

        approve(stage, spec, "100%")
        code, told, said = walk(first, speed=HURRY)
        assert code == 4 and "the step switchover waits for approval: nobody has approved it" in said, said
        assert live() == Weights.to_new(100)
        assert writers(stage, spec, "waiting") == ["source"]

        # Dead in the pause: the next one undoes it and moves, with the approval that was not used yet; dead again past
        # the point of no return: the one after completes it.
        approve(stage, spec)
        for where, machine, phase in ((Step.COMPARE, first, "switching"), (Step.OPEN, second, "baking")):
            with dies_at(where):
                walk(machine, speed=HURRY)
            assert writers(stage, spec, f"dead at {where}") == []
            planned = type_(capsys, file, "cutover", "--plan")[1][-1]
            assert (planned["phase"], planned["ahead"][0]) == (phase, "paymig switchover")
        code, told, said = walk(first, speed=HURRY)
        assert code == 0, said
        assert (told[-1]["done"], told[-1]["next"]) == (["paymig switchover"], "paymig finalize")
        assert writers(stage, spec, "moved") == ["target"]

        code, told, _ = walk(second, speed=HURRY)
        assert code == 0 and (told[-1]["done"], told[-1]["next"]) == ([], "paymig finalize")
        code, _, said = type_(capsys, file, "finalize")
        assert code == 0, said
        code, told, _ = walk(second)
        assert code == 0 and told[-1]["phase"] == "finalized" and told[-1]["next"] is None


class Machine:
    """A machine with an operator at it: a checkout and a home of its own."""

    def __init__(self, file, home):
        self.file, self._home = file, home
        # What was downloaded once need not be again: the wheel of the database driver.
        shutil.copytree(cache_folder() / "wheels", home / ".cache" / "paymig" / "wheels")

    @property
    def _environment(self):
        names = {"HOME": "", "XDG_CACHE_HOME": ".cache", "XDG_CONFIG_HOME": ".config"}
        return {name: str(self._home / folder) for name, folder in names.items()}

    def sit_down(self, monkeypatch):
        for name, value in self._environment.items():
            monkeypatch.setenv(name, value)

    def interrupt_once_moved_to(self, share):
        """Type `paymig cutover`, and Ctrl-C once the traffic has this share; return the exit code."""
        typed = [sys.executable, "-m", "paymig", "cutover", str(self.file), "--yes", "--format", "json"]
        with subprocess.Popen(typed, stdout=subprocess.PIPE, env=os.environ | self._environment, text=True) as process:
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "move" and event["after"]["new"] == share:
                    process.send_signal(signal.SIGINT)
        return process.returncode


def writers(stage, spec, key):
    logins = Logins(another(stage), spec)
    return [side for side in ("source", "target") if may_pay(logins, side, f"{side} {key}")]
