"""Whether going back loses anything once the target is the writer: what the replication to the source says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg2
from botocore.exceptions import BotoCoreError, ClientError

from paymig.databases import Databases
from paymig.errors import PaymigError
from paymig.operation import Operation
from paymig.replication.engines import engine_for
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.replication.engine import Engine, Identity, ReplicationError
from runtime_lambdas.switchover.history import BEGIN
from runtime_lambdas.switchover.phases import FORTH, WAYS, Step

_LAG_SECONDS = 5.0
_COUNTED = "paymig rollback counts what the source lacks"


@dataclass(frozen=True)
class WayBack:
    """What the replication from the target to the source is worth.

    Attributes:
        lossless: whether going back loses nothing; None where it can't be told.
        why: in a few words.
    """

    lossless: bool | None
    why: str


@dataclass(frozen=True)
class Took:
    """How long a move of the writer took.

    Attributes:
        seconds: from its beginning until the applications might write again.
        pause: seconds of that in which they might not; None where nobody measured it.
    """

    seconds: float
    pause: float | None


def unseen() -> WayBack:
    """Nobody looked at it."""
    return WayBack(None, f"nobody looked at the replication to the source; {_COUNTED}")


def way_back(at: Operation) -> WayBack:
    """Look at the replication from the target to the source; a beat is written on the target."""
    try:
        recorded = recorded_identity(at.journal.entries())
        logins = Databases(at.aws, at.spec)
        back = engine_for(at.migration, logins, at.aws).reverse()
        try:
            return judge(back, recorded)
        finally:
            back.close()
    except (psycopg2.Error, PaymigError, BotoCoreError, ClientError) as error:
        reason = str(error).strip().partition("\n")[0]
        return WayBack(None, f"the replication to the source can't be looked at from here: {reason}")


def judge(back: Engine, recorded: Identity | None) -> WayBack:
    """Tell whether the source follows, by the direction that the switchover proved and no other.

    Args:
        back: from the target to the source.
        recorded: what the switchover started; None where the journal does not say.
    """
    if recorded is None:
        return WayBack(None, f"the journal does not say which replication the switchover started; {_COUNTED}")
    try:
        back.verify(recorded)
        progress = back.progress()
        if progress.state != "replicating" or progress.problems:
            why = " ".join(progress.problems) or f"it is {progress.state}"
            return WayBack(False, f"the replication to the source does not work ({why}); {_COUNTED}")
        lag = back.lag(_LAG_SECONDS)
    except ReplicationError as error:
        return WayBack(False, f"the replication to the source does not work ({error}); {_COUNTED}")
    if not lag.arrived:
        return WayBack(None, f"the source is more than {lag.seconds:.0f} s behind; {_COUNTED}")
    return WayBack(True, f"the source follows it, {lag.seconds:.1f} s behind")


def last_move(entries: Iterable[Entry]) -> Took | None:
    """Tell how long the last move of the writer took, either way; None where there was none."""
    began, took = None, None
    for entry in entries:
        if entry.verb in WAYS and entry.step == BEGIN:
            began = entry.time
        elif began is not None and entry.verb in WAYS and (entry.step, entry.kind) == (Step.OPEN, "done"):
            took = Took((entry.time - began).total_seconds(), entry.evidence.get("pause"))
    return took


def recorded_identity(entries: Iterable[Entry]) -> Identity | None:
    """Return the replication to the source that the last switchover started, as the journal has it."""
    found = None
    for entry in entries:
        if (entry.verb, entry.step, entry.kind) == (FORTH.verb, Step.REVERSE, "done"):
            found = Identity(**entry.evidence["identity"]) if "identity" in entry.evidence else None
    return found
