import json
import os
from itertools import count
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from runtime_lambdas.rollback import zone as zones
from runtime_lambdas.rollback.handler import handler
from runtime_lambdas.rollback.records import BrokenPair, Pair, way_back, weights
from runtime_lambdas.rollback.trigger import reason
from runtime_lambdas.rollback.zone import RollbackFailed
from runtime_lambdas.runtime import aws as clients
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.journal.lease import LeaseLost

NAME = "api.payments.example.com"
_zones = count(1)


class Zone:
    """A hosted zone with the weighted pair, and a topic whose messages can be read."""

    def __init__(self, environment, old=40, new=60):
        self.route53, sns, self.sqs = (clients.client(name) for name in ("route53", "sns", "sqs"))
        number = next(_zones)
        zone = self.route53.create_hosted_zone(Name="payments.example.com", CallerReference=f"zone-{number}")
        self.id = zone["HostedZone"]["Id"].rpartition("/")[2]
        self.write(
            {"SetIdentifier": "old", "Weight": old, "TTL": 30, "ResourceRecords": [{"Value": "198.51.100.10"}]},
            {
                "SetIdentifier": "new",
                "Weight": new,
                "AliasTarget": {
                    "HostedZoneId": "Z3AADJGX6KTTL2",
                    "DNSName": "balancer.us-east-2.elb.amazonaws.com.",
                    "EvaluateTargetHealth": False,
                },
            },
        )
        topic = sns.create_topic(Name=f"topic-{number}")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName=f"queue-{number}")["QueueUrl"]
        queue_arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn["Attributes"]["QueueArn"])
        settings = {"HOSTED_ZONE_ID": self.id, "RECORD_NAME": NAME, "RECORD_TYPE": "A", "TOPIC_ARN": topic}
        for key, value in {**settings, "OLD_SET_IDENTIFIER": "old", "NEW_SET_IDENTIFIER": "new"}.items():
            environment.setenv(key, value)

    def write(self, *records, action="UPSERT"):
        self.route53.change_resource_record_sets(
            HostedZoneId=self.id,
            ChangeBatch={
                "Changes": [
                    {"Action": action, "ResourceRecordSet": {"Name": NAME, "Type": "A", **record}} for record in records
                ]
            },
        )

    def records(self):
        listed = self.route53.list_resource_record_sets(HostedZoneId=self.id)["ResourceRecordSets"]
        return {record["SetIdentifier"]: record for record in listed if "SetIdentifier" in record}

    def messages(self):
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


@pytest.fixture
def zone(environment):
    return Zone(environment)


def test_only_the_weights_change(zone):
    before = zone.records()
    done = handler({}, None)
    assert done["before"] == {"old": 40, "new": 60}
    assert done["after"] == {"old": 100, "new": 0}
    after = zone.records()
    assert {name: record.pop("Weight") for name, record in after.items()} == {"old": 100, "new": 0}
    assert after == {name: {key: record[key] for key in record if key != "Weight"} for name, record in before.items()}
    [message] = zone.messages()
    assert message["Subject"] == "payments-test: rollback done"
    assert "asked for by an operator" in message["Message"]


def test_both_weights_move_in_one_batch_and_only_once(zone, monkeypatch):
    batches = []
    change = zone.route53.change_resource_record_sets
    monkeypatch.setattr(
        zone.route53, "change_resource_record_sets", lambda **request: batches.append(request) or change(**request)
    )
    assert handler({}, None)["changed"] is True
    assert handler({}, None)["changed"] is False
    assert [len(batch["ChangeBatch"]["Changes"]) for batch in batches] == [2]


def test_it_waits_until_every_name_server_has_the_weights(zone, monkeypatch):
    seen = []
    get_change = zone.route53.get_change

    def watched(**request):
        answer = get_change(**request)
        seen.append(answer["ChangeInfo"]["Status"])
        return answer

    monkeypatch.setattr(zone.route53, "get_change", watched)
    handler({}, None)
    assert seen == ["PENDING", "INSYNC"]


def test_a_change_that_never_arrives_fails(zone, monkeypatch):
    monkeypatch.setattr(zones, "PATIENCE", -1.0)
    with pytest.raises(RollbackFailed, match="did not report it in sync"):
        handler({}, None)


