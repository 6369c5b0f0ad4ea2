"""Starting, watching and stopping replication, each act in the journal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from psycopg2.extensions import cursor

from paymig.console import Console
from paymig.errors import Refused
from paymig.replication.show import Bars
from paymig.replication.status import ENDED, ROLES, STARTED, Report, look
from paymig.replication.words import worded
from paymig.schema_transfer.transfer import Section, transfer
from runtime_lambdas.runtime import roles
from runtime_lambdas.runtime.catalogue import read_sequences, read_tables
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.logins import Logins, Role
from runtime_lambdas.runtime.replication.engine import Engine
from runtime_lambdas.runtime.writer import Side
from schemas.migration import Migration

_LOOK_SECONDS = 0.5
LOADED = "make indexes and constraints"
"""The journal's last step of a start: the first load is over."""


def start(
    engine: Engine, journal: Journal, logins: Logins, migration: Migration, console: Console, why: str = ""
) -> Report:
    """Make the target's roles and tables, start or resume replication, and watch the load to its end.

    What the load does not need, such as indexes and foreign keys, is made after it. Interrupted, it is started again:
    what runs goes on, and is watched again.

    Raises:
        Refused: the writer is not the source, the lease is another's, or the databases are not ready.
    """
    with worded(), hold(journal, "replicate start", why) as holding:
        refuse_moved_writer(journal)
        with holding.step(ROLES), _as(logins, "target", "master") as running:
            roles.make_target_roles(running, logins, subscribes=engine.applier == "control")
            if engine.applier == "replication":
                roles.let_apply(running, logins)
        with holding.step("make the target's tables") as reached:
            reached |= _transfer(logins, "pre-data")
            with _as(logins, "target", "master") as running:
                _hand_over(running, logins, migration)
        with holding.step("prepare replication"):
            engine.prepare()
            _grant(engine, logins, migration)
        with holding.step(STARTED) as reached:
            engine.start()
            reached["identity"] = engine.identity().to_json()
    with worded():
        _watch(engine, console)
        with hold(journal, "replicate start", why) as holding, holding.step(LOADED) as reached:
            reached |= _transfer(logins, "post-data")
        return look(engine, journal)


def stop(engine: Engine, journal: Journal, console: Console, *, retire: bool, yes: bool, why: str = "") -> Report:
    """Pause replication, or end it for good.

    Args:
        engine: the direction.
        journal: the migration's.
        console: where the question goes.
        retire: drop slot, subscription and publication: what follows is a load from the beginning.
        yes: do not ask.
        why: the operator's words.

    Raises:
        Refused: the writer is not the source, or the lease is another's.
        NotConfirmed: the operator declined.
    """
    question = (
        "End replication for good? Starting it again loads every table anew."
        if retire
        else "Pause replication? The source keeps its log until it is resumed, and its disk fills."
    )
    with worded(), hold(journal, "replicate stop", why) as holding:
        refuse_moved_writer(journal)
        console.confirm(question, yes)
        with holding.step(ENDED if retire else "pause replication"):
            engine.retire() if retire else engine.pause()
        return Report(engine.progress(), None, "")


def refuse_moved_writer(journal: Journal) -> None:
    """Refuse once the target is the writer: the forward direction is the switchover's matter then.

    Raises:
        Refused: it is.
    """
    if journal.writer().side != "source":
        raise Refused(
            "the target is the writer: what replicates from the source now belongs to the switchover",
            "paymig status says where the migration stands",
        )


@contextmanager
def _as(logins: Logins, side: Side, role: Role) -> Iterator[cursor]:
    """Open one transaction as a role."""
    with closing(logins.login(side, role).open()) as opened, opened, opened.cursor() as running:
        yield running


def _transfer(logins: Logins, section: Section) -> dict[str, Any]:
    """Bring a section of the source's schema over; what is there already is left alone."""
    return transfer(logins.login("source", "admin"), logins.login("target", "master"), section).evidence


def _hand_over(running: cursor, logins: Logins, migration: Migration) -> None:
    patterns = migration.replication.tables
    tables = read_tables(running, patterns.include, patterns.exclude)
    roles.hand_over(running, logins, tables, read_sequences(running, tables))


def _grant(engine: Engine, logins: Logins, migration: Migration) -> None:
    """Let the API and the comparison read, and who compares beat, on either side."""
    patterns = migration.replication.tables
    with _as(logins, "target", "control") as running:
        tables = read_tables(running, patterns.include, patterns.exclude)
        roles.grant_reading(running, logins, tables, read_sequences(running, tables))
        if engine.applier == "replication":
            roles.grant_applying(running, logins, tables)
    application = logins.login("source", "application").user
    if application != logins.login("source", "admin").user:
        with _as(logins, "source", "admin") as running:
            roles.grant_beating(running, application)


def _watch(engine: Engine, console: Console) -> None:
    """Show the load until it is over.

    Raises:
        Refused: it came to a halt.
    """
    with Bars(console) as bars:
        while True:
            progress = engine.progress()
            bars.update(progress)
            if progress.state == "failed" and _lasts(engine):
                raise Refused(" ".join(progress.problems))
            if progress.state != "loading" and progress.state != "failed":
                return
            time.sleep(_LOOK_SECONDS)


def _lasts(engine: Engine) -> bool:
    """Whether a failure is still there after a worker has had the time to come back."""
    for _ in range(12):
        time.sleep(_LOOK_SECONDS)
        if engine.progress().state != "failed":
            return False
    return True
