"""The payments API: a function behind an alias, kept warm, published anew when its code or settings change."""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from troposphere import Ref
from troposphere.awslambda import Function

from compiler import databases, names
from compiler.assets import Assets
from compiler.component import Component, Export
from compiler.components.database import DatabaseExports
from compiler.components.network import NetworkExports
from compiler.components.security import SecurityExports
from compiler.function import Foundations, Place, function
from compiler.published import publish
from schemas.migration import Api, Migration, Route


class Ground(NamedTuple):
    """What a function that serves requests stands on."""

    network: NetworkExports
    security: SecurityExports
    database: DatabaseExports


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
    ground = Ground(network, security, database)
    code = serving(
        component, migration, assets, ground, migration.api, "api", cause="api", description="The payments API."
    )
    alias = publish(component, code, assets, migration.api.scaling, "api")
    return component, ApiExports(
        function=component.offer("FunctionName", Ref(code)),
        # An alias's Ref is its ARN.
        alias=component.offer("AliasArn", Ref(alias)),
    )


def serving(
    component: Component,
    migration: Migration,
    assets: Assets,
    ground: Ground,
    given: Api | Route,
    asset: str,
    *,
    cause: str,
    description: str,
) -> Function:
    """Add a function that serves requests: it reaches both databases, by the API's role."""
    security, database = ground.security, ground.database
    login = databases.Login(database.proxy_endpoint, database.port, database.api_secret, security.secrets_key)
    own: Mapping[str, str] = {
        "Code": f"{cause}.code",
        "Handler": f"{cause}.handler",
        "MemorySize": f"{cause}.memory",
        "ReservedConcurrentExecutions": f"{cause}.scaling.reserved",
        "Timeout": f"{cause}.timeout",
    }
    return function(
        component,
        "Function",
        Foundations(migration, assets, security.data_key, ground.network.logs_key),
        cause=cause,
        description=description,
        asset=asset,
        handler=given.handler,
        environment={
            **databases.variables(component, migration, login),
            "PAYMIG_PAUSE_BUDGET": f"{migration.cutover.switchover.pause_budget.total_seconds():g}",
        },
        rights=databases.rights(component, login),
        layers=[component.use(database.runtime_layer), component.use(database.certificates_layer)],
        place=Place(ground.network.private_subnets, security.api_group),
        memory=given.memory // 2**20,
        timeout=given.timeout // timedelta(seconds=1),
        reserved=given.scaling.reserved,
        causes={
            **own,
            "Environment.Variables.PAYMIG_PAUSE_BUDGET": "cutover.switchover.pause_budget",
            **databases.CAUSES,
        },
    )
