"""What the cutover needs inside the VPC: the function that reaches both databases."""

from typing import NamedTuple

from troposphere import GetAtt

from compiler import databases, names
from compiler.assets import Assets
from compiler.component import Component, Export
from compiler.components.database import DatabaseExports
from compiler.components.network import NetworkExports
from compiler.components.security import SecurityExports
from compiler.function import Foundations, Place, function, journal_rights, read_secret
from schemas.migration import Migration

_LONGEST = 900  # what Lambda allows at most, in seconds


class ControlExports(NamedTuple):
    """The switchover function."""

    switchover: Export


def control(
    migration: Migration,
    assets: Assets,
    network: NetworkExports,
    security: SecurityExports,
    database: DatabaseExports,
) -> tuple[Component, ControlExports]:
    """Build the switchover function."""
    component = Component("Control", "Moves the writer.", names.tags(migration))
    login = databases.Login(database.endpoint, database.port, database.control_secret, security.secrets_key)
    code = function(
        component,
        "Switchover",
        Foundations(migration, assets, security.data_key, network.logs_key),
        cause="cutover.switchover",
        description="Reaches both databases to move the writer.",
        asset="switchover",
        handler="switchover.handler.handler",
        environment={
            **databases.variables(component, migration, login),
            **databases.admin_variables(component, database.replication_secret),
            "TARGET_API_SECRET_ARN": component.use(database.api_secret),
        },
        rights=[
            *databases.rights(component, login),
            *databases.admin_rights(component, database.replication_secret, security.secrets_key),
            # The new writer is opened to the API's role, whose name stands in its secret.
            *read_secret(component.use(database.api_secret), component.use(security.secrets_key)),
            *journal_rights(migration, moves_the_writer=True),
        ],
        layers=[component.use(database.runtime_layer), component.use(database.certificates_layer)],
        place=Place(network.private_subnets, security.control_group),
        memory=512,
        timeout=_LONGEST,
        # Two at once would each move the writer.
        reserved=1,
        causes=databases.CAUSES,
    )
    return component, ControlExports(component.offer("SwitchoverFunctionArn", GetAtt(code, "Arn")))
