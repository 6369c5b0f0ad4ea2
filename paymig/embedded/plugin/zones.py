"""Availability zones: as many as the region really has; ministack has three everywhere."""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.services import add_operations
from schemas.checks.aws_limits import ZONES

_USUAL = 3


def install() -> None:
    """Answer `Fn::GetAZs` and EC2."""
    engine = host.module("services.cloudformation.engine")
    stock = engine._resolve_refs

    def resolve(value: Any, *rest: Any) -> Any:
        if isinstance(value, dict) and value.keys() == {"Fn::GetAZs"}:
            region = stock(value["Fn::GetAZs"], *rest) or host.region()
            return _names() if region == host.region() else []
        return stock(value, *rest)

    engine._resolve_refs = resolve
    add_operations("ec2", {"DescribeAvailabilityZones": _describe})


def _names() -> list[str]:
    region = host.region()
    return [region + letter for letter in ascii_lowercase[: ZONES.get(region, _USUAL)]]


def _describe(request: dict[str, Any]) -> dict[str, Any]:
    wanted = request.get("ZoneNames", _names())
    for name in wanted:
        if name not in _names():
            raise wire.AwsError("InvalidParameterValue", f"Invalid availability zone: [{name}]")
    to_id = host.module("services.ec2")._az_id_for_zone_name
    return {
        "AvailabilityZones": [
            {
                "ZoneName": name,
                "ZoneId": to_id(name),
                "State": "available",
                "RegionName": host.region(),
                "ZoneType": "availability-zone",
                "OptInStatus": "opt-in-not-required",
            }
            for name in wanted
        ]
    }
