"""DMS: endpoints, and the test of the connection from an instance to each."""

from __future__ import annotations

import json
from contextlib import closing
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import psycopg2

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.dms.records import Records, new_arn, not_found, shown, wrong_state

if TYPE_CHECKING:
    from paymig.embedded.plugin.dms.instances import Certificates, Instances

_SECRET_FIELDS = {"host": "host", "port": "port", "dbname": "dbname", "username": "user", "password": "password"}
_CONNECT_SECONDS = 5


class Endpoints:
    """Operations on endpoints and connections."""

    def __init__(self, instances: Instances, certificates: Certificates) -> None:
        self._instances = instances
        self._certificates = certificates
        self.endpoints = Records(
            "Endpoint",
            "EndpointArn",
            {
                "endpoint-arn": "EndpointArn",
                "endpoint-id": "EndpointIdentifier",
                "endpoint-type": "EndpointType",
                "engine-name": "EngineName",
            },
            identifier="EndpointIdentifier",
        )
        self.connections = Records(
            "Connection",
            "_Key",
            {"endpoint-arn": "EndpointArn", "replication-instance-arn": "ReplicationInstanceArn"},
        )

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateEndpoint; verify-ca and verify-full need a certificate that was imported."""
        self._check_certificate(request)
        record = {
            "SslMode": "none",
            **{
                name: value for name, value in request.items() if name not in ("Password", "Tags", "ResourceIdentifier")
            },
            "EndpointIdentifier": request["EndpointIdentifier"].lower(),
            "EndpointType": request["EndpointType"].upper(),
            "EngineDisplayName": request["EngineName"],
            "EndpointArn": new_arn("endpoint"),
            "Status": "active",
            "_Password": request.get("Password"),
        }
        return {"Endpoint": self.endpoints.add(record)}

    def modify(self, request: dict[str, Any]) -> dict[str, Any]:
        """ModifyEndpoint; connections have to be tested again."""
        record = self.endpoints.get(request["EndpointArn"])
        changed = {**record, **request}
        self._check_certificate(changed)
        record.update({name: value for name, value in request.items() if name not in ("Password", "ExactSettings")})
        record["_Password"] = request.get("Password", record["_Password"])
        record["EndpointType"] = record["EndpointType"].upper()
        self._forget_connections(record["EndpointArn"])
        return {"Endpoint": shown(record)}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteEndpoint."""
        self._forget_connections(request["EndpointArn"])
        return {"Endpoint": self.endpoints.remove(request["EndpointArn"])}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeEndpoints."""
        return {"Endpoints": self.endpoints.select(request)}

    def test(self, request: dict[str, Any]) -> dict[str, Any]:
        """TestConnection: log in to the database, as the replication instance would."""
        instance = self._instances.instances.get(request["ReplicationInstanceArn"])
        if str(instance["ReplicationInstanceStatus"]) != "available":
            raise wrong_state("Replication instance must be available to test a connection")
        endpoint = self.endpoints.get(request["EndpointArn"])
        key = f"{instance['ReplicationInstanceArn']} {endpoint['EndpointArn']}"
        if any(record["_Key"] == key for record in self.connections.all()):
            self.connections.remove(key)
        failure = _failure_to_connect(endpoint)
        record = {
            "ReplicationInstanceArn": instance["ReplicationInstanceArn"],
            "ReplicationInstanceIdentifier": instance["ReplicationInstanceIdentifier"],
            "EndpointArn": endpoint["EndpointArn"],
            "EndpointIdentifier": endpoint["EndpointIdentifier"],
            "Status": "failed" if failure else "successful",
            "LastFailureMessage": failure,
            "_Key": key,
        }
        return {"Connection": {**self.connections.add(record), "Status": "testing"}}

    def describe_connections(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeConnections."""
        return {"Connections": self.connections.select(request)}

    def delete_connection(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteConnection."""
        key = f"{request['ReplicationInstanceArn']} {request['EndpointArn']}"
        return {"Connection": self.connections.remove(key)}

    def tested(self, instance_arn: str, endpoint_arn: str) -> bool:
        """Whether the latest test of this pair succeeded."""
        key = f"{instance_arn} {endpoint_arn}"
        return any(record["_Key"] == key and record["Status"] == "successful" for record in self.connections.all())

    def _forget_connections(self, endpoint_arn: str) -> None:
        for record in self.connections.all():
            if record["EndpointArn"] == endpoint_arn:
                self.connections.remove(record["_Key"])

    def _check_certificate(self, request: dict[str, Any]) -> None:
        if request.get("CertificateArn"):
            self._certificates.certificates.get(request["CertificateArn"])
        elif request.get("SslMode") in ("verify-ca", "verify-full"):
            raise wire.AwsError(
                "InvalidParameterCombinationException",
                f"Certificate ARN is required for SSL mode {request['SslMode']}",
            )


def connect(endpoint: dict[str, Any]) -> Any:
    """Connect to an endpoint's PostgreSQL database.

    Raises:
        psycopg2.Error: What PostgreSQL or the network said.
        wire.AwsError: When the endpoint's secret is missing or its host is not on this machine.
    """
    settings = endpoint.get("PostgreSQLSettings", {})
    target = {
        "host": endpoint.get("ServerName") or settings.get("ServerName"),
        "port": endpoint.get("Port") or settings.get("Port"),
        "dbname": endpoint.get("DatabaseName") or settings.get("DatabaseName"),
        "user": endpoint.get("Username") or settings.get("Username"),
        "password": endpoint.get("_Password") or settings.get("Password"),
    }
    if settings.get("SecretsManagerSecretId"):
        secret = _secret(settings["SecretsManagerSecretId"])
        target.update({_SECRET_FIELDS[name]: value for name, value in secret.items() if name in _SECRET_FIELDS})
    if not _on_this_machine(str(target["host"])):
        raise wire.AwsError(
            "ConnectionRefused", f"{target['host']} is not on this machine, and nothing else can be reached"
        )
    # The certificate of a server on this machine proves nothing more than its address does.
    return psycopg2.connect(
        **{name: value for name, value in target.items() if value is not None},
        sslmode="prefer",
        connect_timeout=_CONNECT_SECONDS,
    )


def _on_this_machine(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _failure_to_connect(endpoint: dict[str, Any]) -> str | None:
    try:
        with closing(connect(endpoint)):
            return None
    except (psycopg2.Error, wire.AwsError) as problem:
        reason = " ".join(str(problem).split())
        return (
            "Test Endpoint failed: Application-Status: 1020912, Application-Message: Cannot connect to ODBC "
            f"provider Network error has occurred, Application-Detailed-Message: {reason}"
        )


def _secret(secret_id: str) -> dict[str, Any]:
    for name, secret in host.module("services.secretsmanager")._secrets.items():
        if secret_id in (name, secret["ARN"]):
            for version in secret["Versions"].values():
                if "AWSCURRENT" in version["Stages"]:
                    value: dict[str, Any] = json.loads(version["SecretString"])
                    return value
    raise not_found(f"Secret {secret_id} not found")
