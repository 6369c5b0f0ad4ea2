"""Holding the lease while a command works: renewed in the background, named by every step, given back at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runtime_lambdas.runtime.journal import lease as leases
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.journal.lease import Lease, LeaseLost
from runtime_lambdas.runtime.refused import Refused

_NO_ANSWER = (BotoCoreError, ClientError)


@dataclass(frozen=True)
class Hold:
    """A lease in use.

    Attributes:
        former: the lease that was taken over, from an operator who is gone or by a rollback; None where it was free.
    """

    journal: Journal
    lease: Lease
    former: Lease | None
    verb: str
    why: str

    @contextmanager
    def step(self, name: str, **intent: Any) -> Iterator[dict[str, Any]]:
        """Record an act: its intent before, its outcome after. Entering checks that the lease is still ours.

        Args:
            name: what is about to be done.
            intent: evidence for the intent.

        Yields:
            The evidence of the outcome, to be filled in.

        Raises:
            LeaseLost: before the act, somebody else took the lease over; it must not be done.
        """
        self._append(name, "intent", intent)
        reached: dict[str, Any] = {}
        try:
            yield reached
        except BaseException as error:
            # The act's own failure is what counts; recording it is worth a try and no more.
            with suppress(Refused, *_NO_ANSWER):
                self._append(name, "failed", reached | {"error": _words(error)})
            raise
        self._append(name, "done", reached)

    def note(self, step: str, **evidence: Any) -> Entry:
        """Record what needs no intent; raises as `step` does."""
        return self.journal.append(self.verb, step, "note", self.why, evidence, under=self.lease)

    def check(self) -> None:
        """Make sure that the lease is still ours.

        Raises:
            LeaseLost: somebody else took it over.
        """
        self.journal.check(self.lease)

    def _append(self, step: str, kind: Any, evidence: dict[str, Any]) -> None:
        self.journal.append(self.verb, step, kind, self.why, evidence, under=self.lease)


@contextmanager
def hold(journal: Journal, verb: str, why: str = "", over: bool = False) -> Iterator[Hold]:
    """Hold the lease for as long as the block runs.

    Args:
        journal: whose lease.
        verb: the command.
        why: the operator's words, recorded with every step.
        over: take it from a live holder, too.

    Raises:
        LeaseHeld: somebody else has it.
    """
    lease, former = journal.acquire(verb, over)
    ended = threading.Event()
    threading.Thread(target=_renew, args=(journal, lease, ended), name="lease", daemon=True).start()
    try:
        holding = Hold(journal, lease, former, verb, why)
        if former is not None:
            taken = {"from": former.holder, "place": str(former.place), "verb": former.verb, "token": former.token}
            journal.append(verb, "take the lease over", "note", why, taken, under=lease)
        yield holding
    finally:
        ended.set()  # a renewal still on its way finds the lease released, and does nothing
        # An unreachable table ends the lease as well, only later.
        with suppress(LeaseLost, *_NO_ANSWER):
            journal.release(lease)


def _renew(journal: Journal, lease: Lease, ended: threading.Event) -> None:
    while not ended.wait(leases.LIFE.total_seconds() / 3):
        try:
            journal.renew(lease)
        except LeaseLost:
            return  # the next step finds out, and says so
        except _NO_ANSWER:
            continue  # two more attempts fit into the lease's life


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
