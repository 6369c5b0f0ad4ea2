"""The payments API: a function behind an alias, kept warm, published anew when its code or settings change."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from troposphere import GetAtt, Ref, Sub
from troposphere.applicationautoscaling import (
    PredefinedMetricSpecification,
    ScalableTarget,
    ScalingPolicy,
    TargetTrackingScalingPolicyConfiguration,
)
from troposphere.awslambda import Alias, Function, ProvisionedConcurrencyConfiguration, Version

from compiler import databases, names
from compiler.assets import Assets
from compiler.component import Component, Export
from compiler.components.database import DatabaseExports
from compiler.components.network import NetworkExports
from compiler.components.security import SecurityExports
from compiler.function import Foundations, Place, function
from schemas.migration import Migration

ALIAS = "live"
_NOT_FROZEN = frozenset({"ReservedConcurrentExecutions", "Tags"})


class ApiExports(NamedTuple):
    """The function, and the alias that takes the traffic."""

    function: Export
    alias: Export


def api(
    migration: Migration,
    assets: Assets,
    network: NetworkExports,
    security: SecurityExports,
    database: DatabaseExports,
) -> tuple[Component, ApiExports]:
    """Build the payments API."""
    component = Component("Api", "The payments API.", names.tags(migration))
    login = databases.Login(database.proxy_endpoint, database.port, database.api_secret, security.secrets_key)
    code = function(
        component,
        "Function",
        Foundations(migration, assets, security.data_key, network.logs_key),
        cause="api",
        description="The payments API.",
        asset="api",
        handler=migration.api.handler,
        environment={
            **databases.variables(component, migration, login),
            "PAYMIG_PAUSE_BUDGET": f"{migration.cutover.switchover.pause_budget.total_seconds():g}",
        },
        rights=databases.rights(component, login),
        layers=[component.use(database.runtime_layer), component.use(database.certificates_layer)],
        place=Place(network.private_subnets, security.api_group),
        memory=migration.api.memory // 2**20,
        timeout=migration.api.timeout // timedelta(seconds=1),
        reserved=migration.api.scaling.reserved,
        causes={
            "Code": "api.code",
            "Handler": "api.handler",
            "MemorySize": "api.memory",
            "ReservedConcurrentExecutions": "api.scaling.reserved",
            "Timeout": "api.timeout",
            "Environment.Variables.PAYMIG_PAUSE_BUDGET": "cutover.switchover.pause_budget",
            **databases.CAUSES,
        },
    )
    version = component.add(
        Version(
            f"Version{_fingerprint(code, assets)}",
            FunctionName=Ref(code),
            Description="Published because the code or its settings changed.",
            # An earlier version stays, so that the alias can be set back to it.
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
        ),
        "api",
    )
    alias = component.add(
        Alias(
            "Alias",
            Name=ALIAS,
            FunctionName=Ref(code),
            FunctionVersion=GetAtt(version, "Version"),
            ProvisionedConcurrencyConfig=ProvisionedConcurrencyConfiguration(
                ProvisionedConcurrentExecutions=migration.api.scaling.provisioned.min
            ),
        ),
        "api",
        ProvisionedConcurrencyConfig="api.scaling.provisioned.min",
    )
    _scaling(component, migration, code, alias)
    return component, ApiExports(
        function=component.offer("FunctionName", Ref(code)),
        # An alias's Ref is its ARN.
        alias=component.offer("AliasArn", Ref(alias)),
    )


def republished(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Publish the function anew when a patch changed what a version freezes: the alias would keep the old settings.

    Args:
        before: the API's template.
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
    return {key: value for key, value in properties.items() if key not in _NOT_FROZEN}


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _scaling(component: Component, migration: Migration, code: Function, alias: Alias) -> None:
    provisioned = migration.api.scaling.provisioned
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
        "api.scaling.provisioned",
        MinCapacity="api.scaling.provisioned.min",
        MaxCapacity="api.scaling.provisioned.max",
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
        "api.scaling.provisioned",
        TargetTrackingScalingPolicyConfiguration="api.scaling.provisioned.target",
    )
