"""A second fence around the tier of the databases, which asks no security group."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from typing import NamedTuple

from troposphere import Ref
from troposphere.ec2 import VPC, NetworkAcl, NetworkAclEntry, PortRange, Subnet, SubnetNetworkAclAssociation

from compiler.component import Component
from compiler.databases import PORT
from schemas.migration import Migration

_ANSWERS = (1024, 65535)
_TCP = 6


class _Rule(NamedTuple):
    """Traffic that may pass: from or to a network, on these ports."""

    outbound: bool
    network: IPv4Network
    ports: tuple[int, int]


def isolate(
    component: Component,
    migration: Migration,
    vpc: VPC,
    subnets: Sequence[Subnet],
    private: IPv4Network,
    isolated: IPv4Network,
) -> None:
    """Let the databases' tier speak with the functions' tier and itself, and with nobody else.

    Args:
        component: the network's component.
        migration: the spec.
        vpc: the VPC.
        subnets: the subnets of the databases' tier.
        private: every address the functions' tier has or will have.
        isolated: every address the databases' tier has or will have.
    """
    fence = component.add(NetworkAcl("IsolatedAcl", VpcId=Ref(vpc)), "network")
    for number, rule in enumerate(_rules(migration, private, isolated), 1):
        component.add(
            NetworkAclEntry(
                f"IsolatedAclEntry{number}",
                NetworkAclId=Ref(fence),
                RuleNumber=number * 10,
                Protocol=_TCP,
                Egress=rule.outbound,
                RuleAction="allow",
                CidrBlock=str(rule.network),
                PortRange=PortRange(From=rule.ports[0], To=rule.ports[1]),
            ),
            "network replication.engine source.network.cidrs",
            CidrBlock="network.cidr source.network.cidrs",
            PortRange="source.database.port source.network.cidrs",
        )
    for subnet in subnets:
        component.add(
            SubnetNetworkAclAssociation(f"{subnet.title}Acl", SubnetId=Ref(subnet), NetworkAclId=Ref(fence)), "network"
        )


def _rules(migration: Migration, private: IPv4Network, isolated: IPv4Network) -> Iterator[_Rule]:
    # An access list knows no connections: each rule needs one for the answers.
    yield _Rule(False, private, (PORT, PORT))
    yield _Rule(True, private, _ANSWERS)
    yield _Rule(False, isolated, _ANSWERS)
    yield _Rule(True, isolated, _ANSWERS)
    if migration.replication.engine == "logical":
        source = migration.source.database.port
        for network in migration.source.network.cidrs:
            yield _Rule(False, network, (PORT, PORT))
            yield _Rule(True, network, _ANSWERS)
            yield _Rule(True, network, (source, source))
            yield _Rule(False, network, _ANSWERS)
