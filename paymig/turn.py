"""One deploy after the other: whoever comes second follows the first, and then has the lease."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from paymig.aws import stack
from paymig.follow import Watch
from runtime_lambdas.runtime.journal.hold import Hold, hold
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.journal.lease import LIFE, LeaseHeld
from runtime_lambdas.runtime.waiting import paces

_PATIENCE = LIFE.total_seconds() + 15
"""Seconds to wait for a deploy that holds the lease and has not started anything: a dead one's lease ends earlier."""


@contextmanager
def take_turn(journal: Journal, watch: Watch, name: str, why: str) -> Iterator[tuple[Hold, bool]]:
    """Hold the lease, as soon as no other deploy does; say whether there was another one.

    Args:
        journal: the migration's.
        watch: what follows the other one.
        name: the root stack's.
        why: the operator's words.

    Raises:
        LeaseHeld: another command is at work, or a deploy that does nothing.
        StackFailed: CloudFormation rolled the other deploy back.
    """
    with ExitStack() as held_until_the_end:
        followed = False
        while True:
            try:
                holding = held_until_the_end.enter_context(hold(journal, "deploy", why))
            except LeaseHeld as held:
                if held.lease.verb != "deploy":
                    raise
                if not followed:
                    watch.console.say(f"Another deploy is at work: {held.lease}")
                _attend(journal, watch, name, held)
                followed = True
            else:
                break
        followed |= _settle(holding, watch, name)
        yield holding, followed


def _attend(journal: Journal, watch: Watch, name: str, held: LeaseHeld) -> None:
    """Follow another operator's deploy until it gives the lease back, or starts the next operation."""
    for _ in paces(_PATIENCE):
        if watch.settle(name):
            return
        found = journal.lease()
        if found is None or found.id != held.lease.id:
            return
    raise held


def _settle(holding: Hold, watch: Watch, name: str) -> bool:
    """Follow what a deploy left under way that stopped following."""
    current = stack.describe(watch.aws, name)
    if current is None or not current.busy or current.status == "DELETE_IN_PROGRESS":
        return False
    with holding.step("follow the operation under way", status=current.status):
        return watch.settle(name)
