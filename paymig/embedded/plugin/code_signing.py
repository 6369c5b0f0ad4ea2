"""Lambda: code-signing configurations."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import add_operations, call, call_with


class _Configurations:
    def __init__(self) -> None:
        self._store = host.store()

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        config_id = f"csc-{secrets.token_hex(9)[:17]}"
        arn = host.arn("lambda", f"code-signing-config:{config_id}")
        self._store[arn] = {
            "Description": "",
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"},
            **{name: value for name, value in request.items() if name != "Tags"},
            "CodeSigningConfigId": config_id,
            "CodeSigningConfigArn": arn,
        }
        return self._dated(arn)

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        arn = request["CodeSigningConfigArn"]
        if arn not in self._store:
            raise wire.AwsError(
                "ResourceNotFoundException",
                f"The code signing configuration cannot be found. Check that the provided ARN is correct: {arn}",
                404,
            )
        return {"CodeSigningConfig": self._store[arn]}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        self.get(request)["CodeSigningConfig"].update(request)
        return self._dated(request["CodeSigningConfigArn"])

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        self.get(request)
        del self._store[request["CodeSigningConfigArn"]]
        return {}

    def list(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"CodeSigningConfigs": list(self._store.values())}

    def _dated(self, arn: str) -> dict[str, Any]:
        self._store[arn]["LastModified"] = datetime.now(UTC).isoformat()
        return {"CodeSigningConfig": self._store[arn]}


class CodeSigningConfig(ResourceType):
    """Its `Ref` is its ARN."""

    type_name = "AWS::Lambda::CodeSigningConfig"
    tagged = True
    immutable = frozenset[str]()

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the configuration."""
        return self._result(call_with("lambda", "CreateCodeSigningConfig", _without_tags(props)))

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change publishers, policies and description."""
        return self._result(
            call_with("lambda", "UpdateCodeSigningConfig", _without_tags(new), CodeSigningConfigArn=physical_id)
        )

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the configuration."""
        call("lambda", "DeleteCodeSigningConfig", CodeSigningConfigArn=physical_id)

    @staticmethod
    def _result(answer: dict[str, Any]) -> Provisioned:
        config = answer["CodeSigningConfig"]
        attributes = {name: config[name] for name in ("CodeSigningConfigArn", "CodeSigningConfigId")}
        return config["CodeSigningConfigArn"], attributes


def _without_tags(props: Properties) -> Properties:
    return {name: value for name, value in props.items() if name != "Tags"}


def install() -> None:
    """Add the operations to the service."""
    configurations = _Configurations()
    add_operations(
        "lambda",
        {
            "CreateCodeSigningConfig": configurations.create,
            "GetCodeSigningConfig": configurations.get,
            "UpdateCodeSigningConfig": configurations.update,
            "DeleteCodeSigningConfig": configurations.delete,
            "ListCodeSigningConfigs": configurations.list,
        },
    )


TYPES: tuple[ResourceType, ...] = (CodeSigningConfig(),)
