"""The steps that a rehearsal can take, by name; each types the real commands and says what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import nullcontext

from paymig import approvals
from paymig.aws import stack
from paymig.errors import UNHEALTHY
from paymig.journal.opening import open_journal
from paymig.rehearsal import replication
from paymig.rehearsal.faults import FAULTS
from paymig.rehearsal.play import BrokenPromise, Play
from paymig.rehearsal.scenario import Step, changed
from runtime_lambdas.runtime.waiting import paces
from schemas.load import load

_PATIENCE = 30

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
    play.type("shift", "--to", share, "--yes", "--no-bake")
    return f"live weights: {play.weights()}"


def _approve(play: Play, step: str) -> None:
    """Approve a step as a second person, where the spec asks for one or for anybody."""
    if approvals.rule_of(play.migration, step) == "none":
        return
    journal = open_journal(play.stage.aws, play.migration.full_name)
    seen = approvals.digest(play.stage.aws, load(play.workplace / play.spec.file), journal)
    journal.who = f"{journal.who}/somebody-else"
    approvals.approve(journal, step, seen, "a rehearsal")


def _bake(play: Play, seconds: str) -> str:
    play.bake(float(seconds))
    summary = list(play.now.last)
    requests = sum(now["requests"] for now in summary)
    new = sum(now["new"] for now in summary)
    return f"{requests} requests in the last 3 s, {100 * new / requests if requests else 0:.0f} % of them on AWS"


def _status(play: Play, _: str) -> str:
    play.type("status")
    return "healthy"


def _roll_back(play: Play, _: str) -> str:
    play.type("rollback", "--yes")
    return f"live weights: {play.weights()}"


def _unlock(play: Play, _: str) -> str:
    play.type("unlock", "--yes")
    return "nobody holds the lease"


def _weight(play: Play, share: str) -> str:
    """Wait until the record gives AWS this share, whoever moves it."""
    for _ in paces(_PATIENCE):
        if play.weights().share == float(share):
            return f"live weights: {play.weights()}"
    raise BrokenPromise(f"the weights are {play.weights()} after {_PATIENCE} s, not {share} % on AWS")


def _resume(play: Play, _: str) -> str:
    replication.resume(play)
    return "replication goes on where it stopped"


def _caught_up(play: Play, _: str) -> str:
    return f"a beat reached the target after {replication.marker(play, _PATIENCE) * 1000:.0f} ms"


def _destroy(play: Play, _: str) -> str:
    play.type("destroy", "--yes")
    left = stack.describe(play.stage.aws, play.migration.full_name)
    if left is not None and left.status != "DELETE_COMPLETE":
        raise BrokenPromise(f"the stack is still there: {left.status}")
    return "no stack left"


def _preflight(play: Play, _: str) -> str:
    done = play.type("preflight", exits=(0, UNHEALTHY))
    return "nothing stands in the way" if done.exit_code == 0 else "it found errors; what it printed names them"


def _replicate(play: Play, _: str) -> str:
    done = replication.start(play)
    play.replicating = True
    return done


def _compare(play: Play, _: str) -> str:
    file = play.workplace / "comparison.json"
    play.type("compare", "--report", file.name)
    report = json.loads(file.read_text())
    play.comparison = report
    rows = sum(table["rows_source"] for table in report["tables"])
    return f"{report['verdict']}: {len(report['tables'])} tables, {rows:,} rows, {len(report['invariants'])} invariants"


STEPS: dict[str, Take] = {
    "preflight": _preflight,
    "deploy": _deploy,
    "replicate": _replicate,
    "compare": _compare,
    "redeploy": _redeploy,
    "shift": _shift,
    "bake": _bake,
    "status": _status,
    "rollback": _roll_back,
    "unlock": _unlock,
    "weight": _weight,
    "resume": _resume,
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
