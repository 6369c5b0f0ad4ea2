"""The weighted pair of records: reading it, and moving both weights in one batch."""

from dataclasses import dataclass
from typing import Any

from paymig.aws.session import Aws
from paymig.aws.waiting import paces
from paymig.errors import AwsError, Refused

OLD, NEW = "old", "new"
_PATIENCE = 300


@dataclass(frozen=True)
class Weights:
    """How the traffic is split; the two always add up to 100 when paymig sets them."""

    old: int
    new: int

    @classmethod
    def to_new(cls, share: int) -> "Weights":
        """Give the new side `share` percent, the old side the rest."""
        return cls(old=100 - share, new=share)

    @property
    def share(self) -> float:
        """The percentage of traffic that the new side gets."""
        return 100 * self.new / (self.old + self.new)

    def __str__(self) -> str:
        return f"old {self.old}, new {self.new}"


@dataclass(frozen=True)
class Record:
    """Which weighted record: its zone and its name."""

    hosted_zone: str
    name: str


def read(aws: Aws, record: Record) -> Weights | None:
    """Read the live weights; None where the pair does not exist yet.

    Raises:
        Refused: somebody left the pair in a shape that paymig does not make.
    """
    pair = _read_pair(aws, record)
    if not pair:
        return None
    if set(pair) != {OLD, NEW}:
        found = ", ".join(sorted(pair))
        raise Refused(
            f"{record.name} should have the weighted records {OLD!r} and {NEW!r}; found: {found}",
            "somebody changed the zone by hand: restore the missing record there before going on",
        )
    weights = Weights(old=pair[OLD]["Weight"], new=pair[NEW]["Weight"])
    if weights.old + weights.new == 0:
        raise Refused(
            f"both weights of {record.name} are zero, which Route 53 treats as an even split",
            "paymig rollback sends all traffic to the source",
        )
    return weights


def write(aws: Aws, record: Record, weights: Weights) -> None:
    """Set both weights in one batch, wait until every name server has them, and read them back.

    Raises:
        Refused: the pair does not exist, or the weights make no sense.
        AwsError: the name servers did not agree in time, or hold something else.
    """
    if min(weights.old, weights.new) < 0 or weights.old + weights.new != 100:
        raise Refused(f"weights must be 0 or more and add up to 100, not {weights}")
    pair = _read_pair(aws, record)
    if set(pair) != {OLD, NEW}:
        raise Refused(f"{record.name} has no weighted pair yet", "paymig deploy makes it")
    client = aws.client("route53")
    changes = [
        {"Action": "UPSERT", "ResourceRecordSet": pair[side] | {"Weight": weight}}
        for side, weight in ((OLD, weights.old), (NEW, weights.new))
    ]
    change = client.change_resource_record_sets(
        HostedZoneId=record.hosted_zone, ChangeBatch={"Comment": f"paymig: {weights}", "Changes": changes}
    )["ChangeInfo"]
    for _ in paces(_PATIENCE):
        if client.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "INSYNC":
            break
    else:
        raise AwsError(
            f"Route 53 took the change {change['Id']} but did not report INSYNC within {_PATIENCE} s",
            "the weights are accepted: paymig status shows when they are live",
        )
    live = read(aws, record)
    if live != weights:
        raise AwsError(
            f"{record.name} was set to {weights}, but reads back {live}: somebody else changed it meanwhile",
            "agree on who moves the traffic, then run the command again",
        )


def _read_pair(aws: Aws, record: Record) -> dict[str, dict[str, Any]]:
    found = aws.client("route53").list_resource_record_sets(
        HostedZoneId=record.hosted_zone, StartRecordName=record.name, MaxItems="100"
    )["ResourceRecordSets"]
    return {
        r["SetIdentifier"]: r
        for r in found
        if r["Name"].rstrip(".") == record.name and r["Type"] in ("A", "CNAME") and "SetIdentifier" in r
    }
