"""The components and what flows between them: the explicit list. The order of the stacks follows from it."""

from collections.abc import Mapping
from typing import NamedTuple

from compiler.assets import Assets
from compiler.component import Component, Export
from compiler.components.api import Ground, api
from compiler.components.control import control
from compiler.components.database import database
from compiler.components.load_balancer import load_balancer
from compiler.components.monitoring import monitoring
from compiler.components.network import network
from compiler.components.replication import replication
from compiler.components.route import route
from compiler.components.routing import routing
from compiler.components.security import security
from compiler.components.validation import validation
from schemas.migration import Migration

_SECTIONS: Mapping[str, str] = {
    "network": "network",
    "security": "security",
    "database": "database",
    "api": "api",
    "load_balancer": "load_balancer",
    "replication": "replication",
    "routing": "routing",
    "monitoring": "monitoring",
    "validation": "validation",
    "control": "cutover",
}


def sections(migration: Migration) -> Mapping[str, str]:
    """Return the components by template name, each with the section of the spec it comes from."""
    routes = {f"api_{name.replace('-', '_')}": f"api.routes.{name}" for name in migration.api.routes}
    return {**_SECTIONS, **routes}


class Assembly(NamedTuple):
    """The components, each after those it depends on, and what the root offers: several values make one list."""

    components: tuple[Component, ...]
    outputs: Mapping[str, tuple[Export, ...]]


def assemble(migration: Migration, assets: Assets) -> Assembly:
    """Build every component of a migration and wire it.

    Raises:
        Refusal: a component can't be built from this spec.
    """
    c_network, vpc = network(migration)
    c_security, safe = security(migration, vpc)
    c_database, data = database(migration, assets, vpc, safe)
    c_api, code = api(migration, assets, vpc, safe, data)
    c_balancer, edge = load_balancer(migration, vpc, safe, code)
    c_replication, engine = replication(migration, assets, vpc, safe, data)
    c_routing, record = routing(migration, edge)
    c_monitoring, watch = monitoring(migration, vpc, data, code, edge, engine)
    c_validation, check = validation(migration, assets, vpc, safe, data, record, watch)
    c_control, steer = control(migration, assets, vpc, safe, data, engine)
    ground = Ground(vpc, safe, data)
    routes = [route(migration, name, assets, ground, edge, watch) for name in sorted(migration.api.routes)]
    outputs: dict[str, tuple[Export, ...]] = {
        "AlarmNames": (watch.alarms, check.alarms),
        "ApiAliasArn": (code.alias,),
        "ClusterEndpoint": (data.endpoint,),
        "ComparisonBucket": (watch.comparisons,),
        "ComparisonStateMachineArn": (check.machine,),
        "DashboardName": (watch.dashboard,),
        "LoadBalancerDnsName": (edge.dns_name,),
        "LoadBalancerHostedZoneId": (edge.hosted_zone,),
        "LoadBalancerName": (edge.full_name,),
        "RecordName": (record.record,),
        "RollbackAlarmArn": (watch.rollback_alarm,),
        "RollbackFunctionArn": (check.rollback,),
        "SwitchoverFunctionArn": (steer.switchover,),
        "SwitchoverStateMachineArn": (steer.machine,),
        "TopicArn": (watch.topic,),
        "ValidationFunctionArn": (check.validation,),
    }
    if engine.task is not None:
        outputs["ReplicationTaskArn"] = (engine.task,)
    if engine.follow is not None:
        outputs["FollowTaskArn"] = (engine.follow,)
    if engine.reverse is not None:
        outputs["ReverseTaskArn"] = (engine.reverse,)
    components = (
        c_network,
        c_security,
        c_database,
        c_api,
        c_balancer,
        c_replication,
        c_routing,
        c_monitoring,
        c_validation,
        c_control,
        *routes,
    )
    return Assembly(components, outputs)
