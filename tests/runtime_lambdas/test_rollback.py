import json
from itertools import count

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from runtime_lambdas.rollback import handler as rollback
from runtime_lambdas.rollback.handler import RollbackFailed, handler
from runtime_lambdas.rollback.records import BrokenPair, Pair, way_back, weights
from runtime_lambdas.rollback.trigger import reason
from runtime_lambdas.runtime import aws as clients

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
    monkeypatch.setattr(rollback, "PATIENCE", -1.0)
    with pytest.raises(RollbackFailed, match="did not report it in sync"):
        handler({}, None)


def test_a_rollback_is_refused_once_the_target_is_the_writer(zone, control):
    control("target", 3)
    with pytest.raises(RollbackFailed, match=r"writer since epoch 3.*paymig rollback"):
        handler({}, None)
    assert zone.records()["new"]["Weight"] == 60
    assert [message["Subject"] for message in zone.messages()] == ["payments-test: rollback FAILED"]


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
