"""The weighted pair of records: reading it, and moving both weights in one batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from paymig.aws.session import Aws, code_of
from paymig.errors import AwsError, Refused
from runtime_lambdas.runtime.waiting import paces

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


def look(aws: Aws, record: Record) -> Weights | None:
    """Read the live weights as they are, even where both are zero; None where the pair does not exist yet.

    Raises:
        Refused: one of the two records is missing.
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
    return Weights(old=pair[OLD]["Weight"], new=pair[NEW]["Weight"])


def answered(aws: Aws, record: Record, times: int) -> float | None:
    """Ask Route 53 what it answers to a resolver, several times; None where there is no pair.

    Returns:
        The percentage of the answers that were the new side's. It scatters about the weights: each answer is drawn.
    """
    pair = _read_pair(aws, record)
    if set(pair) != {OLD, NEW}:
        return None
    old = {_plain(value["Value"]) for value in pair[OLD].get("ResourceRecords", [])}
    client = aws.client("route53")
    answers = [
        client.test_dns_answer(HostedZoneId=record.hosted_zone, RecordName=record.name, RecordType=pair[OLD]["Type"])[
            "RecordData"
        ]
        for _ in range(times)
    ]
    # The addresses behind an alias are the load balancer's, and change: what is not the old side's is the new one's.
    return 100 * sum(old.isdisjoint(map(_plain, answer)) for answer in answers) / times


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def read(aws: Aws, record: Record) -> Weights | None:
    """Read the live weights; None where the pair does not exist yet.

    Raises:
        Refused: somebody left the pair in a shape that paymig does not make.
    """
    weights = look(aws, record)
    if weights is not None and weights.old + weights.new == 0:
        raise Refused(
            f"both weights of {record.name} are zero, which Route 53 treats as an even split",
            "paymig rollback sends all traffic to the source",
        )
    return weights


def write(aws: Aws, record: Record, weights: Weights, instead_of: Weights | None = None) -> None:
    """Set both weights in one batch, wait until every name server has them, and read them back.

    Args:
        aws: where.
        record: whose weights.
        weights: the new ones.
        instead_of: change nothing unless these are live when Route 53 takes the batch; None for whatever is live.

    Raises:
        Refused: the pair does not exist, the weights make no sense, or others than `instead_of` are live.
        AwsError: the name servers did not agree in time, or hold something else.
    """
    if min(weights.old, weights.new) < 0 or weights.old + weights.new != 100:
        raise Refused(f"weights must be 0 or more and add up to 100, not {weights}")
    pair = _read_pair(aws, record)
    if set(pair) != {OLD, NEW}:
        raise Refused(f"{record.name} has no weighted pair yet", "paymig deploy makes it")
    try:
        _change(
            aws, record, weights, _upsert(pair, weights) if instead_of is None else _swap(pair, weights, instead_of)
        )
    except ClientError as error:
        # A repeated call whose first attempt had taken effect is refused as well; the read-back tells.
        if instead_of is None or code_of(error) != "InvalidChangeBatch":
            raise
        if (live := look(aws, record)) != weights:
            raise Refused(
                f"{record.name} moved from {instead_of} to {live} meanwhile, so nothing was changed",
                "paymig history shows who moved it; then run the command again",
            ) from error
    live = read(aws, record)
    if live != weights:
        raise AwsError(
            f"{record.name} was set to {weights}, but reads back {live}: somebody else changed it meanwhile",
            "agree on who moves the traffic, then run the command again",
        )


def _upsert(pair: Mapping[str, Mapping[str, Any]], weights: Weights) -> list[dict[str, Any]]:
    return [_put("UPSERT", pair[side], weight) for side, weight in ((OLD, weights.old), (NEW, weights.new))]


def _swap(pair: Mapping[str, Mapping[str, Any]], weights: Weights, instead_of: Weights) -> list[dict[str, Any]]:
    """Compare and swap: Route 53 deletes only what is exactly as named, and takes a batch as a whole or not at all."""
    gone = [_put("DELETE", pair[side], weight) for side, weight in ((OLD, instead_of.old), (NEW, instead_of.new))]
    return gone + [_put("CREATE", pair[side], weight) for side, weight in ((OLD, weights.old), (NEW, weights.new))]


def _put(action: str, found: Mapping[str, Any], weight: int) -> dict[str, Any]:
    return {"Action": action, "ResourceRecordSet": {**found, "Weight": weight}}


def _change(aws: Aws, record: Record, weights: Weights, changes: list[dict[str, Any]]) -> None:
    client = aws.client("route53")
    change = client.change_resource_record_sets(
        HostedZoneId=record.hosted_zone, ChangeBatch={"Comment": f"paymig: {weights}", "Changes": changes}
    )["ChangeInfo"]
    for _ in paces(_PATIENCE):
        if client.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "INSYNC":
            return
    raise AwsError(
        f"Route 53 took the change {change['Id']} but did not report INSYNC within {_PATIENCE} s",
        "the weights are accepted: paymig status shows when they are live",
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
