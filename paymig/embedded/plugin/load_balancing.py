"""ElasticLoadBalancingV2: targets given in the template."""

from __future__ import annotations

from typing import Any

from paymig.embedded.plugin.resources import Properties, Provisioned, amend
from paymig.embedded.plugin.services import call

_TYPE = "AWS::ElasticLoadBalancingV2::TargetGroup"


def install() -> frozenset[str]:
    """Register a target group's `Targets`; gives the types that call a service while they run."""
    amend(_TYPE, _register_targets)
    return frozenset({_TYPE})


def _register_targets(arn: str, attributes: dict[str, Any], props: Properties) -> Provisioned:
    health = call("elbv2", "DescribeTargetHealth", TargetGroupArn=arn)["TargetHealthDescriptions"]
    wanted = props.get("Targets", [])
    ids = {target["Id"] for target in wanted}
    gone = [entry["Target"] for entry in health if entry["Target"]["Id"] not in ids]
    if gone:
        call("elbv2", "DeregisterTargets", TargetGroupArn=arn, Targets=gone)
    if wanted:
        call("elbv2", "RegisterTargets", TargetGroupArn=arn, Targets=wanted)
    return arn, attributes
