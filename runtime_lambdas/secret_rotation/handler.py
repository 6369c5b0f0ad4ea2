"""Entry point of the rotation: the four steps, each safe to repeat."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from runtime_lambdas.runtime import aws, database, log
from runtime_lambdas.runtime.database import Secret

from .role import RotationFailed, opens, set_password

_PASSWORD_LENGTH = 40
_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"


def handler(event: Mapping[str, str], _context: object) -> None:
    """Run one step (`Step`) of the rotation of a secret (`SecretId`) to a new version (`ClientRequestToken`).

    Raises:
        RotationFailed: The step is unknown, the version is not staged for rotation, or the new login does not work.
    """
    step, arn, version = event["Step"], event["SecretId"], event["ClientRequestToken"]
    if step not in _STEPS:
        raise RotationFailed(f"{step!r} is not a step of a rotation; the steps are {', '.join(_STEPS)}.")
    stages = aws.client("secretsmanager").describe_secret(SecretId=arn)["VersionIdsToStages"].get(version)
    if stages is None or not {_CURRENT, _PENDING} & set(stages):
        raise RotationFailed(
            f"version {version} of {arn} is not staged for rotation. Start one with `aws secretsmanager rotate-secret`."
        )
    if _CURRENT in stages:
        log.info("rotation.already_done", step=step, secret=arn)
        return
    _STEPS[step](arn, version)
    log.info("rotation.step_done", step=step, secret=arn)


def _create(arn: str, version: str) -> None:
    if _has_value(arn, version):
        return  # an earlier attempt got this far; another password would not be the one it may have set
    secrets = aws.client("secretsmanager")
    password = secrets.get_random_password(PasswordLength=_PASSWORD_LENGTH, ExcludePunctuation=True)["RandomPassword"]
    renewed = json.dumps({**database.read_secret(arn), "password": password})
    secrets.put_secret_value(SecretId=arn, ClientRequestToken=version, SecretString=renewed, VersionStages=[_PENDING])


def _has_value(arn: str, version: str) -> bool:
    try:
        answer = aws.client("secretsmanager").get_secret_value(SecretId=arn, VersionId=version, VersionStage=_PENDING)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            return False
        raise
    return "SecretString" in answer


def _set(arn: str, version: str) -> None:
    admin = database.read_secret(os.environ["ADMIN_SECRET_ARN"])
    set_password(database.server("target"), admin, _pending(arn, version))


def _test(arn: str, version: str) -> None:
    login = _pending(arn, version)
    if not opens(database.server("target"), login):
        raise RotationFailed(
            f"the new password of {login['username']} does not open the database; the old one stays current. "
            "The next attempt sets it again: look at this function's log for the reason."
        )


def _finish(arn: str, version: str) -> None:
    secrets = aws.client("secretsmanager")
    stages = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    current = next(known for known, labels in stages.items() if _CURRENT in labels)
    secrets.update_secret_version_stage(
        SecretId=arn, VersionStage=_CURRENT, MoveToVersionId=version, RemoveFromVersionId=current
    )


def _pending(arn: str, version: str) -> Secret:
    answer = aws.client("secretsmanager").get_secret_value(SecretId=arn, VersionId=version, VersionStage=_PENDING)
    secret: Secret = json.loads(answer["SecretString"])
    return secret


_STEPS: Mapping[str, Callable[[str, str], Any]] = {
    "createSecret": _create,
    "setSecret": _set,
    "testSecret": _test,
    "finishSecret": _finish,
}
