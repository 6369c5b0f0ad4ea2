"""Every resource type and service this plugin adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paymig.embedded.plugin import (
    autoscaling,
    cloudtrail,
    cloudwatch,
    code_signing,
    codedeploy,
    databases,
    direct_connect,
    dms,
    drift,
    ec2_network,
    ec2_private_lines,
    functions,
    load_balancing,
    log_groups,
    map_runs,
    nested,
    nested_changes,
    route53,
    route53resolver,
    secretsmanager,
    stack_policies,
    storage,
    wafv2,
    zones,
)
from paymig.embedded.plugin.resources import register

if TYPE_CHECKING:
    from paymig.embedded.seed import Seed


def install(seed: Seed) -> frozenset[str]:
    """Register everything; gives the names of the types that wait for services while they run."""
    ec2_private_lines.TransitGateways(seed.transit_gateways).install()
    direct_connect.DirectConnect(seed.direct_connect_gateways).install()
    autoscaling.install()
    cloudwatch.install()
    code_signing.install()
    codedeploy.install()
    dms.install()
    drift.install()
    log_groups.install()
    map_runs.install()
    nested.install()
    nested_changes.install()
    route53.install()
    route53resolver.install()
    secretsmanager.install()
    stack_policies.install()
    wafv2.install()
    zones.install()
    amended = load_balancing.install() | storage.install() | databases.install(seed.database_endpoint)
    amended |= functions.install(seed.execution_environments)
    types = (
        nested.NestedStack(),
        *autoscaling.TYPES,
        *cloudtrail.TYPES,
        *cloudwatch.TYPES,
        *code_signing.TYPES,
        *codedeploy.TYPES,
        *databases.types(seed.database_endpoint),
        *direct_connect.TYPES,
        *dms.TYPES,
        *ec2_network.TYPES,
        *ec2_private_lines.TYPES,
        *route53.TYPES,
        *route53resolver.TYPES,
        *secretsmanager.TYPES,
        *wafv2.TYPES,
    )
    register(*types)
    return amended | {kind.type_name for kind in types}
