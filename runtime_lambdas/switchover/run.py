"""Moving the writer: decide from the journal, record the intent, act, record the result, again until it is finished.

The process may die at every line. What then stands in the journal and in the databases is enough for anybody to go on,
forward or back, with a call of the same function.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from runtime_lambdas.runtime.journal.approvals import Demand
from runtime_lambdas.runtime.journal.entry import Draft, Kind
from runtime_lambdas.runtime.writer import Side

from .actions import Actions, Event, Evidence, GivenUp, MoveRefused, Outcome
from .decide import Begin, Do, Finished, Refused, Undo, Wish, decide, leads_forth
from .history import BEGIN, UNDO, Attempt, fold, pause_began
from .ledger import Ledger, Moved
from .patience import insist, until_answered
from .pause import Clock, Pause
from .phases import FORTH, PAUSE, Step, Way


def _silent(_: Event) -> None:
    pass


class Run:
    """One operator's run towards a wish.

    Args:
        ledger: the journal, under a lease that is held by the caller.
        actions: what is done to the databases.
        wish: what should be true at the end.
        budget: seconds that writes may be paused.
        why: the operator's words, for the journal.
        accept_loss: rows that the operator gives up, on a way back without replication.
        demand: the approval that a switchover waits for; its commit uses it up. None where none is asked for.
        tell: is called with every event.
        clock: for the pause.
        now: for the age of a pause that another run began.
        sleep: between two attempts at a call that must succeed.
    """

    def __init__(
        self,
        ledger: Ledger,
        actions: Actions,
        wish: Wish,
        *,
        budget: float,
        why: str = "",
        accept_loss: int | None = None,
        demand: Demand | None = None,
        tell: Callable[[Event], None] = _silent,
        clock: Clock = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._ledger = ledger
        self._actions = actions
        self._wish = wish
        self._budget = budget
        self._why = why
        self._accept_loss = accept_loss
        self._demand = demand
        self._approval: Evidence = {}
        self._tell = tell
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._paused: float | None = None
        self._failure: BaseException | None = None

    def finish(self) -> Outcome:
        """Act until the wish is fulfilled.

        Raises:
            MoveRefused: it cannot be; nothing was done.
            NotApproved: the switchover waits for an approval; the source is open.
            GivenUp: it could not be; everything was undone and the old writer takes writes.
            LeaseLost: somebody else took over; what was begun is his to complete or to undo.
        """
        self.begin()
        while (outcome := self.advance()) is None:
            pass
        return outcome

    @property
    def giving_up(self) -> bool:
        """Whether an attempt is being undone, or has to be: what this run failed at, or one left in its pause."""
        return self._failure is not None or isinstance(decide(self._ledger.entries, self._wish), Undo)

    @property
    def next(self) -> Step | None:
        """The step that comes next; None where there is none."""
        verdict = decide(self._ledger.entries, self._wish)
        return verdict.step if isinstance(verdict, Do) else None

    def begin(self, afresh: bool = True) -> None:
        """Shut out former operators, read what they left, and begin an attempt that is not paused afresh.

        Everything that a former operator may have done has its intent in the journal, which he can no longer write to
        since the lease is ours, and whatever of his acts was still on its way is refused by the databases: in this
        order, the journal read here is the truth.
        """
        self._actions.claim(self._ledger.token)
        self._ledger.read()
        verdict = decide(self._ledger.entries, self._wish)
        if afresh and isinstance(verdict, Do) and verdict.attempt is not None and not verdict.attempt.paused:
            self._begin(verdict.attempt.way)

    def advance(self) -> Outcome | None:
        """Act once: one step outside the pause, or the whole pause; None while the wish is not fulfilled."""
        verdict = decide(self._ledger.entries, self._wish)
        if leads_forth(verdict) and self._demand is not None:
            self._approval = self._demand.met(self._ledger.entries, self._now())
        try:
            match verdict:
                case Refused(reason, hint):
                    raise MoveRefused(reason, hint)
                case Finished(writer):
                    return self._end(writer)
                case Begin(way):
                    self._begin(way)
                case Undo():
                    self._undo(verdict)
                case Do(_, step, Attempt() as attempt) if step in PAUSE:
                    self._pause(attempt)
                case Do():
                    self._step(verdict)
        except Moved:
            pass  # somebody appended meanwhile: the ledger was read again, and what it says now is decided anew
        return None

    def _end(self, writer: Side) -> Outcome:
        if self._failure is not None:
            raise GivenUp(self._failure, writer, self._paused or 0.0) from self._failure
        return Outcome(writer, fold(self._ledger.entries).epoch, self._paused)

    def _begin(self, way: Way) -> None:
        evidence = {} if self._accept_loss is None else {"accept_loss": self._accept_loss}
        self._ledger.append([Draft(way.verb, BEGIN, "note", self._why, evidence)])

    def _step(self, verdict: Do) -> None:
        attempt, step = verdict.attempt, verdict.step
        way = attempt.way if attempt else None
        self._ledger.append([self._draft(verdict.verb, step, "intent")])
        self._tell(Event(way, step, "begins"))
        began = self._clock()
        try:
            evidence = self._actions.do(way or FORTH, step, attempt, None)
        except Exception as error:
            self._tell(Event(way, step, "failed", self._clock() - began))
            self._ledger.append([self._draft(verdict.verb, step, "failed", {"error": _words(error)})])
            raise
        self._ledger.append([self._draft(verdict.verb, step, "done", evidence)])
        self._tell(Event(way, step, "done", self._clock() - began, evidence=evidence))

    def _pause(self, attempt: Attempt) -> None:
        """From the fence to the open new writer, or back."""
        verb, steps = attempt.way.verb, [step for step in attempt.steps if step in PAUSE]
        # All intents in one call, before the pause: what may be begun from here on is known to whoever takes over.
        self._ledger.append([self._draft(verb, step, "intent") for step in steps])
        # Where loss was accepted everything is compared in the pause, for as long as it takes.
        budget = self._budget if attempt.accept_loss is None else math.inf
        pause = Pause(self._clock(), budget, self._clock)
        results: list[Draft] = []
        step = steps[0]
        try:
            for step in steps[:-1]:
                pause.check(attempt.way.meaning(step))
                results.append(self._draft(verb, step, "done", self._act(attempt, step, pause)))
            step = steps[-1]
            pause.check(attempt.way.meaning(step))
            self._commit(attempt, results, pause)
        except Moved:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if step is Step.COMMIT and self._committed():
                return  # the answer was lost, not the commit
            self._give_up(attempt, results, step, error, pause)
            return
        self._open(attempt, pause)

    def _commit(self, attempt: Attempt, results: list[Draft], pause: Pause) -> None:
        way, epoch = attempt.way, fold(self._ledger.entries).epoch
        evidence = {"epoch": epoch + 1, "pause": round(pause.seconds, 4), **self._approval}
        committed = self._draft(way.verb, Step.COMMIT, "done", evidence)
        opening = self._draft(way.verb, Step.OPEN, "intent")
        # This is the point of no return. One transaction names the new writer, on condition that the lease is ours,
        # that the epoch is the one we set out from, and that nobody appended to the journal since we read it. Before
        # it, any failure leads back to the old writer, which holds every payment; after it the old writer stays
        # fenced, clients are sent to the new one, and every failure is mended by going forward.
        self._ledger.append([*results, committed, opening], commit=(epoch, way.new))

    def _open(self, attempt: Attempt, pause: Pause) -> None:
        # Nobody can write until it is done.
        evidence = insist(partial(self._act, attempt, Step.OPEN, pause), self._sleep)
        self._paused = pause.seconds
        done = self._draft(attempt.way.verb, Step.OPEN, "done", {**evidence, "pause": round(self._paused, 4)})
        self._ledger.append([done])

    def _act(self, attempt: Attempt, step: Step, pause: Pause) -> Evidence:
        self._tell(Event(attempt.way, step, "begins", pause=pause.seconds))
        began = self._clock()
        evidence = {**self._actions.do(attempt.way, step, attempt, pause), "seconds": round(self._clock() - began, 4)}
        self._tell(Event(attempt.way, step, "done", self._clock() - began, pause.seconds, evidence))
        return evidence

    def _committed(self) -> bool:
        """Read the journal again, until it answers, and tell whether the writer has moved."""
        before = fold(self._ledger.entries).epoch
        until_answered(self._ledger.read, self._clock, self._sleep)
        return fold(self._ledger.entries).epoch > before

    def _give_up(self, attempt: Attempt, results: list[Draft], step: Step, error: BaseException, pause: Pause) -> None:
        self._tell(Event(attempt.way, step, "failed", pause=pause.seconds))
        verb, evidence = attempt.way.verb, {"error": _words(error), "pause": round(pause.seconds, 4)}
        failed = self._draft(verb, step, "failed", evidence)
        # Nobody may go forward from here on: what is undone next can be half undone at any moment.
        self._ledger.append([*results, failed, self._draft(verb, UNDO, "intent", evidence)])
        self._failure, self._wish = error, Wish.UNDO

    def _undo(self, verdict: Undo) -> None:
        way = verdict.attempt.way
        if not verdict.marked:
            self._ledger.append([self._draft(way.verb, UNDO, "intent")])
        for step in verdict.steps:
            began = self._clock()
            # Writes are refused until it is done.
            evidence = insist(partial(self._actions.undo, way, step), self._sleep)
            if step is Step.FENCE:
                # By the clocks of two machines: never less than 0.
                self._paused = max(0.0, (self._now() - pause_began(self._ledger.entries)).total_seconds())
            self._ledger.append([self._draft(way.verb, f"{UNDO} {step}", "done", evidence)])
            self._tell(Event(way, step, "undone", self._clock() - began, evidence=evidence))
        self._ledger.append([self._draft(way.verb, UNDO, "done")])

    def _draft(self, verb: str, step: str, kind: Kind, evidence: Evidence | None = None) -> Draft:
        return Draft(verb, str(step), kind, self._why, evidence or {})


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ").strip()
