"""Deploying a compiled spec: artefacts, change sets, and following them to the end.

Weights are runtime state. A deploy passes the live weights on, and when they differ from those of the last deploy it
first executes a change set with nothing but that difference, so that a rollback of the real change restores the
weights that were live, not older ones. The lease keeps everybody else from moving them meanwhile; whoever may move them
without asking, a rollback, voids the change sets that hold older ones.
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial

from botocore.exceptions import BotoCoreError, ClientError

from compiler.compile import Compiled
from paymig import plan, protection
from paymig.aws import artefacts, bootstrap, change_set, stack, weights
from paymig.aws.change_set import ChangeSet
from paymig.aws.session import Aws
from paymig.console import Console
from paymig.drift import refuse_drift
from paymig.errors import Refused
from paymig.follow import Watch
from paymig.turn import take_turn
from paymig.zone import refuse_misplaced_record
from runtime_lambdas.runtime.journal.hold import Hold
from runtime_lambdas.runtime.journal.journal import Journal
from schemas.load import Spec
from schemas.migration import Migration


@dataclass(frozen=True)
class Deployment:
    """How a deploy ended.

    Attributes:
        outcome: `created`, `updated`, `unchanged`, `followed` when another deploy had done it all, or `proposed` when
            only the change set was made.
        outputs: the root stack's.
        seconds: from the first upload to the end.
    """

    stack: str
    outcome: str
    uploaded: int
    change_set: str | None
    outputs: Mapping[str, str]
    seconds: float


@dataclass(frozen=True)
class Deployer:
    """One deploy of one spec.

    Attributes:
        why: the operator's words, for the journal.
        accepted_drift: places, such as `Database/Cluster`, that may differ from their template.
        allowed_replacements: places or logical ids that may be replaced or deleted with the state they hold.
        role: the ARN of the role that CloudFormation acts as from now on; None for the one it has, or the caller.
    """

    aws: Aws
    spec: Spec
    compiled: Compiled
    console: Console
    why: str = ""
    accepted_drift: Collection[str] = ()
    allowed_replacements: Collection[str] = ()
    role: str | None = None

    def run(self, yes: bool, execute: bool = True) -> Deployment:
        """Deploy; where another deploy is under way, follow that one first.

        Args:
            yes: do not ask before executing.
            execute: False leaves the change set for somebody to review.

        Raises:
            NotConfirmed: the operator declined; nothing was changed but the bootstrap stack.
            Refused: a stack, the weights or the lease are in a state from which a deploy is unsafe.
            SpecError: the hosted zone can't hold the record; nothing was made.
            StackFailed: CloudFormation rolled back; the message holds the root cause and its line of the spec.
        """
        started = time.monotonic()
        refuse_misplaced_record(self.aws, self.spec)
        base = bootstrap.ensure(self.aws, self._watch.execute, self._watch.settle, self.role)
        uploaded = artefacts.upload(self.aws, base.bucket, self._objects())
        self.console.say(f"Artefacts: {len(uploaded.sent)} sent, {uploaded.already_there} already in {base.bucket}")
        journal = Journal(self.aws.client("dynamodb"), base.journal_table, self._name, self.aws.caller())
        with take_turn(journal, self._watch, self._name, self.why) as (holding, followed):
            outcome, proposed = self._deploy(holding, base, yes, execute)
            if execute:
                protection.protect(self.aws, holding, self._name)
        if outcome == "unchanged" and followed:
            outcome = "followed"
        found = stack.describe(self.aws, self._name)
        return Deployment(
            stack=self._name,
            outcome=outcome,
            uploaded=len(uploaded.sent),
            change_set=proposed.id if proposed else None,
            outputs=found.outputs if found else {},
            seconds=time.monotonic() - started,
        )

    @cached_property
    def _watch(self) -> Watch:
        return Watch(self.aws, self.compiled, self.console)

    @property
    def _name(self) -> str:
        return self.spec.migration.full_name

    def _objects(self) -> Mapping[str, Callable[[], bytes]]:
        compiled = self.compiled
        templates = {compiled.keys[name]: partial(bytes, body) for name, body in compiled.templates.items()}
        assets = {compiled.asset_keys[name]: partial(getattr, asset, "data") for name, asset in compiled.assets.items()}
        return templates | assets

    def _deploy(
        self, holding: Hold, base: bootstrap.Bootstrap, yes: bool, execute: bool
    ) -> tuple[str, ChangeSet | None]:
        """Propose what differs and execute it; give the outcome and the change set."""
        current = stack.describe(self.aws, self._name)
        kind = change_set.kind_for(current)
        for left in change_set.clean(self.aws, current):
            self.console.say(f"Deleted a change set that was left over: {left.split('/')[-2]}")
        plan.review(self.console, plan.against_deployed(self.aws, self.compiled), self.allowed_replacements)
        live = weights.read(self.aws, self._record) or weights.Weights.to_new(0)
        if current is not None and kind == "UPDATE" and execute:
            self._synchronise_weights(holding, current, live)
        proposed = change_set.propose(
            self.aws,
            self._name,
            current,
            {"TemplateURL": self._template_url(base.bucket)},
            self._parameters(base, live),
            tags_of(self.spec.migration),
            self.role,
        )
        if proposed is None:
            return "unchanged", None
        review(self.console, proposed)
        if not execute:
            return "proposed", proposed
        try:
            if current is not None and kind == "UPDATE":
                refuse_drift(self.aws, current, self.console, self.accepted_drift)
            self.console.confirm(f"Execute this change set on {self._name}?", yes)
        except BaseException:
            with suppress(BotoCoreError, ClientError):  # the next deploy deletes it as well
                change_set.discard(self.aws, proposed)
            raise
        with protection.opened(self.aws, holding, self._name, self.allowed_replacements):
            self._execute(holding, "execute the change set", proposed, live)
        return "created" if proposed.kind == "CREATE" else "updated", proposed

    def _synchronise_weights(self, holding: Hold, current: stack.Stack, live: weights.Weights) -> None:
        wanted = {"OldWeight": str(live.old), "NewWeight": str(live.new)}
        if wanted.items() <= current.parameters.items():
            return
        self.console.say(f"Recording the live weights ({live}) in the stack first")
        proposed = change_set.propose(
            self.aws,
            current.name,
            current,
            {"UsePreviousTemplate": True},
            current.parameters | wanted,
            tags_of(self.spec.migration),
            self.role,
        )
        if proposed is not None:
            self._execute(holding, "record the live weights", proposed, live)

    def _execute(self, holding: Hold, step: str, proposed: ChangeSet, live: weights.Weights) -> None:
        """Execute a change set that holds the weights `live`, unless they are live no more."""
        intent = {
            "change_set": proposed.id,
            "kind": proposed.kind,
            "changes": len(proposed.changes),
            "template": self.compiled.keys["root"],
            "weights": str(live),
        }
        with holding.step(step, **intent) as reached:
            now = weights.read(self.aws, self._record)
            if now not in (None, live):
                change_set.discard(self.aws, proposed)
                raise Refused(
                    f"{self._record.name} moved from {live} to {now} while the change set was waiting; "
                    "executing it could move the traffic back, so nothing was executed",
                    "paymig deploy again",
                )
            self._watch.execute(proposed)
            found = stack.describe(self.aws, proposed.stack_id)
            reached["status"] = found.status if found else "gone"

    @property
    def _record(self) -> weights.Record:
        return record_of(self.spec.migration)

    def _parameters(self, base: bootstrap.Bootstrap, live: weights.Weights) -> dict[str, str]:
        return {
            "ArtifactBucket": base.bucket,
            "JournalTable": base.journal_table,
            "SourceAdminSecretArn": self.spec.migration.source.database.admin,
            "SourceSecretArn": self.spec.migration.source.database.secret,
            "OldWeight": str(live.old),
            "NewWeight": str(live.new),
        }

    def _template_url(self, bucket: str) -> str:
        suffix = self.aws.client("s3").meta.partition
        domain = "amazonaws.com.cn" if suffix == "aws-cn" else "amazonaws.com"
        return f"https://s3.{self.aws.region}.{domain}/{bucket}/{self.compiled.keys['root']}"


def record_of(migration: Migration) -> weights.Record:
    """Name the weighted record of a migration."""
    return weights.Record(migration.routing.hosted_zone, migration.routing.record)


def tags_of(migration: Migration) -> dict[str, str]:
    """Tags of the root stack."""
    return {**migration.tags, "paymig:migration": migration.name, "paymig:environment": migration.environment}


def review(console: Console, proposed: ChangeSet) -> None:
    """Show what a change set would do."""
    console.say(f"Change set for {proposed.stack_name} ({proposed.kind.lower()}), {len(proposed.changes)} changes:")
    for change in sorted(proposed.changes, key=lambda c: (c.component, c.logical_id)):
        place = f"{change.component}/{change.logical_id}" if change.component else change.logical_id
        replaced = f"  replacement: {change.replacement}" if change.replacement in ("True", "Conditional") else ""
        console.say(f"  {change.action:<7} {place}  [dim]{change.type}[/]{replaced}")
