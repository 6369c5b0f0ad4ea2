"""The steps that a rehearsal can take, by name; each types the real commands and says what came of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import nullcontext

from paymig import approvals
from paymig.aws import stack
from paymig.errors import UNHEALTHY, Refused
from paymig.rehearsal import replication
from paymig.rehearsal.faults import FAULTS
from paymig.rehearsal.operator import Typed
from paymig.rehearsal.play import BrokenPromise, Play
from paymig.rehearsal.scenario import Step, changed
from runtime_lambdas.runtime.journal.approvals import SWITCHOVER
from runtime_lambdas.runtime.waiting import paces

_PATIENCE = 30
_MEANWHILE, _MORE = 4, 2000
"""Rows that are given up for each that would be lost now, and besides: clients pay until the writer is back."""

Take = Callable[[Play, str], str]


def _deploy(play: Play, _: str) -> str:
    done = play.type("deploy", "--yes")
    root = stack.describe(play.stage.aws, play.migration.full_name)
    if done.exit_code:
        return f"ended with {done.exit_code}; the stack is {root.status if root else 'not there'}"
    if root is None:
        raise BrokenPromise("deploy left no stack")
    play.open_new_api(root.outputs["LoadBalancerDnsName"])
    nested = stack.nested(play.stage.aws, play.migration.full_name)
    count = sum(len(list(stack.resources(play.stage.aws, id_))) for id_ in nested.values())
    return f"{len(nested)} nested stacks, {count} resources; the new API is warm"


def _redeploy(play: Play, _: str) -> str:
    before = play.weights()
    file = play.workplace / play.spec.file
    file.write_text(changed(file.read_text(), {"api": {"memory": f"{play.migration.api.memory * 2 // 1024**2}MiB"}}))
    play.type("deploy", "--yes")
    if (after := play.weights()) != before:
        raise BrokenPromise(f"a deploy in mid-shift moved the weights: {before} before, {after} after")
    return f"weights did not move: {after}"


def _shift(play: Play, share: str) -> str:
    _approve(play, f"{share}%")
    speed = play.options.speed_at(play.migration.cutover.steps, float(share))
    with play.terms(PAYMIG_REHEARSED_SPEED=str(speed)):
        done = play.type("shift", "--to", share, "--yes")
    return _said(done) if done.exit_code else f"live weights: {play.weights()}; {_seen(play)}"


def _move(play: Play, share: str) -> str:
    _approve(play, f"{share}%")
    with play.terms(PAYMIG_REHEARSED_GATES="off"):
        play.type("shift", "--to", share, "--yes", "--no-bake")
    return f"live weights: {play.weights()}"


def _approve(play: Play, step: str) -> None:
    """Have a second person approve a step, where the spec asks for that person or for anybody."""
    if approvals.rule_of(play.migration, step) != "none":
        play.type("approve", "--step", step, "--yes", "--why", "a rehearsal", by=play.second_person)


def _bake(play: Play, seconds: str) -> str:
    play.bake(float(seconds))
    return _seen(play)


def _seen(play: Play) -> str:
    summary = list(play.clients.last)
    requests = sum(now["requests"] for now in summary)
    new = sum(now["new"] for now in summary)
    return f"{requests} requests in the last 3 s, {100 * new / requests if requests else 0:.0f} % of them on AWS"


def _status(play: Play, _: str) -> str:
    play.type("status")
    return "healthy"


def _switch_over(play: Play, how: str) -> str:
    _approve(play, SWITCHOVER)
    done = play.type("switchover", *how.split(), "--yes")
    if done.exit_code == 0 and play.writer() != "target":
        raise BrokenPromise("paymig switchover ended well, and the source is the writer")
    return _said(done)


def _roll_back(play: Play, how: str) -> str:
    before = play.writer()
    done = play.type("rollback", *how.split(), "--yes")
    if done.exit_code or before == "target":
        return _said(done)
    return f"live weights: {play.weights()}"


def _roll_back_with_loss(play: Play, _: str) -> str:
    """Be told what would be lost, give up more than that, since clients go on paying, and go back."""
    since = time.time()
    told = play.type("rollback", "--yes", exits=(Refused.exit_code,))
    found = re.search(r"--accept-loss (\d+)", told.output)
    if found is None:
        raise BrokenPromise(f"paymig rollback does not say how many rows would be lost:\n{told.output}")
    rows = int(found[1]) * _MEANWHILE + _MORE
    done = play.type("rollback", "--accept-loss", str(rows), "--yes")
    play.given_up.append((since, time.time()))
    return f"{found[1]} rows would have been lost at first, {rows} were given up; {_said(done)}"


def _finalize(play: Play, _: str) -> str:
    return _said(play.type("finalize", "--yes", "--why", "a rehearsal"))


def _said(done: Typed) -> str:
    """Return what a command said in the end: its result, or why it was refused."""
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    if done.exit_code:
        refused = next((line for line in lines if line.startswith("error: ")), f"ended with {done.exit_code}")
        return f"refused: {refused.removeprefix('error: ')}" if done.exit_code == Refused.exit_code else refused
    return lines[-1] if lines else ""


def _unlock(play: Play, _: str) -> str:
    play.type("unlock", "--yes")
    return "nobody holds the lease"


def _weight(play: Play, share: str) -> str:
    """Wait until the record gives AWS this share, whoever moves it."""
    for _ in paces(_PATIENCE):
        if play.weights().share == float(share):
            return f"live weights: {play.weights()}"
    raise BrokenPromise(f"the weights are {play.weights()} after {_PATIENCE} s, not {share} % on AWS")


def _stop_replication(play: Play, _: str) -> str:
    play.type("replicate stop", "--yes")
    play.replicating = False
    return "replication is paused"


def _caught_up(play: Play, _: str) -> str:
    return f"a beat reached the target after {replication.marker(play, _PATIENCE) * 1000:.0f} ms"


def _destroy(play: Play, _: str) -> str:
    if play.writer() == "target":
        return _said(play.type("destroy", "--yes", exits=(Refused.exit_code,)))
    play.type("destroy", "--yes")
    left = stack.describe(play.stage.aws, play.migration.full_name)
    if left is not None and left.status != "DELETE_COMPLETE":
        raise BrokenPromise(f"the stack is still there: {left.status}")
    return "no stack left"


def _preflight(play: Play, _: str) -> str:
    done = play.type("preflight", exits=(0, UNHEALTHY))
    return "nothing stands in the way" if done.exit_code == 0 else "it found errors; what it printed names them"


def _plan(play: Play, _: str) -> str:
    return f"{len(play.type('plan').output.splitlines())} lines say what a deploy would do"


def _replicate(play: Play, _: str) -> str:
    done = replication.start(play)
    play.replicating = True
    return done


def _compare(play: Play, _: str) -> str:
    file = play.workplace / "comparison.json"
    play.type("compare", "--full", "--report", file.name)
    report = json.loads(file.read_text())
    play.comparison = report
    rows = sum(table["rows_source"] for table in report["tables"])
    return f"{report['verdict']}: {len(report['tables'])} tables, {rows:,} rows, {len(report['invariants'])} invariants"


STEPS: dict[str, Take] = {
    "preflight": _preflight,
    "plan": _plan,
    "deploy": _deploy,
    "replicate": _replicate,
    "stop-replication": _stop_replication,
    "compare": _compare,
    "redeploy": _redeploy,
    "shift": _shift,
    "move": _move,
    "bake": _bake,
    "status": _status,
    "switchover": _switch_over,
    "rollback": _roll_back,
    "rollback-with-loss": _roll_back_with_loss,
    "finalize": _finalize,
    "unlock": _unlock,
    "weight": _weight,
    "caught-up": _caught_up,
    "destroy": _destroy,
}


def take(play: Play, step: Step) -> str:
    """Take a step, with what goes wrong meanwhile, and say what came of it.

    Raises:
        BrokenPromise: it did not do what it is there for.
    """
    name, _, argument = step.take.partition(" ")
    play.allowed = step.exits
    try:
        with FAULTS[step.fault](play) if step.fault else nullcontext():
            return STEPS[name](play, argument)
    finally:
        play.allowed = ()


def known(step: str) -> bool:
    """Tell whether there is such a step."""
    return re.split(r"\s", step, maxsplit=1)[0] in STEPS
