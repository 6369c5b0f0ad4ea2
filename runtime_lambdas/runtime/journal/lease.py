"""Who may act on a migration now: the lease, decided without a clock and without AWS.

A lease is a row with an expiry and a token. The token grows by one whenever the lease changes hands, and every step
names the token it works under, so that a holder who was taken for dead and wakes up again is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runtime_lambdas.runtime.journal.entry import Item
from runtime_lambdas.runtime.journal.place import Place
from runtime_lambdas.runtime.refused import Refused

LIFE = timedelta(seconds=60)
"""How long a lease lives without being renewed. Its holder renews it three times as often."""


@dataclass(frozen=True)
class Lease:
    """A lease as it stands in the table.

    Attributes:
        token: how often the lease has changed hands.
        id: the acquisition's own, so that a repeated call recognises its work; empty when nobody holds the lease.
        holder: the ARN of the operator.
        place: the operator's machine and process.
        verb: the command that holds it.
        since: when it was acquired.
        expires: until when nobody else may acquire it.
    """

    token: int
    id: str
    holder: str
    place: Place
    verb: str
    since: datetime
    expires: datetime

    def __str__(self) -> str:
        return f"{self.holder} on {self.place} for `paymig {self.verb}`, since {self.since:%H:%M:%S} UTC"

    @property
    def held(self) -> bool:
        """Whether somebody took it and did not give it back; perhaps its time has run out."""
        return bool(self.id)


class LeaseHeld(Refused):
    """Somebody else is at work on this migration.

    Attributes:
        lease: whose.
    """

    def __init__(self, lease: Lease, now: datetime) -> None:
        left = max(0, round((lease.expires - now).total_seconds()))
        super().__init__(
            f"the lease is held by {lease}",
            f"wait until that command has ended; if it is gone, its lease runs out within {left} s "
            "(paymig unlock ends it at once)",
        )
        self.lease = lease


class LeaseLost(Refused):
    """Somebody else took the lease over: this command must do nothing more.

    Attributes:
        lease: as it stands now; None when there is none.
    """

    def __init__(self, lease: Lease | None) -> None:
        now = f"now held by {lease}" if lease and lease.held else "now held by nobody"
        super().__init__(
            f"this command's lease was taken over; it is {now}; nothing more was done",
            "paymig history shows what happened; then run the command again",
        )
        self.lease = lease


def available(lease: Lease | None, now: datetime, gone: bool) -> bool:
    """Decide whether the lease may be acquired.

    Args:
        lease: as it stands; None when there never was one.
        now: the present time.
        gone: whether the holder's process is known to be dead.
    """
    return lease is None or not lease.held or gone or lease.expires <= now


def successor(
    lease: Lease | None, acquisition: str, holder: str, place: Place, verb: str, now: datetime, life: timedelta
) -> Lease:
    """Give the lease to somebody, under the next token."""
    token = lease.token + 1 if lease else 1
    return Lease(token, acquisition, holder, place, verb, since=now, expires=now + life)


def renewed(lease: Lease, now: datetime, life: timedelta) -> Lease:
    """Let a lease live on from now."""
    return replace(lease, expires=now + life)


def released(lease: Lease) -> Lease:
    """Give a lease back; the token stays, for the next holder to exceed."""
    return replace(lease, id="")


def broken(lease: Lease) -> Lease:
    """Take a lease from its holder, who is refused from now on."""
    return replace(lease, id="", token=lease.token + 1)


def to_item(lease: Lease) -> dict[str, dict[str, str]]:
    """Write a lease for DynamoDB, without the table's key."""
    texts = {
        "id": lease.id,
        "holder": lease.holder,
        "host": lease.place.host,
        "boot": lease.place.boot,
        "verb": lease.verb,
        "since": lease.since.isoformat(),
        "expires": lease.expires.isoformat(),
    }
    numbers = {"token": lease.token, "pid": lease.place.pid}
    return {key: {"S": text} for key, text in texts.items()} | {key: {"N": str(n)} for key, n in numbers.items()}


def from_item(item: Item) -> Lease:
    """Read what `to_item` wrote."""
    return Lease(
        token=int(item["token"]["N"]),
        id=item["id"]["S"],
        holder=item["holder"]["S"],
        place=Place(item["host"]["S"], item["boot"]["S"], int(item["pid"]["N"])),
        verb=item["verb"]["S"],
        since=datetime.fromisoformat(item["since"]["S"]),
        expires=datetime.fromisoformat(item["expires"]["S"]),
    )
