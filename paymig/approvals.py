"""Approvals: somebody has looked at what is about to happen, and says so in the journal for a day.

An approval is bound to a digest of the spec, the templates and the live state: when one of them changes, it is void. It
serves one step once.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal

from compiler.compile import compile_spec
from paymig.aws import stack, weights
from paymig.aws.session import Aws
from paymig.deploy import record_of
from paymig.errors import NotConfirmed
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.journal.journal import Journal
from schemas.migration import Migration
from schemas.spec import Spec
from schemas.units import format_percentage

LIFE = timedelta(hours=24)
SWITCHOVER = "switchover"
VERB, STEP = "approve", "approve a step"

Rule = Literal["none", "required", "second-person"]


class NotApproved(NotConfirmed):
    """A step waits for somebody's approval."""


def step_of(share: float) -> str:
    """Name a traffic step as approvals do: `100%`."""
    return format_percentage(Decimal(str(share)))


def rule_of(migration: Migration, step: str) -> Rule:
    """Say who has to approve a step; a share between two steps is approved like the next one above.

    Args:
        migration: the spec.
        step: `switchover`, or a share such as `100%`.
    """
    if step == SWITCHOVER:
        return migration.cutover.switchover.approval
    share = Decimal(step.removesuffix("%"))
    for known in migration.cutover.steps:
        if known.to >= share:
            return known.approval
    return "none"


def digest(aws: Aws, spec: Spec, journal: Journal) -> str:
    """Digest what somebody who approves has looked at: the spec, its templates and code, the live state."""
    root = stack.describe(aws, spec.migration.full_name)
    writer = journal.writer()
    seen: dict[str, Any] = {
        "spec": repr(spec.migration),
        "templates": compile_spec(spec).keys["root"],  # it names the other templates and the code by their content
        "stack": (root.id, root.status, root.updated.isoformat()) if root else None,
        "weights": str(weights.look(aws, record_of(spec.migration))),
        "writer": (writer.side, writer.epoch),
    }
    return sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def approve(journal: Journal, step: str, seen: str, why: str = "") -> Entry:
    """Approve a step as the journal's operator."""
    expires = datetime.now(UTC) + LIFE
    return journal.append(VERB, STEP, "note", why, {"step": step, "digest": seen, "expires": expires.isoformat()})


def require(
    journal: Journal, step: str, digest: str, identity: str, rule: Rule = "required", now: datetime | None = None
) -> Entry | None:
    """Make sure that a step is approved.

    The step's own entry has to hold `approval`, the number of the entry that is returned, in its evidence: once such an
    entry is `done`, the approval is used up.

    Args:
        journal: where approvals stand.
        step: `switchover`, or a share such as `100%`.
        digest: of what is about to happen, as `digest` gives it.
        identity: the ARN of whoever runs the step.
        rule: who has to approve.
        now: the present time, if not the clock's.

    Returns:
        The approval; None where the rule asks for none.

    Raises:
        NotApproved: there is none, or none that is still good.
    """
    if rule == "none":
        return None
    found, reasons = judge(list(journal.entries()), step, digest, identity, rule, now or datetime.now(UTC))
    if found is None:
        who = "somebody other than you" if rule == "second-person" else "somebody"
        raise NotApproved(
            f"the step {step} waits for approval: {'; '.join(reasons) or 'nobody has approved it'}",
            f"{who} runs: paymig approve --step {step}",
        )
    return found


def judge(
    entries: Iterable[Entry], step: str, digest: str, identity: str, rule: Rule, now: datetime
) -> tuple[Entry | None, list[str]]:
    """Choose the newest approval that is good, or say of each why it is not."""
    entries = list(entries)
    used = {entry.evidence.get("approval") for entry in entries if entry.kind == "done"}
    reasons = []
    for entry in reversed(entries):
        if (entry.verb, entry.step) != (VERB, STEP) or entry.evidence.get("step") != step:
            continue
        reason = _flaw(entry, digest, identity, rule, now, used)
        if reason is None:
            return entry, []
        reasons.append(f"the approval of {entry.who} at {entry.time:%Y-%m-%d %H:%M} UTC {reason}")
    return None, reasons


def _flaw(entry: Entry, digest: str, identity: str, rule: Rule, now: datetime, used: set[Any]) -> str | None:
    if entry.sequence in used:
        return "was used already"
    if datetime.fromisoformat(entry.evidence["expires"]) <= now:
        return "has expired"
    if entry.evidence["digest"] != digest:
        return "was for another spec, other templates or another state"
    if rule == "second-person" and entry.who == identity:
        return "is your own"
    return None
