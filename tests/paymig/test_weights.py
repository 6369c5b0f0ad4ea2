"""The weighted pair: read, moved in one batch, read back; anything odd is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymig.aws import weights
from paymig.aws.session import Aws
from paymig.aws.weights import Record, Weights
from paymig.embedded.process import EmbeddedAws
from paymig.embedded.seed import HostedZone, Seed
from paymig.errors import AwsError, Refused

ZONE = "Z0123456789ABCDEFGHIJ"
RECORD = Record(ZONE, "api.payments.example.com")


@pytest.fixture(scope="module")
def aws():
    seed = Seed(hosted_zones=(HostedZone(ZONE, "payments.example.com"),))
    with EmbeddedAws(region="us-east-2", seed=seed) as embedded:
        yield Aws("us-east-2", endpoint_url=embedded.endpoint_url, credentials=(embedded.account_id, "x"))


def record(side: str, weight: int, address: str) -> dict:
    return {
        "Name": RECORD.name,
        "Type": "A",
        "SetIdentifier": side,
        "Weight": weight,
        "TTL": 30,
        "ResourceRecords": [{"Value": address}],
    }


def change(aws, action: str, *records: dict) -> None:
    aws.client("route53").change_resource_record_sets(
        HostedZoneId=ZONE, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": r} for r in records]}
    )


@pytest.fixture
def pair(aws):
    records = [record("old", 100, "198.51.100.10"), record("new", 0, "198.51.100.20")]
    change(aws, "UPSERT", *records)
    yield records
    live = aws.client("route53").list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    change(aws, "DELETE", *[r for r in live if "SetIdentifier" in r])


def test_no_pair_reads_as_none_and_is_never_invented(aws):
    assert weights.read(aws, RECORD) is None
    with pytest.raises(Refused, match="no weighted pair"):
        weights.write(aws, RECORD, Weights.to_new(10))


def test_only_the_weights_change_and_in_one_call(aws, pair):
    calls = []
    events = aws.client("route53").meta.events
    events.register("before-call.route53.ChangeResourceRecordSets", lambda **kwargs: calls.append(kwargs), "count")
    try:
        weights.write(aws, RECORD, Weights.to_new(37))
    finally:
        events.unregister("before-call.route53.ChangeResourceRecordSets", unique_id="count")
    assert len(calls) == 1
    assert weights.read(aws, RECORD) == Weights(old=63, new=37)
    live = aws.client("route53").list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    weightless = [{k: v for k, v in r.items() if k != "Weight"} for r in live if r.get("SetIdentifier")]
    expected = [{k: v for k, v in r.items() if k != "Weight"} | {"Name": RECORD.name + "."} for r in pair]
    assert sorted(weightless, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("bad", [Weights(0, 0), Weights(-1, 101), Weights(50, 49), Weights(100, 100)])
def test_weights_that_make_no_sense_are_refused_before_any_call(aws, pair, bad):
    with pytest.raises(Refused):
        weights.write(aws, RECORD, bad)
    assert weights.read(aws, RECORD) == Weights(100, 0)


def test_a_pair_changed_by_hand_is_refused_with_what_was_found(aws, pair):
    change(aws, "DELETE", pair[1])
    with pytest.raises(Refused, match="found: old"):
        weights.read(aws, RECORD)
    change(aws, "UPSERT", pair[1] | {"Weight": 0}, pair[0] | {"Weight": 0})
    with pytest.raises(Refused, match="even split"):
        weights.read(aws, RECORD)


def test_somebody_elses_change_between_write_and_read_back_is_found(aws, pair):
    def meddle(**_):
        events.unregister("after-call.route53.GetChange", unique_id="meddle")
        change(aws, "UPSERT", pair[0] | {"Weight": 1})

    events = aws.client("route53").meta.events
    events.register("after-call.route53.GetChange", meddle, "meddle")
    with pytest.raises(AwsError, match="somebody else"):
        weights.write(aws, RECORD, Weights.to_new(50))


def test_a_like_named_record_is_not_taken_for_ours(aws, pair):
    other = record("old", 7, "198.51.100.30") | {"Name": "api.payments.example.com.payments.example.com"}
    change(aws, "UPSERT", other)
    assert weights.read(aws, RECORD) == Weights(100, 0)


@given(st.integers(0, 100))
def test_the_share_is_what_was_asked_for(share):
    assert Weights.to_new(share).share == share
    assert Weights.to_new(share).old + Weights.to_new(share).new == 100
