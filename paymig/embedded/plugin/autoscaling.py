"""Application Auto Scaling: the service, which ministack lacks, and its resource types."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import add_service, call_with

_SERVICE = "application-autoscaling"
_KEY = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class _Service:
    def __init__(self) -> None:
        self._targets = host.store()
        self._policies = host.store()

    def install(self) -> None:
        add_service(
            _SERVICE,
            {
                "RegisterScalableTarget": self.register,
                "DeregisterScalableTarget": self.deregister,
                "DescribeScalableTargets": self.describe_targets,
                "PutScalingPolicy": self.put_policy,
                "DeleteScalingPolicy": self.delete_policy,
                "DescribeScalingPolicies": self.describe_policies,
            },
        )

    def register(self, request: dict[str, Any]) -> dict[str, Any]:
        key = _key(request)
        record = self._targets.get(key) or {
            **{name: request[name] for name in _KEY},
            "ScalableTargetARN": host.arn(_SERVICE, f"scalable-target/{uuid.uuid4().hex[:20]}"),
            "RoleARN": f"arn:aws:iam::{host.account_id()}:role/aws-service-role/{_SERVICE}",
            "CreationTime": datetime.now(UTC),
        }
        changes = {name: value for name, value in request.items() if name != "Tags"}
        if "MinCapacity" not in {**record, **changes} or "MaxCapacity" not in {**record, **changes}:
            raise wire.AwsError("ValidationException", "MinCapacity and MaxCapacity are required")
        self._targets[key] = {**record, **changes}
        return {"ScalableTargetARN": record["ScalableTargetARN"]}

    def deregister(self, request: dict[str, Any]) -> dict[str, Any]:
        self._require_target(request)
        del self._targets[_key(request)]
        for name in [name for name in self._policies if name[1:] == _key(request)]:
            del self._policies[name]
        return {}

    def describe_targets(self, request: dict[str, Any]) -> dict[str, Any]:
        ids = request.get("ResourceIds")
        return {
            "ScalableTargets": [
                target
                for target in self._targets.values()
                if target["ServiceNamespace"] == request["ServiceNamespace"]
                and (not ids or target["ResourceId"] in ids)
                and request.get("ScalableDimension") in (None, target["ScalableDimension"])
            ]
        }

    def put_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        self._require_target(request)
        key = (request["PolicyName"], *_key(request))
        resource = f"{request['ServiceNamespace']}/{request['ResourceId']}"
        name = f"scalingPolicy:{uuid.uuid4()}:resource/{resource}:policyName/{request['PolicyName']}"
        current = self._policies.get(key) or {
            "PolicyARN": host.arn("autoscaling", name),
            "CreationTime": datetime.now(UTC),
            "Alarms": [],
        }
        self._policies[key] = {**current, **request}
        return {"PolicyARN": current["PolicyARN"], "Alarms": []}

    def delete_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        key = (request["PolicyName"], *_key(request))
        if key not in self._policies:
            raise wire.AwsError("ObjectNotFoundException", f"No scaling policy found for {', '.join(key)}")
        del self._policies[key]
        return {}

    def describe_policies(self, request: dict[str, Any]) -> dict[str, Any]:
        names = request.get("PolicyNames")
        return {
            "ScalingPolicies": [
                policy
                for policy in self._policies.values()
                if policy["ServiceNamespace"] == request["ServiceNamespace"]
                and (not names or policy["PolicyName"] in names)
                and request.get("ResourceId") in (None, policy["ResourceId"])
                and request.get("ScalableDimension") in (None, policy["ScalableDimension"])
            ]
        }

    def _require_target(self, request: dict[str, Any]) -> None:
        if _key(request) not in self._targets:
            raise wire.AwsError(
                "ObjectNotFoundException",
                f"No scalable target registered for service namespace: {request['ServiceNamespace']}, "
                f"resource ID: {request['ResourceId']}, scalable dimension: {request['ScalableDimension']}",
            )


def _key(request: dict[str, Any]) -> tuple[str, str, str]:
    return request["ServiceNamespace"], request["ResourceId"], request["ScalableDimension"]


class ScalableTarget(ResourceType):
    """What scales, and between which bounds; its `Ref` is "resource|dimension|namespace"."""

    type_name = "AWS::ApplicationAutoScaling::ScalableTarget"
    immutable = frozenset(_KEY)

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Register the target."""
        tags = {tag["Key"]: tag["Value"] for tag in props.get("Tags", ())}  # the API takes a map, the template a list
        call_with(_SERVICE, "RegisterScalableTarget", props, Tags=tags)
        target_id = "|".join(props[name] for name in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
        return target_id, {"Id": target_id}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change the bounds."""
        return self.create(Place("", ""), new)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Deregister the target."""
        call_with(_SERVICE, "DeregisterScalableTarget", props)


class ScalingPolicy(ResourceType):
    """How a target scales; its `Ref` is the policy's ARN."""

    type_name = "AWS::ApplicationAutoScaling::ScalingPolicy"
    immutable = frozenset({"PolicyName", "ScalingTargetId", *_KEY})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Put the policy."""
        arn = call_with(_SERVICE, "PutScalingPolicy", self._with_target(props))["PolicyARN"]
        return arn, {"Arn": arn}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Put the policy again, under the same ARN."""
        return self.create(Place("", ""), new)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the policy."""
        call_with(_SERVICE, "DeleteScalingPolicy", self._with_target(props))

    @staticmethod
    def _with_target(props: Properties) -> Properties:
        target = props.get("ScalingTargetId")
        if not target:
            return props
        parts = target.split("|")
        return {**props, **dict(zip(("ResourceId", "ScalableDimension", "ServiceNamespace"), parts, strict=True))}


def install() -> None:
    """Add the service."""
    _Service().install()


TYPES: tuple[ResourceType, ...] = (ScalableTarget(), ScalingPolicy())
