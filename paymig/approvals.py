"""Approvals: somebody has looked at what is about to happen, and says so in the journal for a day.

What was looked at is the spec, the templates and the live state: when one of them changes, the approval is void.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from compiler.compile import compile_spec
from paymig.aws import stack, weights
from paymig.aws.session import Aws
from paymig.deploy import record_of
from paymig.errors import NotConfirmed
from runtime_lambdas.runtime.journal import approvals
from runtime_lambdas.runtime.journal.approvals import STEP, SWITCHOVER, VERB, Demand, Rule
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.journal.journal import Journal
from schemas.migration import Migration
from schemas.spec import Spec
from schemas.units import format_percentage

LIFE = timedelta(hours=24)


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
        return migration.cutover.writer_approval
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


def demand_of(aws: Aws, spec: Spec, journal: Journal, step: str) -> Demand:
    """Say what a step waits for, if the journal's operator takes it now."""
    rule = rule_of(spec.migration, step)
    return Demand(step, "" if rule == "none" else digest(aws, spec, journal), journal.who, rule)


@contextmanager
def waiting() -> Iterator[None]:
    """Give a step that waits for an approval the exit code of its own."""
    try:
        yield
    except approvals.NotApproved as error:
        raise NotApproved(error.message, error.hint) from error


def require(journal: Journal, demand: Demand) -> dict[str, Any]:
    """Make sure that a step is approved.

    Returns:
        As `Demand.met`.

    Raises:
        NotApproved: there is no approval, or none that is still good.
    """
    with waiting():
        return demand.met(journal.entries(), datetime.now(UTC))
