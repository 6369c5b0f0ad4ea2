"""The weighted pair in Route 53: read, sent back in one batch, waited for, and read back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .records import Pair, Record, select, way_back, weights

PATIENCE = 120.0
"""Seconds for Route 53's name servers to agree; they take about one minute at most."""

_INTERVAL = 1.0


class RollbackFailed(RuntimeError):
    """The traffic may still go to the new API: says why, and what to do."""


@dataclass(frozen=True)
class Zone:
    """A hosted zone and the pair in it.

    Attributes:
        route53: a client of boto3.
        comment: what Route 53 keeps with a change.
    """

    route53: Any
    id: str
    pair: Pair
    comment: str

    def read(self) -> dict[str, Record]:
        """Return the records of both sides, under the keys "old" and "new".

        Raises:
            BrokenPair: One of them is missing.
        """
        page = self.route53.list_resource_record_sets(
            HostedZoneId=self.id, StartRecordName=self.pair.name, StartRecordType=self.pair.type, MaxItems="100"
        )
        return select(page["ResourceRecordSets"], self.pair)

    def is_home(self) -> bool:
        """Whether all traffic goes to the old side."""
        return not way_back(self.read())

    def send_home(self) -> dict[str, Record]:
        """Send all traffic to the old side; nothing is written when it goes there already.

        Returns:
            The records as they read back.

        Raises:
            RollbackFailed: The weights did not become what they should.
        """
        changes = way_back(self.read())
        if changes:
            batch = {"Comment": self.comment, "Changes": changes}
            change = self.route53.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch=batch)["ChangeInfo"]
            self._wait(change["Id"])
        after = self.read()
        if way_back(after):
            raise RollbackFailed(
                f"the weights read back are {weights(after)}: something else changes them at the same time. "
                "Stop that deployment or shift, then run `paymig rollback`."
            )
        return after

    def _wait(self, change: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.route53.get_change(Id=change)["ChangeInfo"]["Status"] != "INSYNC":
            if time.monotonic() > deadline:
                raise RollbackFailed(
                    f"Route 53 accepted change {change} and did not report it in sync within {PATIENCE:.0f} s. "
                    "It usually completes on its own: look at `paymig status` in a minute."
                )
            time.sleep(_INTERVAL)
