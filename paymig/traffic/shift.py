"""Moving traffic between the old and the new side, step by step: gates, move, bake, and back when a gate fails."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from paymig import approvals
from paymig.aws import change_set, stack, weights
from paymig.aws.session import Aws
from paymig.aws.weights import Record, Weights
from paymig.bake import Bake
from paymig.console import Console
from paymig.deploy import record_of
from paymig.errors import PaymigError, Refused
from paymig.gates import judge as judges
from paymig.gates import show
from paymig.gates.evaluate import failed
from paymig.gates.gate import Gate, Position
from paymig.gates.judge import Judge
from paymig.gates.position import bake_of, position, reached
from paymig.journal.opening import open_journal
from paymig.traffic.move import Move, WentBack, in_words, yield_to_rollback
from paymig.traffic.plan import plan_of
from paymig.traffic.refusals import refuse_busy, refuse_left_over, refuse_moved_writer, refuse_unplanned
from runtime_lambdas.runtime.journal.hold import Hold, hold
from runtime_lambdas.runtime.journal.journal import Journal
from schemas.load import Spec
from schemas.migration import Migration


@dataclass(frozen=True)
class Shifter:
    """Moves the traffic of one migration.

    Attributes:
        why: the operator's words, for the journal.
        speed: how much faster than the spec says a bake passes, for a rehearsal.
        judge: judges the gates; None for CloudWatch's word.
    """

    aws: Aws
    spec: Spec
    console: Console
    why: str = ""
    speed: float = 1.0
    judge: Judge | None = None

    def shift(self, share: int, yes: bool, force_step: bool = False, bake: bool = True) -> Move:
        """Give AWS `share` percent of the traffic, under the lease, and watch it there.

        Upwards every gate must pass first. Downwards none is asked and nothing bakes. Where the traffic has that share
        already, what is left of its bake is watched.

        Args:
            share: in percent.
            yes: do not ask.
            force_step: take a share that is none of the spec's steps.
            bake: False returns as soon as the traffic has moved.

        Raises:
            Refused: the share is no step, a gate does not pass, the lease is another's, a stack is changing, the
                weighted pair does not exist or is in a shape that paymig does not make, or the writer has moved.
            NotConfirmed: the operator declined, or the step waits for an approval.
            WentBack: a gate failed during the bake.
            AwsError: the name servers did not take the change.
        """
        refuse_unplanned(self._migration, share, force_step)
        journal = open_journal(self.aws, self._migration.full_name)
        after = Weights.to_new(share)
        with hold(journal, "shift", self.why) as holding:
            refuse_moved_writer(journal.writer().side)
            refuse_left_over(journal)
            root = stack.describe(self.aws, self._migration.full_name)
            refuse_busy(root)
            before = self._live()
            if before == after:
                return self._stay(holding, after, bake)
            if share > before.share:
                self._refuse_failing(self._gates(journal, before))
            approval = self._approval(journal, share) if share > before.share else {}
            self.console.confirm(f"Move {self._record.name} from {before.share:g} % to {share} % on AWS?", yes)
            for _ in change_set.clean(self.aws, root):
                self.console.say("Discarded a change set that was left for review: it holds the weights of now")
            move = self._move(holding, before, after, approval)
            self.console.event({"event": "move", **asdict(move)})
            if not bake or share < before.share or not bake_of(self._migration, share):
                return move
            return self._bake(holding, move, datetime.now(UTC))

    def plan(self, share: int, force_step: bool = False) -> None:
        """Print what a shift would do, and what going back would cost; nothing is changed.

        Raises:
            Refused: it would be refused.
        """
        refuse_unplanned(self._migration, share, force_step)
        journal = open_journal(self.aws, self._migration.full_name)
        refuse_moved_writer(journal.writer().side)
        root = stack.describe(self.aws, self._migration.full_name)
        before = self._live()
        gates, lease = self._gates(journal, before), journal.lease()
        planned = plan_of(self._migration, before, share)
        held = str(lease) if lease and lease.held else None
        self.console.result(
            {**planned.to_json(), "gates": [gate.to_json() for gate in gates], "lease": held}, str(planned)
        )
        if not self.console.json:
            self.console.out.print(show.table(gates))
        refuse_busy(root)
        if held is not None:
            self.console.say(f"The lease is held by {held}")
        if share > before.share:
            self._refuse_failing(gates, shown=True)

    def _gates(self, journal: Journal, live: Weights) -> tuple[Gate, ...]:
        gates = self._judge(position(self._migration, live, journal.entries(), self.speed))
        self.console.event({"event": "gates", "gates": [gate.to_json() for gate in gates]})
        return gates

    def _refuse_failing(self, gates: tuple[Gate, ...], shown: bool = False) -> None:
        if not shown:
            self.console.say(show.table(gates))
        if bad := failed(gates):
            raise Refused(
                f"{in_words(bad)}; nothing was moved",
                "paymig status shows every gate; a value that is missing or stale is one that does not pass",
            )

    def _move(self, holding: Hold, before: Weights, after: Weights, approval: Mapping[str, Any]) -> Move:
        started = time.monotonic()
        evidence = {"before": str(before), "after": str(after), "from": before.share}
        with holding.step("move the traffic", **evidence) as reached_there:
            try:
                weights.write(self.aws, self._record, after, instead_of=before)
            except PaymigError:
                holding.check()  # a rollback that undid it before it was read back is the better news
                raise
            yield_to_rollback(self.aws, self._record, holding, before, after)
            seconds = time.monotonic() - started
            reached_there |= {"live": str(after), "from": before.share, "seconds": round(seconds, 3), **approval}
        return Move(self._record.name, before, after, seconds)

    def _approval(self, journal: Journal, share: int) -> Mapping[str, Any]:
        demand = approvals.demand_of(self.aws, self.spec, journal, approvals.step_of(share))
        return approvals.require(journal, demand)

    def _stay(self, holding: Hold, there: Weights, bake: bool) -> Move:
        """Watch what is left of a bake that somebody stopped watching."""
        move = Move(self._record.name, there, there, 0.0)
        if not bake or not there.new or not bake_of(self._migration, there.share):
            return move
        entry = reached(holding.journal.entries(), there)
        below = [float(step.to) for step in self._migration.cutover.steps if float(step.to) < there.share]
        former = entry.evidence.get("from", max(below, default=0)) if entry else max(below, default=0)
        if entry is None:
            entry = holding.note("find the traffic there", live=str(there), **{"from": former})
        self.console.say(f"{there.share:g} % of the traffic goes to AWS already, since {entry.time:%H:%M:%S} UTC")
        return self._bake(holding, replace(move, before=Weights.to_new(round(former))), entry.time)

    def _bake(self, holding: Hold, move: Move, since: datetime) -> Move:
        """Watch the share; go back when a gate fails."""
        needed = bake_of(self._migration, move.after.share) / self.speed
        where = Position(move.after.share, since, needed, baking=True)

        def check() -> None:
            holding.check()
            if (live := weights.look(self.aws, self._record)) != move.after:
                raise Refused(
                    f"{self._record.name} moved from {move.after} to {live} during the bake, and not by this command",
                    "paymig history shows who moved it",
                )

        watching = Bake(where, self._judge, check, self.console, self.speed)
        try:
            with holding.step("bake", share=move.after.share, seconds=round(needed.total_seconds(), 3)) as judged:
                gates = watching.watch()
                judged["gates"] = {gate.name: gate.value for gate in gates}
                if bad := failed(gates):
                    raise _GateFailed(bad)
        except _GateFailed as failure:
            back = self._go_back(holding, move, failure.gates)
            raise WentBack(back, failure.gates) from None
        except KeyboardInterrupt:
            self.console.say(
                f"Not watched any more; the traffic stays at {move.after.share:g} %. "
                f"Watch on: paymig shift --to {move.after.share:g}%; go back: paymig rollback"
            )
            raise
        return replace(move, baked=True)

    def _go_back(self, holding: Hold, move: Move, because: Sequence[Gate]) -> Move:
        started = time.monotonic()
        self.console.say(f"{in_words(because)}: going back to {move.before.share:g} %")
        evidence = {"before": str(move.after), "after": str(move.before), "because": in_words(because)}
        with holding.step("go back", **evidence) as reached_there:
            weights.write(self.aws, self._record, move.before, instead_of=move.after)
            reached_there |= {"live": str(move.before), "seconds": round(time.monotonic() - started, 3)}
        back = Move(self._record.name, move.after, move.before, time.monotonic() - started)
        self.console.event({"event": "went_back", **asdict(back), "because": [gate.to_json() for gate in because]})
        return back

    def _live(self) -> Weights:
        live = weights.read(self.aws, self._record)
        if live is None:
            raise Refused(
                f"{self._record.name} has no weighted pair in zone {self._record.hosted_zone}", "paymig deploy makes it"
            )
        return live

    def _judge(self, where: Position) -> tuple[Gate, ...]:
        return (self.judge or judges.judge(self.aws, self._migration))(where)

    @property
    def _migration(self) -> Migration:
        return self.spec.migration

    @property
    def _record(self) -> Record:
        return record_of(self._migration)


class _GateFailed(Exception):
    def __init__(self, gates: tuple[Gate, ...]) -> None:
        super().__init__(in_words(gates))
        self.gates = gates
