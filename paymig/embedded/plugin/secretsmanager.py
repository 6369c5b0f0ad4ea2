"""Secrets Manager: rotation schedules that really rotate, resource policies, and the ARN as a secret's `Ref`."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import uuid
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType, amend
from paymig.embedded.plugin.services import add_operations, call

if TYPE_CHECKING:
    from collections.abc import Awaitable

_log = logging.getLogger(__name__)
_PRINCIPAL = "secretsmanager.amazonaws.com"
_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class RotationSchedule(ResourceType):
    """When a secret rotates, and by which function; its `Ref` is the secret's ARN."""

    type_name = "AWS::SecretsManager::RotationSchedule"
    immutable = frozenset({"SecretId"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Switch rotation on, and rotate at once unless the template says otherwise."""
        rotated = call(
            "secretsmanager",
            "RotateSecret",
            SecretId=props["SecretId"],
            RotationLambdaARN=props["RotationLambdaARN"],
            RotationRules=props.get("RotationRules", {}),
            RotateImmediately=props.get("RotateImmediatelyOnUpdate", True),
        )
        return rotated["ARN"], {"Id": rotated["ARN"]}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Set the new schedule."""
        return self.create(Place("", ""), new)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Switch rotation off."""
        call("secretsmanager", "CancelRotateSecret", SecretId=physical_id)


class ResourcePolicy(ResourceType):
    """Who may read a secret; its `Ref` is the secret's ARN."""

    type_name = "AWS::SecretsManager::ResourcePolicy"
    immutable = frozenset({"SecretId"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Put the policy."""
        put = call(
            "secretsmanager",
            "PutResourcePolicy",
            SecretId=props["SecretId"],
            ResourcePolicy=json.dumps(props["ResourcePolicy"]),
            BlockPublicPolicy=props.get("BlockPublicPolicy", False),
        )
        return put["ARN"], {"Id": put["ARN"]}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Put the policy again."""
        return self.create(Place("", ""), new)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Remove the policy."""
        call("secretsmanager", "DeleteResourcePolicy", SecretId=physical_id)


def install() -> None:
    """Make `Ref` of a secret its ARN, name it as AWS does, and add rotation by the secret's own function."""
    handlers = host.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    create = handlers["create"]

    def create_named(logical_id: str, props: Properties, stack_name: str) -> Provisioned:
        # Unlike other resources, a secret's generated name does not begin with the stack's.
        made: Provisioned = create(logical_id, {"Name": f"{logical_id}-{uuid.uuid4().hex[:12]}", **props}, stack_name)
        return made

    handlers["create"] = create_named
    amend("AWS::SecretsManager::Secret", _ref_is_arn, _name_of)
    add_operations("secretsmanager", {"RotateSecret": _rotate_in_thread, "CancelRotateSecret": _cancel_rotate_secret})


def _ref_is_arn(_name: str, attributes: dict[str, Any], _props: Properties) -> Provisioned:
    return attributes["Arn"], {"Id": attributes["Arn"]}


def _name_of(arn: str) -> str:
    secrets = host.module("services.secretsmanager")._secrets
    return next((name for name, secret in secrets.items() if secret["ARN"] == arn), arn)


def _secret(request: dict[str, Any]) -> dict[str, Any]:
    secrets = host.module("services.secretsmanager")._secrets
    for name, secret in secrets.items():
        if request["SecretId"] in (name, secret["ARN"]) and not secret.get("DeletedDate"):
            found: dict[str, Any] = secret
            return found
    raise wire.AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")


def _rotate_in_thread(request: dict[str, Any]) -> Awaitable[dict[str, Any]]:
    # It asks the Lambda service, which answers on the event loop.
    return asyncio.to_thread(_rotate_secret, request)


def _rotate_secret(request: dict[str, Any]) -> dict[str, Any]:
    """RotateSecret: the version is pending until the function has gone through the four steps."""
    secret = _secret(request)
    function = request.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    if not function:
        raise wire.AwsError("InvalidRequestException", "You must provide a Lambda function ARN to rotate this secret.")
    if any(version["Stages"] == ["AWSPENDING"] for version in secret["Versions"].values()):
        raise wire.AwsError(
            "InvalidRequestException",
            "A previous rotation isn't complete. That rotation will be reattempted.",
        )
    _require_permission(function)
    secret.update(
        RotationEnabled=True,
        RotationLambdaARN=function,
        RotationRules=request.get("RotationRules") or secret.get("RotationRules") or {},
    )
    answer = {"ARN": secret["ARN"], "Name": secret["Name"]}
    if not request.get("RotateImmediately", True):
        return answer
    token = request.get("ClientRequestToken") or str(uuid.uuid4())
    for version in secret["Versions"].values():
        # A label stands at one version: the last rotation left it at the one that it made current.
        version["Stages"] = [label for label in version["Stages"] if label != "AWSPENDING"]
    secret["Versions"][token] = {
        "SecretString": None,
        "SecretBinary": None,
        "CreatedDate": int(time.time()),
        "Stages": ["AWSPENDING"],
    }
    # Rotation goes on after the answer, on a thread that keeps the request's account and region.
    steps = (copy_context().run, _run_steps, function, secret["ARN"], token)
    threading.Thread(target=steps[0], args=steps[1:], daemon=True, name=f"rotate-{token}").start()
    return {**answer, "VersionId": token}


def _require_permission(function: str) -> None:
    """As on AWS, the function's own policy must let Secrets Manager call it."""
    try:
        policy = call("lambda", "GetPolicy", FunctionName=function)["Policy"]
    except wire.AwsError:
        policy = ""
    if _PRINCIPAL not in policy:
        raise wire.AwsError(
            "AccessDeniedException",
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy "
            f"grants access to the principal {_PRINCIPAL}.",
        )


def _run_steps(function: str, secret_arn: str, token: str) -> None:
    for step in _STEPS:
        event = {"Step": step, "SecretId": secret_arn, "ClientRequestToken": token}
        try:
            invoked = call("lambda", "Invoke", FunctionName=function, Payload=json.dumps(event).encode())
        except wire.AwsError as problem:
            _log.warning("rotation of %s: %s was not invoked: %s", secret_arn, step, problem)
            return
        if invoked.get("FunctionError"):
            # As on AWS the pending version stays, for the next attempt and for whoever looks.
            _log.warning("rotation of %s: %s failed: %s", secret_arn, step, invoked["FunctionError"])
            return


def _cancel_rotate_secret(request: dict[str, Any]) -> dict[str, Any]:
    """CancelRotateSecret."""
    secret = _secret(request)
    secret["RotationEnabled"] = False
    for version in secret["Versions"].values():
        if "AWSPENDING" in version["Stages"] and "AWSCURRENT" not in version["Stages"]:
            version["Stages"].remove("AWSPENDING")
    return {"ARN": secret["ARN"], "Name": secret["Name"]}


TYPES: tuple[ResourceType, ...] = (RotationSchedule(), ResourcePolicy())
