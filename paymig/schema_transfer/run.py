"""The schema transfer as a command: under the lease, and in the journal."""

from __future__ import annotations

from collections.abc import Mapping

from paymig.replication.run import refuse_moved_writer
from paymig.replication.words import worded
from paymig.schema_transfer.transfer import Section, Transferred, transfer
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.logins import Logins

_STEPS: Mapping[Section, str] = {"pre-data": "make the target's tables", "post-data": "make indexes and constraints"}


def transfer_schema(journal: Journal, logins: Logins, section: Section, why: str = "") -> Transferred:
    """Bring a section of the source's schema over; interrupted, it is called again and makes what is missing.

    Raises:
        Refused: the writer is not the source, the lease is another's, or as of `transfer`.
    """
    with worded(), hold(journal, "transfer-schema", why) as holding:
        refuse_moved_writer(journal)
        source, target = logins.login("source", "admin"), logins.login("target", "master")
        with holding.step(_STEPS[section]) as reached:
            done = transfer(source, target, section)
            reached |= done.evidence
        return done
