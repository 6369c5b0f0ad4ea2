"""Entry point of the rollback: weights back to the old API, proved by reading them back, and reported."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

from runtime_lambdas.runtime import aws, log, writer

from .records import Pair, Record, select, way_back, weights
from .trigger import reason

PATIENCE = 120.0
"""Seconds for Route 53's name servers to agree; they take about one minute at most."""

_INTERVAL = 1.0
_SUBJECT_LIMIT = 100  # characters that SNS takes


class RollbackFailed(RuntimeError):
    """The traffic may still go to the new API: says why, and what to do."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Send all traffic to the old API, unless the event asks for nothing.

    Calling it again is safe. The answer holds "rolled_back", "changed", the weights "before" and "after", and "reason".

    Raises:
        RollbackFailed: The writer is the target, or the weights did not become what they should.
        BrokenPair: The records are not there.
    """
    why = reason(event)
    if why is None:
        log.info("rollback.not_asked_for")
        return {"rolled_back": False, "changed": False, "reason": None}
    try:
        done = _roll_back()
    except Exception as error:
        log.error("rollback.failed", error, reason=why)
        with contextlib.suppress(Exception):  # the failure itself is what the caller has to hear of
            _report("rollback FAILED", f"Rollback failed ({why}): {error}")
        raise
    log.info("rollback.done", reason=why, **done)
    _report("rollback done", f"All traffic goes to the old API ({why}). Weights before: {done['before']}.")
    return {"rolled_back": True, "reason": why, **done}


def _roll_back() -> dict[str, Any]:
    now = writer.read()
    if now.side != "source":
        raise RollbackFailed(
            f"the target is the writer since epoch {now.epoch}: the old API writes to a fenced database, so weights "
            "alone would lose payments. Run `paymig rollback`, which switches the writer back first."
        )
    route53 = aws.client("route53")
    zone = os.environ["HOSTED_ZONE_ID"]
    before = select(_read(route53, zone), _pair())
    changes = way_back(before)
    if changes:
        batch = {"Comment": f"rollback of {os.environ['PAYMIG_MIGRATION']}", "Changes": changes}
        change = route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)["ChangeInfo"]
        _wait(route53, change["Id"])
    after = select(_read(route53, zone), _pair())
    if way_back(after):
        raise RollbackFailed(
            f"the weights read back are {weights(after)}: something else changes them at the same time. "
            "Stop that deployment or shift, then run `paymig rollback`."
        )
    return {"changed": bool(changes), "before": weights(before), "after": weights(after)}


def _pair() -> Pair:
    return Pair(
        name=os.environ["RECORD_NAME"],
        type=os.environ["RECORD_TYPE"],
        old=os.environ["OLD_SET_IDENTIFIER"],
        new=os.environ["NEW_SET_IDENTIFIER"],
    )


def _read(route53: Any, zone: str) -> list[Record]:
    pair = _pair()
    page = route53.list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=pair.name, StartRecordType=pair.type, MaxItems="100"
    )
    records: list[Record] = page["ResourceRecordSets"]
    return records


def _wait(route53: Any, change: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while route53.get_change(Id=change)["ChangeInfo"]["Status"] != "INSYNC":
        if time.monotonic() > deadline:
            raise RollbackFailed(
                f"Route 53 accepted change {change} and did not report it in sync within {PATIENCE:.0f} s. "
                "It usually completes on its own: look at `paymig status` in a minute."
            )
        time.sleep(_INTERVAL)


def _report(subject: str, text: str) -> None:
    title = f"{os.environ['PAYMIG_MIGRATION']}: {subject}"[:_SUBJECT_LIMIT]
    aws.client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Subject=title, Message=text)
