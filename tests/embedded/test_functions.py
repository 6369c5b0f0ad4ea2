"""Functions really run: behind a load balancer by their alias, and to rotate a secret."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from paymig.embedded.process import EmbeddedAws
from paymig.embedded.seed import Seed
from tests.embedded.contract import BALANCER, FUNCTION, ROLE, SECRET, att, ref, resource
from tests.embedded.stack import Stack

ROTATOR = """
import boto3, json

def handler(event, context):
    client = boto3.client("secretsmanager")
    secret, token = event["SecretId"], event["ClientRequestToken"]
    if event["Step"] == "createSecret":
        client.put_secret_value(
            SecretId=secret,
            ClientRequestToken=token,
            SecretString=json.dumps({"password": "rotated"}),
            VersionStages=["AWSPENDING"],
        )
    if event["Step"] == "finishSecret":
        versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
"""


def test_a_load_balancer_reaches_an_alias(aws, deploy) -> None:
    others = {name: BALANCER[name] for name in ("Vpc", "A", "B", "Balancer", "Listener")}
    resources = {
        **others,
        **FUNCTION,
        "May": resource(
            "Lambda::Permission",
            FunctionName=ref("Live"),
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
        ),
        "Target": resource(
            "ElasticLoadBalancingV2::TargetGroup", after=("May",), TargetType="lambda", Targets=[{"Id": ref("Live")}]
        ),
    }
    stack = deploy(resources, Host=att("Balancer", "DNSName"))
    assert stack.status == "CREATE_COMPLETE", stack.failures()
    with aws.alb_request("GET", stack.outputs["Host"], "/health") as response:
        assert (response.status, response.read()) == (200, b"pong")
    targets = aws.client("elbv2").describe_target_health(TargetGroupArn=stack.ref("Target"))["TargetHealthDescriptions"]
    assert [target["Target"]["Id"] for target in targets] == [stack.ref("Live")]


def test_rotation_runs_the_four_steps(aws, deploy) -> None:
    resources = {
        **SECRET,
        **ROLE,
        "F": resource(
            "Lambda::Function",
            Runtime="python3.11",
            Handler="index.handler",
            Timeout=20,
            Role=att("Role", "Arn"),
            Code={"ZipFile": ROTATOR},
        ),
        "May": resource(
            "Lambda::Permission",
            FunctionName=ref("F"),
            Action="lambda:InvokeFunction",
            Principal="secretsmanager.amazonaws.com",
        ),
        "It": resource(
            "SecretsManager::RotationSchedule",
            after=("May",),
            SecretId=ref("Secret"),
            RotationLambdaARN=att("F", "Arn"),
            RotationRules={"AutomaticallyAfterDays": 30},
        ),
    }
    stack = deploy(resources)
    assert stack.status == "CREATE_COMPLETE", stack.failures()
    client = aws.client("secretsmanager")
    deadline = time.monotonic() + 30
    while (value := client.get_secret_value(SecretId=stack.ref("Secret"))["SecretString"]) and "rotated" not in value:
        assert time.monotonic() < deadline, value
        time.sleep(0.05)
    assert json.loads(value) == {"password": "rotated"}
    previous = client.get_secret_value(SecretId=stack.ref("Secret"), VersionStage="AWSPREVIOUS")
    assert json.loads(previous["SecretString"])["username"] == "app"


def test_rotation_needs_the_permission(deploy) -> None:
    rotation = resource("SecretsManager::RotationSchedule", SecretId=ref("Secret"), RotationLambdaARN=att("F", "Arn"))
    stack = deploy({**SECRET, **FUNCTION, "It": rotation})
    assert stack.status == "ROLLBACK_COMPLETE"
    assert "grants access to the principal secretsmanager.amazonaws.com" in "".join(stack.failures())


SLOW = """
import os, time

BORN = time.time()

def handler(event, context):
    time.sleep(0.05)
    return {"process": os.getpid(), "born": BORN}
"""


def test_a_version_has_so_many_environments_and_all_are_warm() -> None:
    function = {**FUNCTION["F"], "Properties": {**FUNCTION["F"]["Properties"], "Code": {"ZipFile": SLOW}}}
    with EmbeddedAws(seed=Seed(execution_environments=3)) as aws:
        stack = Stack(aws, "bounded")
        assert stack.apply({**FUNCTION, "F": function}) == "CREATE_COMPLETE", stack.failures()
        published = time.time()
        lambdas = aws.client("lambda")

        def invoke(_: int) -> dict:
            answer = lambdas.invoke(FunctionName=stack.ref("Live"))
            return json.loads(answer["Payload"].read())

        with ThreadPoolExecutor(9) as pool:
            answers = list(pool.map(invoke, range(27)))
        assert len({answer["process"] for answer in answers}) == 3  # more requests than that wait for one
        assert max(answer["born"] for answer in answers) < published
