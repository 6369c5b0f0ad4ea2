"""The lists an assessor asks for, read off the linked templates."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from compiler.evidence.reachability import matrix, rules
from compiler.linked import STACK, Resource, literal, references
from compiler.plan.differences import keyed
from compiler.plan.wording import worded

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)

Where = Callable[[Resource], str]
"""Says which line of the spec a resource comes from: `specs/payments.yaml:24`."""


@dataclass(frozen=True)
class Inventory:
    """One list.

    Attributes:
        purpose: which requirements it serves.
        rows: as many cells each as there are columns.
    """

    title: str
    purpose: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def inventories(resources: Mapping[str, Resource], where: Where) -> tuple[Inventory, ...]:
    """Make every inventory."""
    return (
        Inventory(
            "Components in scope",
            "12.5.1",
            ("Component", "Type", "Owner", "Line of the spec"),
            tuple(_components(resources, where)),
        ),
        Inventory(
            "Keys",
            "3.6.1, 3.7.4, 3.7.5, 4.2.1.1",
            ("Key", "Purpose", "Kind", "Rotation", "Deletion window", "Used by"),
            tuple(_keys(resources)),
        ),
        Inventory(
            "Certificates",
            "4.2.1.1",
            ("Where", "Certificate", "Identity"),
            tuple(_certificates(resources)),
        ),
        Inventory(
            "Cipher policies and protocols",
            "4.2.1, 12.3.3",
            ("Where", "Connection or store", "Setting"),
            tuple(_ciphers(resources)),
        ),
        Inventory(
            "Security group rules",
            "1.2.5",
            ("Group", "Direction", "Peer", "Ports", "Reason", "Rule"),
            tuple(
                (rule.group, "in" if rule.inbound else "out", rule.peer, str(rule.ports), rule.description, rule.place)
                for rule in sorted(rules(resources), key=lambda rule: (rule.group, not rule.inbound, rule.peer))
            ),
        ),
        Inventory(
            "Who may reach whom",
            "1.3.1, 1.3.2, 11.4.5",
            ("From", "To", "Ports"),
            tuple(
                (source, target, ", ".join(str(one) for one in ports))
                for (source, target), ports in matrix(resources).items()
            ),
        ),
    )


def _components(resources: Mapping[str, Resource], where: Where) -> Iterator[tuple[str, ...]]:
    for place, resource in sorted(resources.items()):
        if resource.type != STACK:
            tags = keyed(resource.properties.get("Tags", {}))
            yield (
                place,
                resource.type,
                worded(tags.get("Owner", "")) if isinstance(tags, Mapping) else "",
                where(resource),
            )


def _keys(resources: Mapping[str, Resource]) -> Iterator[tuple[str, ...]]:
    for place, key in _of_type(resources, "AWS::KMS::Key"):
        users = sorted(other.place for other in resources.values() if place in set(references(dict(other.properties))))
        rotation = literal(key.get("EnableKeyRotation", False)) == "true"
        yield (
            place,
            worded(key.get("Description", "")),
            worded(key.get("KeySpec", "SYMMETRIC_DEFAULT")),
            f"every {worded(key.get('RotationPeriodInDays', 365))} days" if rotation else "none",
            f"{worded(key.get('PendingWindowInDays', 30))} days",
            ", ".join(users),
        )


def _certificates(resources: Mapping[str, Resource]) -> Iterator[tuple[str, ...]]:
    for place, certificate in _of_type(resources, "AWS::CertificateManager::Certificate"):
        names = [certificate["DomainName"], *certificate.get("SubjectAlternativeNames", [])]
        yield place, "public, renewed by AWS", ", ".join(worded(name) for name in names)
    for place, certificate in _of_type(resources, "AWS::DMS::Certificate"):
        for fingerprint in _fingerprints(certificate.get("CertificatePem")):
            yield place, "authority trusted by replication", f"SHA-256 {fingerprint}"
    for place, instance in _of_type(resources, "AWS::RDS::DBInstance"):
        yield (
            place,
            "authority of the database server",
            worded(instance.get("CACertificateIdentifier", "AWS's default")),
        )


def _fingerprints(pem: Any) -> Iterator[str]:
    for body in _PEM.findall(pem if isinstance(pem, str) else ""):
        yield hashlib.sha256(base64.b64decode(body)).hexdigest()


def _ciphers(resources: Mapping[str, Resource]) -> Iterator[tuple[str, ...]]:
    for place, listener in _of_type(resources, "AWS::ElasticLoadBalancingV2::Listener"):
        yield place, f"clients, {worded(listener.get('Protocol', ''))}", worded(listener.get("SslPolicy", "none"))
    for place, proxy in _of_type(resources, "AWS::RDS::DBProxy"):
        yield place, "API to connection pool", f"TLS required: {worded(proxy.get('RequireTLS', False))}"
    for place, group in _of_type(resources, "AWS::RDS::DBClusterParameterGroup"):
        forced = group.get("Parameters", {}).get("rds.force_ssl", "not set")
        yield place, "database connections", f"rds.force_ssl {worded(forced)}"
    for place, endpoint in _of_type(resources, "AWS::DMS::Endpoint"):
        name = f"replication, {worded(endpoint.get('EndpointType', ''))}"
        yield place, name, f"SSL mode {worded(endpoint.get('SslMode', 'none'))}"
    for place, bucket in _of_type(resources, "AWS::S3::Bucket"):
        for rule in bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [{}]):
            algorithm = rule.get("ServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "AWS's default")
            yield place, "stored objects", worded(algorithm)


def _of_type(resources: Mapping[str, Resource], type_: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for place, resource in sorted(resources.items()):
        if resource.type == type_:
            yield place, resource.properties
