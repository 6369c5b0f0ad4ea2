"""The AWS::DMS resource types."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from paymig.embedded.plugin import wire
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import call, call_with

_POLL_SECONDS = 0.05
_SETTLE_SECONDS = 30


class _DmsResource(ResourceType):
    """A type whose handlers are the service's create, modify and delete operations.

    Attributes:
        noun: The middle of the operations' names, and the member their results hold.
        reference: The field `Ref` gives, which also addresses the resource in later calls.
        identifier: The property that is generated where the template has none.
        status: The field that says when the resource is ready to be used, with the words that mean it is.
    """

    tagged = True
    noun: ClassVar[str]
    reference: ClassVar[str]
    identifier: ClassVar[str] = ""
    status: ClassVar[str] = ""
    settled: ClassVar[tuple[str, ...]] = ()
    attributes: ClassVar[dict[str, str]] = {}

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the resource and wait until it is ready."""
        named = {self.identifier: self._name(place, props)} if self.identifier else {}
        made = self._call("Create", props, **named)
        return self._settled(made[self.reference])

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Modify the resource and wait until it is ready again."""
        self._call("Modify", new, **{self.reference: physical_id})
        return self._settled(physical_id)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the resource."""
        call("dms", f"Delete{self.noun}", **{self.reference: physical_id})

    def api(self, props: Properties) -> Properties:
        """The properties under the names the API has for them."""
        return props

    def _name(self, place: Place, props: Properties) -> str:
        return str(props.get(self.identifier) or place.name(63)).lower()

    def _call(self, verb: str, props: Properties, **more: Any) -> dict[str, Any]:
        result: dict[str, Any] = call_with("dms", f"{verb}{self.noun}", self.api(props), **more)[self.noun]
        return result

    def _settled(self, reference: str) -> Provisioned:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            record = self._describe(reference)
            if not self.status or record[self.status] in self.settled:
                shown = {name: _text(record.get(field, "")) for name, field in self.attributes.items()}
                return reference, shown
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.type_name} {reference} did not stabilise: {record[self.status]}")
            time.sleep(_POLL_SECONDS)

    def _describe(self, reference: str) -> dict[str, Any]:
        records = call("dms", f"Describe{self.noun}s")[f"{self.noun}s"]
        for record in records:
            if record[self.reference] == reference:
                found: dict[str, Any] = record
                return found
        raise wire.AwsError("ResourceNotFoundFault", f"{self.noun} {reference} not found.")


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


class SubnetGroup(_DmsResource):
    """Its `Ref` is its name."""

    type_name = "AWS::DMS::ReplicationSubnetGroup"
    immutable = frozenset({"ReplicationSubnetGroupIdentifier"})
    noun = "ReplicationSubnetGroup"
    reference = identifier = "ReplicationSubnetGroupIdentifier"


class Instance(_DmsResource):
    """Its `Ref` is its ARN."""

    type_name = "AWS::DMS::ReplicationInstance"
    immutable = frozenset(
        {"KmsKeyId", "ResourceIdentifier", "DnsNameServers", "ReplicationSubnetGroupIdentifier", "PubliclyAccessible"}
    )
    noun = "ReplicationInstance"
    reference = "ReplicationInstanceArn"
    identifier = "ReplicationInstanceIdentifier"
    status = "ReplicationInstanceStatus"
    settled = ("available",)
    attributes: ClassVar[dict[str, str]] = {
        "ReplicationInstancePrivateIpAddresses": "ReplicationInstancePrivateIpAddresses",
        "ReplicationInstancePublicIpAddresses": "ReplicationInstancePublicIpAddresses",
    }


class Endpoint(_DmsResource):
    """Its `Ref` is its ARN."""

    type_name = "AWS::DMS::Endpoint"
    immutable = frozenset({"KmsKeyId", "ResourceIdentifier"})
    noun = "Endpoint"
    reference = "EndpointArn"
    identifier = "EndpointIdentifier"
    attributes: ClassVar[dict[str, str]] = {"ExternalId": "ExternalId"}

    def api(self, props: Properties) -> Properties:
        """CloudFormation spells the PostgreSQL settings in its own way."""
        renamed = {name: value for name, value in props.items() if name != "PostgreSqlSettings"}
        settings = props.get("PostgreSqlSettings")
        return {**renamed, "PostgreSQLSettings": settings} if settings else renamed


class Task(_DmsResource):
    """Its `Ref` is its ARN; CloudFormation creates tasks and never starts them."""

    type_name = "AWS::DMS::ReplicationTask"
    immutable = frozenset(
        {"ResourceIdentifier", "TargetEndpointArn", "ReplicationInstanceArn", "SourceEndpointArn", "MigrationType"}
    )
    noun = "ReplicationTask"
    reference = "ReplicationTaskArn"
    identifier = "ReplicationTaskIdentifier"
    status = "Status"
    settled = ("ready", "stopped", "failed")


class Config(_DmsResource):
    """Its `Ref` is its ARN."""

    type_name = "AWS::DMS::ReplicationConfig"
    immutable = frozenset({"ResourceIdentifier"})
    noun = "ReplicationConfig"
    reference = "ReplicationConfigArn"
    identifier = "ReplicationConfigIdentifier"
    attributes: ClassVar[dict[str, str]] = {"ReplicationConfigArn": "ReplicationConfigArn"}


class Certificate(ResourceType):
    """Its `Ref` is its ARN."""

    type_name = "AWS::DMS::Certificate"

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Import the certificate."""
        name = props.get("CertificateIdentifier") or place.name(63).lower()
        made = call_with("dms", "ImportCertificate", props, CertificateIdentifier=name)
        return made["Certificate"]["CertificateArn"], {}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the certificate."""
        call("dms", "DeleteCertificate", CertificateArn=physical_id)


class Subscription(ResourceType):
    """Its `Ref` is its name."""

    type_name = "AWS::DMS::EventSubscription"
    tagged = True
    immutable = frozenset({"SubscriptionName", "SourceIds"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Subscribe the topic."""
        name = props.get("SubscriptionName") or place.name(63).lower()
        call_with("dms", "CreateEventSubscription", props, SubscriptionName=name)
        return name, {}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change what is sent and to which topic."""
        call_with("dms", "ModifyEventSubscription", new, SubscriptionName=physical_id)
        return physical_id, {}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the subscription."""
        call("dms", "DeleteEventSubscription", SubscriptionName=physical_id)


TYPES: tuple[ResourceType, ...] = (
    SubnetGroup(),
    Instance(),
    Endpoint(),
    Task(),
    Config(),
    Certificate(),
    Subscription(),
)
