"""A model of two databases, a journal and any number of operators, one primitive act at a time.

Each operator is the real `Run` in a thread of its own, which waits before and after every act for its turn. Whoever
holds the tape says who goes on, who is killed, whose call fails, whose answer is lost.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.journal.lease import LeaseLost
from runtime_lambdas.switchover.actions import Superseded
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.history import UNDO, fold
from runtime_lambdas.switchover.ledger import Contradicted, Moved, NoAnswer
from runtime_lambdas.switchover.phases import Step
from runtime_lambdas.switchover.run import Run

BUDGET = 30.0


class Killed(BaseException):
    """The process of an operator has ended."""


@dataclass
class Base:
    """A database."""

    writable: bool
    latest: tuple[int, int] = (0, 0)
    payments: set[int] = field(default_factory=set)


@dataclass
class World:
    """What all operators share."""

    bases: dict = field(default_factory=lambda: {"source": Base(True), "target": Base(False)})
    entries: list[Entry] = field(default_factory=list)
    token: int = 0
    writer: str = "source"
    epoch: int = 0
    seconds: float = 0.0
    promised: int = 0
    trace: list[str] = field(default_factory=list)
    on_their_way: list[Callable[[], None]] = field(default_factory=list)

    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def tick(self):
        """Let time pass, clients pay wherever they can, and hold the promises that must hold at every moment."""
        self.seconds += 0.1
        for side, base in self.bases.items():
            if base.writable:
                assert side == self.writer, f"the {side} takes writes, and the {self.writer} is the writer"
                self.promised += 1
                base.payments.add(self.promised)

    def deliver(self, which):
        """Let a call take effect whose caller has given up waiting for the answer."""
        if self.on_their_way:
            call = self.on_their_way.pop(which % len(self.on_their_way))
            self.trace.append("delivered")
            with suppress(LeaseLost, Moved, Contradicted, Superseded):
                call()
            self.tick()

    def at_rest(self):
        """Hold what must be true when no command is under way and the last one has finished."""
        self.tick()
        [writable] = [side for side, base in self.bases.items() if base.writable]
        state = fold(self.entries)
        assert writable == self.writer == state.writer
        assert self.epoch == state.epoch
        assert self.bases[writable].payments == set(range(1, self.promised + 1)), "a payment is lost"
        self.given_up_once()

    def given_up_once(self):
        """Hold that no attempt was marked as given up that was marked already: whoever comes goes on undoing it."""
        marked = False
        for entry in self.entries:
            if entry.step == UNDO:
                assert not (marked and entry.kind == "intent"), "an attempt was given up twice"
                marked = entry.kind == "intent"


class Operator:
    """A run that does nothing until it is told to go on; it is its own ledger and its own actions."""

    def __init__(self, world: World, wish: Wish) -> None:
        world.token += 1
        self.world, self.token, self.wish = world, world.token, wish
        self.known: list[Entry] = []
        self.acts = 0
        self.order = "go"
        self.ended = False
        self.outcome: object = None
        self.failure: BaseException | None = None
        self._mine, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def go(self, order: str = "go") -> None:
        """Let the operator do one act, or have it meet a fate."""
        assert not self.ended, "this operator has ended"
        self.order = order
        self._mine.release()
        self._theirs.acquire()
        if self.failure is not None and not isinstance(self.failure, Exception):
            raise self.failure

    def _live(self) -> None:
        self._mine.acquire()
        run = Run(
            self, self, self.wish, budget=BUDGET, clock=lambda: self.world.seconds, now=self.world.now, sleep=self._turn
        )
        try:
            if self.order == "kill":
                raise Killed
            self.outcome = run.finish()
        except Killed:
            pass
        except BaseException as error:
            self.failure = error
        self.ended = True
        self._theirs.release()

    def _turn(self, what: object = "sleep") -> str:
        """Wait for the turn; return the fate of the act that follows."""
        self._theirs.release()
        self._mine.acquire()
        self.world.trace.append(f"{self.token} {self.wish} {what} {self.order}")
        self.world.tick()
        if self.order == "kill":
            raise Killed
        return self.order

    def _act(self, what: str, change: Callable[[], None], error: type[Exception]) -> None:
        fate = self._turn(what)
        if fate == "late":
            self.world.on_their_way.append(change)
            raise error("not known whether it will take effect")
        if fate == "fail":
            raise error("failed before it took effect")
        change()
        self.world.tick()
        if self._turn(f"{what}: answer") == "fail":
            raise error("failed after it took effect")

    # The ledger.

    @property
    def entries(self):
        return self.known

    def read(self) -> None:
        def change() -> None:
            self.known = list(self.world.entries)

        self._act("read", change, NoAnswer)

    def append(self, drafts, commit=None) -> None:
        known = len(self.known)

        def change() -> None:
            world = self.world
            if self.token != world.token:
                raise LeaseLost(None)
            if len(world.entries) != known:
                raise Moved
            if commit is not None:
                epoch, side = commit
                if (world.epoch, world.writer == side) != (epoch, False):
                    raise Contradicted
                world.epoch, world.writer = epoch + 1, side
            for draft in drafts:
                world.entries.append(Entry.of(draft, len(world.entries) + 1, world.now(), "me", self.token))

        words = ", ".join(f"{draft.step} {draft.kind}" for draft in drafts)
        try:
            self._act(f"append {words}", change, NoAnswer)
        except Moved:
            self.known = list(self.world.entries)
            raise
        self.known = list(self.world.entries[: known + len(drafts)])

    # The actions.

    def claim(self, token: int) -> None:
        for side, base in self.world.bases.items():
            self._act(f"claim {side}", partial(self._guard, base, self._next()), RuntimeError)

    def _next(self) -> tuple[int, int]:
        self.acts += 1
        return (self.token, self.acts)

    def _guard(self, base: Base, act: tuple[int, int]) -> None:
        if act <= base.latest:
            raise Superseded("another act came later")
        base.latest = act

    def do(self, way, step, attempt, pause):
        old, new, act = self.world.bases[way.old], self.world.bases[way.new], self._next()

        def change() -> None:
            if step is Step.FENCE:
                self._guard(old, act)
                old.writable = False
            if step is Step.OPEN:
                self._guard(new, act)
                new.writable = True
            if step is Step.DRAIN:
                new.payments |= old.payments

        self._act(f"do {step}", change, RuntimeError)
        return {}

    def undo(self, way, step):
        old, act = self.world.bases[way.old], self._next()

        def change() -> None:
            if step is Step.FENCE:
                self._guard(old, act)
                old.writable = True

        self._act(f"undo {step}", change, RuntimeError)
        return {}