def test_a_rollback_is_refused_once_the_target_is_the_writer(zone, control):
    control("target", 3)
    with pytest.raises(RollbackFailed, match=r"writer since epoch 3.*paymig rollback"):
        handler({}, None)
    assert zone.records()["new"]["Weight"] == 60
    assert [message["Subject"] for message in zone.messages()] == ["payments-test: rollback FAILED"]


def test_a_writer_that_moves_before_the_lease_is_taken_keeps_the_traffic(zone, control, monkeypatch):
    listed = zone.route53.list_resource_record_sets

    def meanwhile(**request):
        control("target", 1)
        return listed(**request)

    monkeypatch.setattr(zone.route53, "list_resource_record_sets", meanwhile)
    with pytest.raises(RollbackFailed, match=r"writer since epoch 1.*paymig rollback"):
        handler({}, None)
    assert zone.records()["new"]["Weight"] == 60
    assert not journal().lease().held


def test_a_missing_record_fails_loudly(zone):
    zone.write(zone.records()["old"], action="DELETE")
    with pytest.raises(BrokenPair, match=r"no weighted record old \(found: new\)"):
        handler({}, None)
    assert zone.records()["new"]["Weight"] == 60


def test_a_failed_rollback_fails_even_if_nobody_can_be_told(zone, environment, control):
    control("target", 1)
    environment.setenv("TOPIC_ARN", "arn:aws:sns:us-east-1:111122223333:nowhere")
    with pytest.raises(RollbackFailed):
        handler({}, None)


def test_a_rollback_that_could_not_be_reported_fails_and_can_be_repeated(zone, environment):
    topic = "arn:aws:sns:us-east-1:111122223333:nowhere"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOPIC_ARN", topic)
        with pytest.raises(ClientError):
            handler({}, None)
    assert zone.records()["old"]["Weight"] == 100
    assert handler({}, None)["changed"] is False


def journal(who="arn:aws:iam::111122223333:user/alice"):
    return Journal(clients.client("dynamodb"), os.environ["PAYMIG_JOURNAL_TABLE"], "payments-test", who)


def test_the_journal_tells_who_sent_the_traffic_back_and_why(zone):
    function = SimpleNamespace(invoked_function_arn="arn:aws:lambda:us-east-1:111122223333:function:Rollback")
    handler({"reason": "on call"}, function)
    intent, done = journal().entries()
    assert {intent.who, done.who} == {function.invoked_function_arn}
    assert {(e.verb, e.step, e.why) for e in (intent, done)} == {("rollback", "send the traffic back", "on call")}
    assert (intent.kind, intent.evidence) == ("intent", {"before": "old 40, new 60", "after": "old 100, new 0"})
    assert (done.kind, done.evidence["live"]) == ("done", "old 100, new 0")
    assert intent.token == done.token > 0
    assert not journal().lease().held


def test_the_lease_is_taken_over_from_whoever_holds_it(zone):
    alice = journal()
    with pytest.raises(LeaseLost), hold(alice, "shift") as holding:
        assert handler({}, None)["changed"] is True
        with holding.step("move the traffic"):
            pytest.fail("the lease is the function's")
    assert next((e.verb, e.step) for e in alice.entries()) == ("rollback", "take the lease over")
    assert zone.records()["new"]["Weight"] == 0


@pytest.mark.parametrize(("verb", "fails"), [("rollback", False), ("deploy", True)])
def test_a_rollback_that_another_one_overtakes_leaves_it_to_that_one(zone, monkeypatch, verb, fails):
    """Two alarms, or an alarm and an operator: the one who holds the lease now brings the traffic back."""
    listed = zone.route53.list_resource_record_sets
    reads = []

    def overtaken(**request):
        reads.append(request)
        if len(reads) == 2:
            journal().acquire(verb, over=True)
        return listed(**request)

    monkeypatch.setattr(zone.route53, "list_resource_record_sets", overtaken)
    if fails:
        with pytest.raises(LeaseLost, match="user/alice"):
            handler({}, None)
    else:
        assert handler({}, None)["rolled_back"] is False
    assert journal().lease().verb == verb, "the other's lease was not touched"
    assert [message["Subject"] for message in zone.messages()] == ["payments-test: rollback FAILED"] * fails


