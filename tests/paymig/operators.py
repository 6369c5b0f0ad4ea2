"""Several operators of one migration, and calls that wait or fail at will."""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import EndpointConnectionError

from paymig import approvals
from paymig.aws import weights
from paymig.aws.session import Aws
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.deploy import record_of
from paymig.journal.opening import open_journal
from paymig.rehearsal.stage import Stage
from paymig.traffic.move import Move
from paymig.traffic.shift import Shifter
from runtime_lambdas.runtime.journal.approvals import SWITCHOVER
from runtime_lambdas.runtime.journal.entry import Entry

PATIENCE = 300
"""Seconds after which nothing more is expected, on a machine that has much else to do."""
BOB = "arn:aws:iam::111122223333:user/bob"


def shift(aws: Aws, spec: Any, share: int, why: str = "", force_step: bool = False) -> Move:
    """Move traffic without asking any gate, and without watching it."""
    return Shifter(aws, spec, Console(), why, judge=lambda _: ()).shift(share, True, force_step, bake=False)


def another(stage: Stage) -> Aws:
    """An operator with a session of their own."""
    return Aws(stage.aws.region, endpoint_url=stage.embedded.endpoint_url, credentials=(stage.embedded.account_id, "x"))


def approve(stage: Stage, spec: Any, step: str = SWITCHOVER, who: str = BOB) -> Entry:
    """Approve a step of what stands there now, as somebody else."""
    journal = open_journal(another(stage), spec.migration.full_name)
    seen = approvals.digest(stage.aws, spec, journal)
    journal.who = who
    return approvals.approve(journal, step, seen)


def live(stage: Stage, spec: Any) -> Weights | None:
    return weights.look(another(stage), record_of(spec.migration))


@contextmanager
def paused(aws: Aws, service: str, operation: str, about: str = ""):
    """Stop an operator right before a call whose request holds `about`; yields (reached, go on)."""
    reached, go_on = threading.Event(), threading.Event()

    def stop(request: Any, **_: Any) -> None:
        if about in str(request.body):
            reached.set()
            assert go_on.wait(PATIENCE)

    with hooked(aws, service, operation, stop):
        try:
            yield reached, go_on
        finally:
            go_on.set()


@contextmanager
def hooked(aws: Aws, service: str, operation: str, act: Callable[..., Any]):
    """Call `act` before each of these calls is sent; an empty operation means all of the service."""
    name = f"before-send.{service}" + (f".{operation}" if operation else "")
    events = aws.client(service).meta.events
    events.register(name, act)
    try:
        yield
    finally:
        events.unregister(name, act)


@contextmanager
def unreachable(aws: Aws, service: str):
    """Nothing of a service answers."""

    def refuse(request: Any, **_: Any) -> None:
        raise EndpointConnectionError(endpoint_url=request.url)

    with hooked(aws, service, "", refuse):
        yield


class Operator(threading.Thread):
    """A command in a thread of its own; `outcome` is what it returned or raised."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__()
        self._act = act
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._act()
        except BaseException as error:
            self.outcome = error

    def end(self) -> Any:
        self.join(PATIENCE)
        assert not self.is_alive()
        return self.outcome


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something to hold; `what` says what is wrong when it never does."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < PATIENCE, what
        time.sleep(0.05)


def history(aws: Aws, spec: Any) -> list[tuple[str, str, str]]:
    """The journal as (verb, step, kind)."""
    return [(e.verb, e.step, e.kind) for e in open_journal(aws, spec.migration.full_name).entries()]
