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
from paymig.journal.state import read
from runtime_lambdas.runtime.journal.hold import Hold, hold
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.journal.lease import LeaseLost
from schemas.load import Spec
from schemas.migration import Migration
from schemas.units import format_duration


@dataclass(frozen=True)
class Move:
    """How a move of the traffic ended.

    Attributes:
        seconds: from the change to the name servers' agreement and the read-back.
        baked: whether the share has baked for as long as the spec says, with every gate passed at the end.
    """

    record: str
    before: Weights
    after: Weights
    seconds: float
    baked: bool = False

    def show(self, console: Console) -> None:
        """Print the result."""
        console.result(
            asdict(self),
            f"{self.record}: {self.after.new} % of the traffic goes to AWS, {self.after.old} % to the source "
            f"(was {self.before}; {self.seconds:.1f} s){', baked' if self.baked else ''}",
        )


class WentBack(PaymigError):
    """A gate failed during the bake, and the traffic went back to where it was.

    Attributes:
        move: the way back.
    """

    exit_code = 8

    def __init__(self, move: Move, gates: Sequence[Gate]) -> None:
        super().__init__(
            f"{_words(gates)}: {move.record} went back from {move.before.share:g} % to {move.after.share:g} % on AWS",
            "paymig status shows what is wrong; mend it, then shift again",
        )
        self.move = move


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
            _refuse_left_over(journal)
            root = stack.describe(self.aws, self._migration.full_name)
            _refuse_busy(root)
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
        before, after = self._live(), Weights.to_new(share)
        gates = self._gates(journal, before)
        lease = journal.lease()
        bake = bake_of(self._migration, share) if share > before.share else None
        steps = [
            f"move {self._record.name} from {before.share:g} % to {share} % on AWS: both weights in one batch "
            f"({before} becomes {after}), waited for until every name server has them, and read back",
            f"watch every gate for {format_duration(bake)}, and go back to {before.share:g} % by itself if one fails"
            if bake
            else "no bake",
        ]
        ttl = format_duration(self._migration.routing.ttl)
        rule = approvals.rule_of(self._migration, approvals.step_of(share)) if share > before.share else "none"
        if rule != "none":
            who = "somebody else" if rule == "second-person" else "somebody"
            steps.insert(0, f"make sure that {who} has approved it: paymig approve --step {share}%")
        cost = [
            "nothing is lost: the source stays the only database that takes writes",
            f"one batch of two weights, about a minute until every name server has it; resolvers keep the answer for "
            f"{ttl}, and some for longer: until then {abs(share - before.share):g} % of the traffic goes where it went",
        ]
        self.console.result(
            {
                "record": self._record.name,
                "before": asdict(before),
                "after": asdict(after),
                "gates": [gate.to_json() for gate in gates],
                "bake": bake.total_seconds() if bake else 0,
                "steps": steps,
                "going_back": cost,
                "lease": str(lease) if lease and lease.held else None,
            },
            "\n".join([*(f"{n}. {step}" for n, step in enumerate(steps, 1)), "going back:", *(f"- {c}" for c in cost)]),
        )
        if not self.console.json:
            self.console.out.print(show.table(gates))
        _refuse_busy(root)
        if lease is not None and lease.held:
            self.console.say(f"The lease is held by {lease}")
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
                f"{_words(bad)}; nothing was moved",
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
            _yield_to_rollback(self.aws, self._record, holding, before, after)
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
        self.console.say(f"{_words(because)}: going back to {move.before.share:g} %")
        evidence = {"before": str(move.after), "after": str(move.before), "because": _words(because)}
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
        super().__init__(_words(gates))
        self.gates = gates


def _words(gates: Sequence[Gate]) -> str:
    return ", ".join(f"{gate.name} is {gate.value}, must be {gate.limit}" for gate in gates)


def _refuse_busy(root: stack.Stack | None) -> None:
    if root is not None and root.busy:
        raise Refused(
            f"stack {root.name} is {root.status}, and may touch the record itself",
            "paymig deploy follows it to its end; in an emergency, paymig rollback does not wait",
        )


def _refuse_left_over(journal: Journal) -> None:
    left = read(journal.entries()).left_over
    if left is not None:
        raise Refused(
            f"a {left.way.verb} stopped half-way, and the database that the traffic would write to may be fenced",
            "paymig switchover or paymig rollback ends it first",
        )


def _yield_to_rollback(aws: Aws, record: Record, holding: Hold, before: Weights, after: Weights) -> None:
    """Undo the move when somebody took the lease over just before it.

    A rollback that found the traffic at the source had nothing to change, so nothing else would tell this move from one
    that came later.
    """
    try:
        holding.check()
    except LeaseLost:
        weights.write(aws, record, before, instead_of=after)
        raise


def refuse_unplanned(migration: Migration, share: int, force: bool) -> None:
    """Refuse a share that the spec does not name; none at all is always a step.

    Raises:
        Refused: it is not one of the spec's, or the traffic moves with the writer.
    """
    if share and migration.cutover.strategy == "together":
        raise Refused(
            "with `strategy: together` the new API cannot write to the source, so it gets no traffic before the writer",
            "paymig switchover moves both",
        )
    steps = [step.to for step in migration.cutover.steps]
    if share and share not in steps and not force:
        raise Refused(
            f"{share} % is no step of this spec; its steps are {', '.join(f'{step:g} %' for step in steps)}",
            "add the step to cutover.steps, or repeat the command with --force-step",
        )


def refuse_moved_writer(writer: str) -> None:
    """Refuse to move traffic by weights once the target is the writer.

    Raises:
        Refused: the source is fenced, so whoever is sent there cannot pay.
    """
    if writer != "source":
        raise Refused(
            "the target is the writer: the old API would write to a fenced database, so weights alone must not move",
            "paymig rollback moves the writer back first",
        )
