"""Probes of what hangs on another resource: policies, attachments, layers, invocation settings."""

import json

from tests.embedded.contract import FUNCTION, NETWORK, TOPIC, Probe, ref, resource

LAYER_BUCKET, LAYER_KEY = "contract-probe-layers", "layer.zip"
SID = "ContractProbe"
QUEUE = {"Queue": resource("SQS::Queue")}


def _policy(action: str) -> dict:
    statement = {"Sid": SID, "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": action, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _has_sid(policy: str | None) -> bool:
    return any(statement.get("Sid") == SID for statement in json.loads(policy or "{}").get("Statement", []))


def _topic_policies(aws, it):
    arns = [topic["TopicArn"] for topic in aws("sns").list_topics()["Topics"]]
    return [arn for arn in arns if _has_sid(aws("sns").get_topic_attributes(TopicArn=arn)["Attributes"].get("Policy"))]


def _queue_policies(aws, it):
    urls = aws("sqs").list_queues().get("QueueUrls", [])
    found = [aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]) for url in urls]
    return [one for one in found if _has_sid(one.get("Attributes", {}).get("Policy"))]


def _attached_gateways(aws, it):
    gateways = aws("ec2").describe_internet_gateways()["InternetGateways"]
    return [one for gateway in gateways for one in gateway["Attachments"] if one["VpcId"] in it]


def _invocation_settings(aws, it):
    names = [function["FunctionName"] for function in aws("lambda").list_functions()["Functions"]]
    pages = [aws("lambda").list_function_event_invoke_configs(FunctionName=name) for name in names]
    return [one for page in pages for one in page["FunctionEventInvokeConfigs"] if one["MaximumRetryAttempts"] == 1]


PROBES = [
    Probe(
        resource("SNS::TopicPolicy", Topics=[ref("Topic")], PolicyDocument=_policy("sns:Publish")),
        _topic_policies,
        TOPIC,
    ),
    Probe(
        resource("SQS::QueuePolicy", Queues=[ref("Queue")], PolicyDocument=_policy("sqs:SendMessage")),
        _queue_policies,
        QUEUE,
    ),
    Probe(
        resource("EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway")),
        _attached_gateways,
        {"Vpc": NETWORK["Vpc"], "Gateway": resource("EC2::InternetGateway")},
    ),
    Probe(
        resource("Lambda::EventInvokeConfig", FunctionName=ref("F"), Qualifier="$LATEST", MaximumRetryAttempts=1),
        _invocation_settings,
        FUNCTION,
    ),
    Probe(
        resource("Lambda::LayerVersion", Content={"S3Bucket": LAYER_BUCKET, "S3Key": LAYER_KEY}),
        lambda aws, it: aws("lambda").get_layer_version_by_arn(Arn=it)["LayerVersionArn"],
    ),
]
