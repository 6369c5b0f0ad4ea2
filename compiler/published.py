"""A function behind an alias, kept warm, published anew when its code or settings change."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from troposphere import GetAtt, Ref, Sub
from troposphere.applicationautoscaling import (
    PredefinedMetricSpecification,
    ScalableTarget,
    ScalingPolicy,
    TargetTrackingScalingPolicyConfiguration,
)
from troposphere.awslambda import Alias, Function, ProvisionedConcurrencyConfiguration, Version

from compiler.assets import Assets
from compiler.component import Component
from schemas.migration import Scaling

ALIAS = "live"
NOT_FROZEN = frozenset({"ReservedConcurrentExecutions", "Tags"})
"""The properties of a function that none of its versions holds."""


def publish(component: Component, code: Function, assets: Assets, scaling: Scaling, cause: str) -> Alias:
    """Publish a function and keep it warm.

    Args:
        component: the function's.
        code: the function.
        assets: the code's bundles.
        scaling: how many executions are kept ready.
        cause: the spec path of the function.
    """
    version = component.add(
        Version(
            f"Version{_fingerprint(code, assets)}",
            FunctionName=Ref(code),
            Description="Published because the code or its settings changed.",
            # An earlier version stays, so that the alias can be set back to it.
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
        ),
        cause,
    )
    alias = component.add(
        Alias(
            "Alias",
            Name=ALIAS,
            FunctionName=Ref(code),
            FunctionVersion=GetAtt(version, "Version"),
            ProvisionedConcurrencyConfig=ProvisionedConcurrencyConfiguration(
                ProvisionedConcurrentExecutions=scaling.provisioned.min
            ),
        ),
        cause,
        ProvisionedConcurrencyConfig=f"{cause}.scaling.provisioned.min",
    )
    _keep_warm(component, code, alias, scaling, f"{cause}.scaling.provisioned")
    return alias


def republished(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Publish the function anew when a patch changed what a version freezes: the alias would keep the old settings.

    Args:
        before: the template of the function's component.
        after: the same with the patch.

    Returns:
        The patched template, and the version's new logical id by its old one, if it has a new one.
    """
    old, new = (_frozen(template["Resources"]["Function"]["Properties"]) for template in (before, after))
    if old == new:
        return after, {}
    [version] = (key for key, found in before["Resources"].items() if found["Type"] == Version.resource_type)
    renamed = f"Version{_hash([version, new])}"
    text = json.dumps(after).replace(json.dumps(version), json.dumps(renamed))
    return json.loads(text), {version: renamed}


def _fingerprint(code: Function, assets: Assets) -> str:
    """Hash everything that a published version freezes, and nothing else: Lambda refuses to publish what is unchanged.

    The properties name the layers only by reference, so their content is added.
    """
    layers = [assets.bundles[name].sha256 for name in ("certificates", "runtime")]
    return _hash([_frozen(code.to_dict()["Properties"]), layers])


def _frozen(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if key not in NOT_FROZEN}


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _keep_warm(component: Component, code: Function, alias: Alias, scaling: Scaling, cause: str) -> None:
    provisioned = scaling.provisioned
    target = component.add(
        ScalableTarget(
            "ScalableTarget",
            ServiceNamespace="lambda",
            ScalableDimension="lambda:function:ProvisionedConcurrency",
            ResourceId=Sub(f"function:${{{code.title}}}:{ALIAS}"),
            MinCapacity=provisioned.min,
            MaxCapacity=provisioned.max,
            DependsOn=alias.title,
        ),
        cause,
        MinCapacity=f"{cause}.min",
        MaxCapacity=f"{cause}.max",
    )
    component.add(
        ScalingPolicy(
            "ScalingPolicy",
            PolicyName="Utilisation",
            PolicyType="TargetTrackingScaling",
            ScalingTargetId=Ref(target),
            TargetTrackingScalingPolicyConfiguration=TargetTrackingScalingPolicyConfiguration(
                PredefinedMetricSpecification=PredefinedMetricSpecification(
                    PredefinedMetricType="LambdaProvisionedConcurrencyUtilization"
                ),
                TargetValue=float(provisioned.target / 100),
            ),
        ),
        cause,
        TargetTrackingScalingPolicyConfiguration=f"{cause}.target",
    )
