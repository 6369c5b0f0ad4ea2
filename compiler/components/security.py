"""Keys and security groups: who may read what, and who may talk to whom."""

from typing import Any, NamedTuple

from troposphere import GetAtt
from troposphere.ec2 import SecurityGroup, SecurityGroupEgress, SecurityGroupIngress

from compiler import names, policy
from compiler.component import Component, Export, title
from compiler.components.network import NetworkExports
from compiler.databases import PORT
from schemas.migration import Migration

_ON_PREMISES = "source.network.cidrs"
_ANYWHERE = "0.0.0.0/0"


class SecurityExports(NamedTuple):
    """Keys by class of data, security groups by who stands in them."""

    data_key: Export
    secrets_key: Export
    load_balancer_group: Export
    api_group: Export
    proxy_group: Export
    database_group: Export
    replication_group: Export
    control_group: Export


def security(migration: Migration, network: NetworkExports) -> tuple[Component, SecurityExports]:
    """Build keys and security groups."""
    component = Component("Security", "Keys and security groups.", names.tags(migration))
    data = policy.key(
        component,
        "DataKey",
        cause="security",
        purpose="Encrypts the database, what replication holds, and the functions' variables.",
        via=["dms", "lambda", "rds"],
    )
    secrets = policy.key(
        component,
        "SecretsKey",
        cause="security",
        purpose="Encrypts the databases' credentials.",
        via=["secretsmanager"],
    )
    groups = _Groups(component, component.use(network.vpc))
    balancer = groups.add("LoadBalancer", "The public HTTPS entry.", "load_balancer")
    api = groups.add("Api", "The payments API.", "api")
    proxy = groups.add("Proxy", "The connection pool in front of the database.", "database")
    database = groups.add("Database", "The target database.", "database")
    replication = groups.add("Replication", "The replication engine.", "replication")
    control = groups.add("Control", "Validation, switchover and rotation of secrets.", "cutover")

    groups.open(balancer, _ANYWHERE, 443, "HTTPS of the clients.")
    groups.connect(api, proxy, "Payments to the connection pool.")
    groups.connect(proxy, database, "The connection pool to the database.")
    groups.connect(control, database, "Comparison, switchover and rotation on the target.")
    groups.connect(replication, database, "Replication to the target.")
    endpoints = component.use(network.endpoint_group)
    for group in (api, control, replication):
        groups.send(group, 443, "HTTPS to private endpoints of AWS services.", "Endpoints", group=endpoints)
        groups.send_on_premises(group, migration, "To the source database.")
    for group in (api, control):
        # DynamoDB's gateway endpoint has public addresses, and payments go on to processors outside.
        groups.send(group, 443, "HTTPS to the gateway endpoint of DynamoDB and to processors.", "Https", cidr=_ANYWHERE)
    if migration.replication.engine == "logical":
        groups.send_on_premises(database, migration, "The target subscribes to the source.")
        for index, cidr in enumerate(migration.source.network.cidrs, 1):
            groups.open(database, str(cidr), PORT, "The source subscribes to the target for the way back.", f"{index}")

    return component, SecurityExports(
        data_key=component.offer("DataKeyArn", GetAtt(data, "Arn")),
        secrets_key=component.offer("SecretsKeyArn", GetAtt(secrets, "Arn")),
        **{
            f"{names.snake(title(group))}": component.offer(f"{group.title}Id", GetAtt(group, "GroupId"))
            for group in (balancer, api, proxy, database, replication, control)
        },
    )


class _Groups:
    """Security groups whose rules stand alone, each with the reason it is needed."""

    def __init__(self, component: Component, vpc: Any) -> None:
        self._component = component
        self._vpc = vpc

    def add(self, name: str, description: str, cause: str) -> SecurityGroup:
        return self._component.add(
            SecurityGroup(
                f"{name}Group", GroupDescription=description, VpcId=self._vpc, SecurityGroupEgress=[policy.nowhere()]
            ),
            cause,
        )

    def connect(self, source: SecurityGroup, target: SecurityGroup, reason: str) -> None:
        """Let `source` open database connections to `target`."""
        self.send(source, PORT, reason, title(target), group=GetAtt(target, "GroupId"))
        self._component.add(
            SecurityGroupIngress(
                f"{target.title}From{source.title}",
                GroupId=GetAtt(target, "GroupId"),
                SourceSecurityGroupId=GetAtt(source, "GroupId"),
                IpProtocol="tcp",
                FromPort=PORT,
                ToPort=PORT,
                Description=reason,
            ),
            self._component.causes[title(target)].resource,
        )

    def open(self, group: SecurityGroup, cidr: str, port: int, reason: str, suffix: str = "") -> None:
        """Let addresses reach `group`."""
        self._component.add(
            SecurityGroupIngress(
                f"{group.title}FromNetwork{suffix}",
                GroupId=GetAtt(group, "GroupId"),
                CidrIp=cidr,
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                Description=reason,
            ),
            f"{self._component.causes[title(group)].resource} {_ON_PREMISES} replication.engine",
            CidrIp=_ON_PREMISES,
        )

    def send(
        self,
        source: SecurityGroup,
        port: int,
        reason: str,
        to: str,
        *,
        group: Any = None,
        cidr: str = "",
        also: str = "",
        **causes: str,
    ) -> None:
        """Let `source` reach a group or addresses; `also` is a further cause, `causes` are those of properties."""
        destination: dict[str, Any] = {"CidrIp": cidr} if cidr else {"DestinationSecurityGroupId": group}
        self._component.add(
            SecurityGroupEgress(
                f"{source.title}To{to}",
                GroupId=GetAtt(source, "GroupId"),
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                Description=reason,
                **destination,
            ),
            f"{self._component.causes[title(source)].resource} {also}".strip(),
            **causes,
        )

    def send_on_premises(self, source: SecurityGroup, migration: Migration, reason: str) -> None:
        """Let `source` reach the source database."""
        for index, cidr in enumerate(migration.source.network.cidrs, 1):
            port = migration.source.database.port
            causes = {**dict.fromkeys(("FromPort", "ToPort"), "source.database.port"), "CidrIp": _ON_PREMISES}
            also = f"{_ON_PREMISES} replication.engine"
            self.send(source, port, reason, f"OnPremises{index}", cidr=str(cidr), also=also, **causes)
