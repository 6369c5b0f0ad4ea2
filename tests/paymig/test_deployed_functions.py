"""Every function, invoked where it was deployed: its own zip, layer, environment and role, in the embedded AWS."""

import json

import pytest

from paymig.aws import stack, weights
from paymig.aws.weights import Weights
from paymig.deploy import record_of


@pytest.fixture
def outputs(deploy, spec):
    return deploy(spec).outputs


def invoke(stage, arn: str, event: dict) -> tuple[bool, dict]:
    """Invoke a function; tell whether it raised, and what it answered."""
    answer = stage.aws.client("lambda").invoke(FunctionName=arn, Payload=json.dumps(event))
    return "FunctionError" in answer, json.loads(answer["Payload"].read())


def test_every_function_answers(stage, spec, outputs):
    record = record_of(spec.migration)

    weights.write(stage.aws, record, Weights.to_new(50))
    raised, answer = invoke(stage, outputs["RollbackFunctionArn"], {"reason": "a test"})
    assert not raised, answer
    assert weights.read(stage.aws, record) == Weights(100, 0)
    assert not invoke(stage, outputs["RollbackFunctionArn"], {})[0], "going back twice is no error"

    raised, answer = invoke(stage, outputs["SwitchoverFunctionArn"], {"action": "status"})
    assert not raised, answer
    assert (answer["writer"], answer["epoch"]) == ("source", 0)
    raised, answer = invoke(stage, outputs["SwitchoverFunctionArn"], {"action": "open sesame"})
    assert raised
    assert "open sesame" in answer["errorMessage"]

    # Aurora is represented by its API alone: there is no target to compare with, and that must not pass for equal.
    raised, answer = invoke(stage, outputs["ValidationFunctionArn"], {"full": True})
    assert raised
    assert outputs["ClusterEndpoint"] in answer["errorMessage"]

    health = {"httpMethod": "GET", "path": "/health", "headers": {}, "queryStringParameters": {}, "body": ""}
    raised, answer = invoke(stage, outputs["ApiAliasArn"], health)
    assert not raised
    assert (answer["statusCode"], json.loads(answer["body"])["writer"]) == (200, "source")


def test_the_rotation_function_is_deployed_and_refuses_what_is_not_staged(stage, spec, outputs):
    database = stack.nested(stage.aws, spec.migration.full_name)["Database"]
    found = {r.logical_id: r.physical_id for r in stack.resources(stage.aws, database)}
    event = {"Step": "createSecret", "SecretId": found["ApiSecret"], "ClientRequestToken": "1" * 32}
    raised, answer = invoke(stage, found["SecretRotation"], event)
    assert raised
    assert "not staged" in answer["errorMessage"]
