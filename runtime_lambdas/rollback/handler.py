"""Entry point of the rollback: weights back to the old API, proved by reading them back, recorded and reported."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runtime_lambdas.runtime import aws, log
from runtime_lambdas.runtime.journal.hold import Hold, hold
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.journal.lease import LeaseLost

from .keep import keep
from .records import Pair, Record, weights
from .trigger import reason
from .zone import RollbackFailed, Zone

VERB = "rollback"
_SUBJECT_LIMIT = 100  # characters that SNS takes
_SPARE = 15.0  # seconds to report in, before Lambda ends the function
_HOME = "old 100, new 0"


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Send all traffic to the old API, unless the event asks for nothing.

    As `paymig rollback` does: the lease is taken over from whoever holds it, the journal tells, and an update of the
    stacks that is under way is watched to its end. Calling it again is safe.

    The answer holds "rolled_back", "changed", the weights "before" and "after", and "reason".

    Raises:
        RollbackFailed: The writer is the target, the weights did not become what they should, or an update was still
            under way when time ran out.
        BrokenPair: The records are not there.
    """
    why = reason(event)
    if why is None:
        log.info("rollback.not_asked_for")
        return {"rolled_back": False, "changed": False, "reason": None}
    try:
        done = _roll_back(why, context)
    except LeaseLost as lost:
        if lost.lease is not None and lost.lease.held and lost.lease.verb == VERB:
            log.info("rollback.left_to_another", reason=why, holder=str(lost.lease))
            return {"rolled_back": False, "changed": False, "reason": why}
        _report_failure(lost, why)
        raise
    except Exception as error:
        _report_failure(error, why)
        raise
    return {"rolled_back": True, "reason": why, **done}


def _roll_back(why: str, context: Any) -> dict[str, Any]:
    ends = time.monotonic() + _seconds_left(context) - _SPARE
    journal = Journal(
        aws.client("dynamodb"),
        os.environ["PAYMIG_JOURNAL_TABLE"],
        os.environ["PAYMIG_MIGRATION"],
        getattr(context, "invoked_function_arn", "the rollback function"),
    )
    _refuse_moved_writer(journal)  # before the lease is taken from whoever moves it, whose move would stop half-way
    zone = _zone()
    before = zone.read()
    with hold(journal, VERB, why, over=True) as holding:
        _refuse_moved_writer(journal)
        with holding.step("send the traffic back", before=_words(before), after=_HOME) as reached:
            started = time.monotonic()
            after = zone.send_home()
            reached |= {"live": _words(after), "seconds": round(time.monotonic() - started, 3)}
        done = {"changed": before != after, "before": weights(before), "after": weights(after)}
        log.info("rollback.done", reason=why, **done)
        _report("rollback done", f"All traffic goes to the old API ({why}). Weights before: {done['before']}.")
        _keep(zone, holding, ends)
    return done


def _refuse_moved_writer(journal: Journal) -> None:
    now = journal.writer()
    if now.side != "source":
        raise RollbackFailed(
            f"the target is the writer since epoch {now.epoch}: the old API writes to a fenced database, so weights "
            "alone would lose payments. Run `paymig rollback`, which switches the writer back first."
        )


def _keep(zone: Zone, holding: Hold, ends: float) -> None:
    name = holding.journal.migration
    try:
        ended = keep(aws.client("cloudformation"), name, zone, _say, holding.check, max(0.0, ends - time.monotonic()))
    except (BotoCoreError, ClientError) as error:
        raise RollbackFailed(
            f"the traffic went back, but whether an update of stack {name} is under way that may move it again could "
            f"not be seen: {error}. Run `paymig rollback`."
        ) from error
    if not ended:
        raise RollbackFailed(
            f"the traffic went back, but stack {name} is still being updated, and may move it again. Run "
            "`paymig rollback`, which watches the update to its end."
        )


def _say(line: str) -> None:
    log.info("rollback.keeping", said=line)


def _seconds_left(context: Any) -> float:
    left = getattr(context, "get_remaining_time_in_millis", None)
    return left() / 1000 if left else 300.0


def _zone() -> Zone:
    pair = Pair(
        name=os.environ["RECORD_NAME"],
        type=os.environ["RECORD_TYPE"],
        old=os.environ["OLD_SET_IDENTIFIER"],
        new=os.environ["NEW_SET_IDENTIFIER"],
    )
    return Zone(
        aws.client("route53"), os.environ["HOSTED_ZONE_ID"], pair, f"rollback of {os.environ['PAYMIG_MIGRATION']}"
    )


def _words(records: Mapping[str, Record]) -> str:
    found = weights(records)
    return f"old {found['old']}, new {found['new']}"


def _report_failure(error: Exception, why: str) -> None:
    log.error("rollback.failed", error, reason=why)
    with contextlib.suppress(Exception):  # the failure itself is what the caller has to hear of
        _report("rollback FAILED", f"Rollback failed ({why}): {error}")


def _report(subject: str, text: str) -> None:
    title = f"{os.environ['PAYMIG_MIGRATION']}: {subject}"[:_SUBJECT_LIMIT]
    aws.client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Subject=title, Message=text)
