"""RDS: proxies, and endpoints that lead to a real PostgreSQL server."""

from __future__ import annotations

import json
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from paymig.embedded.plugin import host
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType, amend
from paymig.embedded.plugin.services import call, call_with

if TYPE_CHECKING:
    from paymig.embedded.seed import DatabaseEndpoint


_CLUSTER = "AWS::RDS::DBCluster"


class DbProxy(ResourceType):
    """A proxy; its `Ref` is its name."""

    type_name = "AWS::RDS::DBProxy"
    tagged = True
    immutable = frozenset(
        {"DBProxyName", "EngineFamily", "EndpointNetworkType", "TargetConnectionNetworkType", "VpcSubnetIds"}
    )

    def __init__(self, database: DatabaseEndpoint | None) -> None:
        self._database = database

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the proxy."""
        name = call_with("rds", "CreateDBProxy", props)["DBProxy"]["DBProxyName"]
        if self._database:
            host.module("services.rds")._db_proxies[name]["Endpoint"] = self._database.host
        return self._result(name)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change what may change in place."""
        groups = {"SecurityGroups": new["VpcSecurityGroupIds"]} if "VpcSecurityGroupIds" in new else {}
        call_with("rds", "ModifyDBProxy", new, **groups)
        return self._result(physical_id)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the proxy."""
        call("rds", "DeleteDBProxy", DBProxyName=physical_id)

    @staticmethod
    def _result(name: str) -> Provisioned:
        proxy = call("rds", "DescribeDBProxies", DBProxyName=name)["DBProxies"][0]
        return name, {key: proxy.get(key, "") for key in ("DBProxyArn", "Endpoint", "VpcId")}


class DbProxyTargetGroup(ResourceType):
    """What stands behind a proxy, and its connection pool; its `Ref` is the group's ARN."""

    type_name = "AWS::RDS::DBProxyTargetGroup"
    immutable = frozenset({"DBProxyName", "TargetGroupName"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Set the pool up and register the targets."""
        arn = self._set_pool(props)
        self._register(props)
        return arn, {"TargetGroupArn": arn}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Set the pool up anew, and exchange targets that changed."""
        arn = self._set_pool(new)
        if self._targets(old) != self._targets(new):
            self._deregister(old)
            self._register(new)
        return arn, {"TargetGroupArn": arn}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Deregister the targets; the default group itself goes with its proxy."""
        self._deregister(props)

    @staticmethod
    def _targets(props: Properties) -> dict[str, Any]:
        return {key: props[key] for key in ("DBClusterIdentifiers", "DBInstanceIdentifiers") if props.get(key)}

    def _register(self, props: Properties) -> None:
        if self._targets(props):
            call("rds", "RegisterDBProxyTargets", **self._key(props), **self._targets(props))

    def _deregister(self, props: Properties) -> None:
        if self._targets(props):
            call("rds", "DeregisterDBProxyTargets", **self._key(props), **self._targets(props))

    @staticmethod
    def _key(props: Properties) -> dict[str, str]:
        return {"DBProxyName": props["DBProxyName"], "TargetGroupName": props.get("TargetGroupName", "default")}

    def _set_pool(self, props: Properties) -> str:
        pool = props.get("ConnectionPoolConfigurationInfo")
        change = {"ConnectionPoolConfig": pool} if pool else {}
        modified = call("rds", "ModifyDBProxyTargetGroup", **self._key(props), **change)
        return str(modified["DBProxyTargetGroup"]["TargetGroupArn"])


class DbProxyEndpoint(ResourceType):
    """A further endpoint of a proxy, such as one that reads only; its `Ref` is its name."""

    type_name = "AWS::RDS::DBProxyEndpoint"
    tagged = True
    immutable = frozenset({"DBProxyName", "DBProxyEndpointName", "EndpointNetworkType", "VpcSubnetIds"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the endpoint."""
        made = call_with("rds", "CreateDBProxyEndpoint", props)["DBProxyEndpoint"]
        return self._result(made)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change the security groups."""
        changed = call_with("rds", "ModifyDBProxyEndpoint", new, DBProxyEndpointName=physical_id)
        return self._result(changed["DBProxyEndpoint"])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the endpoint."""
        call("rds", "DeleteDBProxyEndpoint", DBProxyEndpointName=physical_id)

    @staticmethod
    def _result(endpoint: dict[str, Any]) -> Provisioned:
        attributes = {key: endpoint.get(key, "") for key in ("DBProxyEndpointArn", "Endpoint", "VpcId")}
        return endpoint["DBProxyEndpointName"], {**attributes, "IsDefault": "false"}


def install(database: DatabaseEndpoint | None) -> frozenset[str]:
    """Lead endpoints to `database`, where one is given, and let clusters have their managed master secret.

    Returns:
        The types that call a service while they run.
    """
    rds = host.module("services.rds")

    def cluster(name: str, attributes: dict[str, Any], props: Properties) -> Provisioned:
        record = rds._clusters[name]
        extra: dict[str, Any] = {}
        if database:
            record.update(Endpoint=database.host, ReaderEndpoint=database.host, Port=database.port)
            extra = {
                "Endpoint.Address": database.host,
                "Endpoint.Port": str(database.port),
                "ReadEndpoint.Address": database.host,
            }
        if str(props.get("ManageMasterUserPassword", "")).lower() == "true":
            if not record.get("MasterUserSecret"):
                record["MasterUserSecret"] = _master_secret(props, database, record["DBClusterArn"])
            extra["MasterUserSecret.SecretArn"] = record["MasterUserSecret"]["SecretArn"]
        return name, {**attributes, **extra}

    def forget_secret(name: str) -> None:
        secret = rds._clusters.get(name, {}).get("MasterUserSecret")
        if secret:
            call(
                "secretsmanager",
                "DeleteSecret",
                SecretId=secret["SecretArn"],
                ForceDeleteWithoutRecovery=True,
            )

    def instance(name: str, attributes: dict[str, Any], _props: Properties) -> Provisioned:
        if database is None:
            return name, attributes
        rds._instances[name]["Endpoint"].update(Address=database.host, Port=database.port)
        address = {"Endpoint.Address": database.host, "Endpoint.Port": str(database.port)}
        return name, {**attributes, **address}

    amend(_CLUSTER, cluster, cleanup=forget_secret)
    amend("AWS::RDS::DBInstance", instance)
    return frozenset({_CLUSTER})


def _master_secret(props: Properties, database: DatabaseEndpoint | None, cluster: str) -> dict[str, str]:
    login = {"username": props.get("MasterUsername", "postgres"), "password": secrets.token_urlsafe(24)}
    if database and database.username:
        login = {"username": database.username, "password": database.password}
    key = {"KmsKeyId": key} if (key := props.get("MasterUserSecret", {}).get("KmsKeyId")) else {}
    made = call(
        "secretsmanager",
        "CreateSecret",
        Name=f"rds!cluster-{uuid.uuid4()}",
        SecretString=json.dumps(login),
        ClientRequestToken=str(uuid.uuid4()),
        Tags=[
            {"Key": "aws:secretsmanager:owningService", "Value": "rds"},
            {"Key": "aws:rds:primaryDBClusterArn", "Value": cluster},
        ],
        **key,
    )
    return {"SecretArn": made["ARN"], "SecretStatus": "active", **key}


def types(database: DatabaseEndpoint | None) -> tuple[ResourceType, ...]:
    """The types of this file."""
    return DbProxy(database), DbProxyTargetGroup(), DbProxyEndpoint()