class Updating:
    """CloudFormation in the middle of an update that ends after a number of looks, and moves the record on the way."""

    def __init__(self, zone, looks, real):
        self.zone, self.left, self.real = zone, looks, real

    def __getattr__(self, name):
        return getattr(self.real, name)

    def describe_stacks(self, **_):
        self.left -= 1
        if self.left == 1:
            old = self.zone.records()["old"]
            self.zone.write(old | {"Weight": 63}, self.zone.records()["new"] | {"Weight": 37})
        status = "UPDATE_IN_PROGRESS" if self.left > 0 else "UPDATE_ROLLBACK_COMPLETE"
        return {"Stacks": [{"StackId": "arn:of:the:stack", "StackStatus": status}]}

    def get_paginator(self, _):
        return SimpleNamespace(paginate=lambda **_: [{"Summaries": []}])


@pytest.fixture
def update(zone, monkeypatch):
    def begin(looks):
        real = {name: clients.client(name) for name in ("dynamodb", "route53", "sns")}
        updating = Updating(zone, looks, clients.client("cloudformation"))
        monkeypatch.setattr(clients, "client", lambda name: updating if name == "cloudformation" else real[name])

    return begin


def test_an_update_under_way_is_watched_and_what_it_does_undone(zone, update):
    update(looks=4)
    assert handler({}, None)["rolled_back"] is True
    assert {name: record["Weight"] for name, record in zone.records().items()} == {"old": 100, "new": 0}


def test_an_update_that_outlasts_the_function_fails_it_so_that_it_is_called_again(zone, update):
    update(looks=10**9)
    with pytest.raises(RollbackFailed, match="still being updated"):
        handler({}, SimpleNamespace(get_remaining_time_in_millis=lambda: 15_300))
    assert zone.records()["new"]["Weight"] == 0, "the traffic is back all the same"
    assert [message["Subject"] for message in zone.messages()] == [
        "payments-test: rollback done",
        "payments-test: rollback FAILED",
    ]


def test_weights_that_do_not_stay_are_noticed(zone, monkeypatch):
    change = zone.route53.change_resource_record_sets

    def overridden(**request):
        answer = change(**request)
        changed = request["ChangeBatch"]["Changes"][0]["ResourceRecordSet"]
        change(
            HostedZoneId=zone.id,
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {**changed, "Weight": 7}}]},
        )
        return answer

    monkeypatch.setattr(zone.route53, "change_resource_record_sets", overridden)
    with pytest.raises(RollbackFailed, match="'old': 7"):
        handler({}, None)


def sns_event(message):
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": message}}]}


def alarm(state):
    return json.dumps({"AlarmName": "ErrorRate", "NewStateValue": state})


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({}, "asked for by an operator"),
        ({"reason": "on call"}, "on call"),
        (sns_event(alarm("ALARM")), "alarm ErrorRate"),
        (sns_event(alarm("OK")), None),
        (sns_event("All traffic goes to the old API."), None),
        (sns_event("[]"), None),
        ({"Records": []}, None),
        (
            {
                "detail-type": "CloudWatch Alarm State Change",
                "detail": {"alarmName": "Latency", "state": {"value": "ALARM"}},
            },
            "alarm Latency",
        ),
        ({"detail-type": "CloudWatch Alarm State Change", "detail": {"state": {"value": "OK"}}}, None),
        ({"detail-type": "Scheduled Event", "detail": {}}, None),
    ],
)
def test_only_an_operator_or_an_alarm_asks_for_a_rollback(event, why):
    assert reason(event) == why


def test_a_message_that_asks_for_nothing_changes_nothing(zone):
    assert handler(sns_event(alarm("OK")), None)["rolled_back"] is False
    assert zone.records()["new"]["Weight"] == 60
    assert handler(sns_event(alarm("ALARM")), None)["rolled_back"] is True
    assert zone.records()["new"]["Weight"] == 0


@given(st.integers(0, 255), st.integers(0, 255), st.dictionaries(st.sampled_from(["TTL", "HealthCheckId"]), st.text()))
def test_any_pair_goes_back_in_one_batch(old, new, rest):
    pair = Pair(NAME, "A", "old", "new")
    records = {
        side: {**rest, "SetIdentifier": getattr(pair, side), "Weight": w} for side, w in (("old", old), ("new", new))
    }
    changes = way_back(records)
    if (old, new) == (100, 0):
        assert changes == []
        return
    changed = {change["ResourceRecordSet"]["SetIdentifier"]: change["ResourceRecordSet"] for change in changes}
    assert weights(changed) == {"old": 100, "new": 0}
    assert all({**changed[side], "Weight": records[side]["Weight"]} == records[side] for side in records)
