"""A route of the API: a function of its own for the requests to some paths, with all that belongs to it.

Each is a stack of its own, so a growing spec adds stacks and moves nothing from one to another.
"""

from troposphere import GetAtt, Ref
from troposphere.elasticloadbalancingv2 import (
    Condition,
    ListenerRule,
    ListenerRuleAction,
    PathPatternConfig,
)

from compiler import names
from compiler.alarms import Alarms
from compiler.assets import Assets, route_asset
from compiler.component import Component
from compiler.components.api import Ground, serving
from compiler.components.load_balancer import LoadBalancerExports
from compiler.components.monitoring import MonitoringExports
from compiler.published import publish
from compiler.target_group import target_group
from schemas.migration import Migration
from schemas.routes import priority


def route(
    migration: Migration,
    name: str,
    assets: Assets,
    ground: Ground,
    load_balancer: LoadBalancerExports,
    monitoring: MonitoringExports,
) -> Component:
    """Build one route."""
    given, cause = migration.api.routes[name], f"api.routes.{name}"
    component = Component(
        "Api" + "".join(part.capitalize() for part in name.split("-")),
        f"The route {name} of the payments API.",
        names.tags(migration),
        kind="Api",
    )
    asset = route_asset(migration, name)
    code = serving(
        component, migration, assets, ground, given, asset, cause=cause, description=f"The route {name} of the API."
    )
    alias = publish(component, code, assets, given.scaling, cause)
    # An alias's Ref is its ARN.
    target = target_group(component, Ref(alias), cause)
    component.add(
        ListenerRule(
            "Rule",
            ListenerArn=component.use(load_balancer.listener),
            Priority=priority(name),
            Conditions=[Condition(Field="path-pattern", PathPatternConfig=PathPatternConfig(Values=list(given.paths)))],
            Actions=[ListenerRuleAction(Type="forward", TargetGroupArn=Ref(target))],
        ),
        cause,
        Conditions=f"{cause}.paths",
    )
    Alarms(component, migration, component.use(monitoring.topic)).of_function(
        Ref(code),
        {
            "LoadBalancer": component.use(load_balancer.full_name),
            "TargetGroup": GetAtt(target, "TargetGroupFullName"),
        },
        cause,
    )
    return component
