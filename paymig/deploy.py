"""Deploying a compiled spec: artefacts, change sets, and following them to the end.

Weights are runtime state. A deploy passes the live weights on, and when they differ from those of the last deploy it
first executes a change set with nothing but that difference, so that a rollback of the real change restores the
weights that were live, not older ones.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from compiler.compile import Compiled
from paymig.aws import artefacts, bootstrap, change_set, stack, weights
from paymig.aws.change_set import ChangeSet
from paymig.aws.events import Follower, root_cause
from paymig.aws.session import Aws
from paymig.console import Console
from paymig.errors import StackFailed
from paymig.progress import show
from paymig.trace import explain_failure
from schemas.load import Spec
from schemas.migration import Migration

_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE")


@dataclass(frozen=True)
class Deployment:
    """How a deploy ended.

    Attributes:
        outcome: `created`, `updated`, `unchanged`, or `proposed` when only the change set was made.
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
    """One deploy of one spec."""

    aws: Aws
    spec: Spec
    compiled: Compiled
    console: Console

    def run(self, yes: bool, execute: bool = True) -> Deployment:
        """Deploy.

        Args:
            yes: do not ask before executing.
            execute: False leaves the change set for somebody to review and execute.

        Raises:
            NotConfirmed: the operator declined; nothing was changed but the bootstrap stack.
            Refused: a stack or the weights are in a state from which a deploy is unsafe.
            StackFailed: CloudFormation rolled back; the message holds the root cause and its line of the spec.
        """
        started = time.monotonic()
        name = self.spec.migration.full_name
        base = bootstrap.ensure(self.aws, self._follow)
        uploaded = artefacts.upload(self.aws, base.bucket, self._objects())
        self.console.say(f"Artefacts: {len(uploaded.sent)} sent, {uploaded.already_there} already in {base.bucket}")

        current = stack.describe(self.aws, name)
        live = weights.read(self.aws, record_of(self.spec.migration)) or weights.Weights.to_new(0)
        if current is not None and change_set.kind_for(current) == "UPDATE" and execute:
            self._synchronise_weights(current, live)
        proposed = change_set.propose(
            self.aws,
            name,
            current,
            {"TemplateURL": self._template_url(base.bucket)},
            self._parameters(base, live),
            tags_of(self.spec.migration),
        )

        def ended(outcome: str) -> Deployment:
            found = stack.describe(self.aws, name)
            return Deployment(
                stack=name,
                outcome=outcome,
                uploaded=len(uploaded.sent),
                change_set=proposed.id if proposed else None,
                outputs=found.outputs if found else {},
                seconds=time.monotonic() - started,
            )

        if proposed is None:
            return ended("unchanged")
        review(self.console, proposed)
        if not execute:
            return ended("proposed")
        try:
            self.console.confirm(f"Execute this change set on {name}?", yes)
        except Exception:
            change_set.discard(self.aws, proposed)
            raise
        self._follow(proposed)
        return ended("created" if proposed.kind == "CREATE" else "updated")

    def _objects(self) -> Mapping[str, Callable[[], bytes]]:
        compiled = self.compiled
        templates = {compiled.keys[name]: partial(bytes, body) for name, body in compiled.templates.items()}
        assets = {compiled.asset_keys[name]: partial(getattr, asset, "data") for name, asset in compiled.assets.items()}
        return templates | assets

    def _synchronise_weights(self, current: stack.Stack, live: weights.Weights) -> None:
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
        )
        if proposed is not None:
            self._follow(proposed)

    def _parameters(self, base: bootstrap.Bootstrap, live: weights.Weights) -> dict[str, str]:
        return {
            "ArtifactBucket": base.bucket,
            "JournalTable": base.journal_table,
            "SourceSecretArn": self.spec.migration.source.database.secret,
            "OldWeight": str(live.old),
            "NewWeight": str(live.new),
        }

    def _template_url(self, bucket: str) -> str:
        suffix = self.aws.client("s3").meta.partition
        domain = "amazonaws.com.cn" if suffix == "aws-cn" else "amazonaws.com"
        return f"https://s3.{self.aws.region}.{domain}/{bucket}/{self.compiled.keys['root']}"

    def _follow(self, proposed: ChangeSet) -> None:
        """Execute a change set and follow it; raise where it rolls back."""
        follower = Follower(self.aws, proposed.stack_id)
        change_set.execute(self.aws, proposed)
        events = show(self.console, proposed.stack_name, follower.events(proposed.stack_id))
        ended = stack.describe(self.aws, proposed.stack_id)
        if ended is None or ended.status not in _GOOD:
            status = ended.status if ended else "gone"
            cause = root_cause(events)
            raise StackFailed(
                f"stack {proposed.stack_name} ended {status}\n{explain_failure(self.compiled, cause)}",
                "mend the cause, then: "
                + ("paymig destroy, and paymig deploy again" if proposed.kind == "CREATE" else "paymig deploy again"),
            )


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
