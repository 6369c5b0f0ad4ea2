"""ElasticLoadBalancingV2: targets given in the template, and the metrics of what is answered."""

from __future__ import annotations

from typing import Any

from paymig.embedded.plugin import host
from paymig.embedded.plugin.resources import Properties, Provisioned, amend
from paymig.embedded.plugin.services import call

_FAILURE = 500
_OWN = (502, 504)  # a Lambda target that fails is the balancer's 502
_TYPE = "AWS::ElasticLoadBalancingV2::TargetGroup"


def install() -> frozenset[str]:
    """Register a target group's `Targets`; gives the types that call a service while they run."""
    amend(_TYPE, _register_targets)
    _count_answers()
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


def _count_answers() -> None:
    """Publish what CloudWatch counts of a load balancer: requests, and the failures of the targets and of its own."""
    balancing = host.module("services.alb")
    answer = balancing.dispatch_request

    async def counted(balancer: dict[str, Any], *given: Any, **named: Any) -> Any:
        response = await answer(balancer, *given, **named)
        status, arn = int(response[0]), str(balancer["LoadBalancerArn"])
        _, _, _, region, account, name = arn.split(":", 5)
        metrics = ["RequestCount"]
        if status >= _FAILURE:
            metrics.append("HTTPCode_ELB_5XX_Count" if status in _OWN else "HTTPCode_Target_5XX_Count")
        with host.module("core.responses").request_scope(account, region):
            for metric in metrics:
                host.module("services.cloudwatch").record_metric(
                    "AWS/ApplicationELB", metric, 1, "Count", {"LoadBalancer": name.removeprefix("loadbalancer/")}
                )
        return response

    balancing.dispatch_request = counted
