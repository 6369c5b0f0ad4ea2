"""Who may reach whom on which port, read off the security groups."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import product
from typing import Any

from compiler.linked import Resource, literal, references
from compiler.plan.wording import worded

ANYWHERE = "any address"
_ANY = ("0.0.0.0/0", "::/0")
_GROUP = "AWS::EC2::SecurityGroup"
_SIDES = {"SecurityGroupIngress": True, "SecurityGroupEgress": False}
_PEERS = (
    "CidrIp",
    "CidrIpv6",
    "SourceSecurityGroupId",
    "DestinationSecurityGroupId",
    "SourcePrefixListId",
    "DestinationPrefixListId",
)
_LOOPBACK = ip_network("127.0.0.0/8")


@dataclass(frozen=True)
class Ports:
    """Ports of a protocol, both ends included; the protocol "all" has every port."""

    protocol: str
    first: int
    last: int

    def __str__(self) -> str:
        if self.protocol == "all":
            return "all"
        if (self.first, self.last) == (0, 65535) or self.first == -1:
            return self.protocol
        return f"{self.protocol} {self.first}" + (f"-{self.last}" if self.last != self.first else "")

    def both(self, other: "Ports") -> "Ports | None":
        """Return the ports that both allow, None for none."""
        if "all" in (self.protocol, other.protocol):
            return other if self.protocol == "all" else self
        first, last = max(self.first, other.first), min(self.last, other.last)
        return Ports(self.protocol, first, last) if self.protocol == other.protocol and first <= last else None


@dataclass(frozen=True)
class Rule:
    """One rule of a security group.

    Attributes:
        place: the resource it stands in.
        path: its property path there, empty for a resource of its own.
        group: place of the group it belongs to.
        inbound: whether it lets in.
        peer: place of another group, a CIDR, or a prefix list.
    """

    place: str
    path: str
    group: str
    inbound: bool
    peer: str
    ports: Ports
    description: str

    @property
    def open(self) -> bool:
        """Whether the peer is the whole internet."""
        return self.peer in _ANY


def rules(resources: Mapping[str, Resource]) -> tuple[Rule, ...]:
    """Read every rule, those inside a group and those of their own; the peer 127.0.0.1 means nobody and is left out."""
    return tuple(rule for resource in resources.values() for rule in _rules(resource) if not _nobody(rule.peer))


def _rules(resource: Resource) -> Iterator[Rule]:
    kind = resource.type.rpartition("::")[2]
    if kind in _SIDES:
        group = next(references(resource.properties.get("GroupId")), worded(resource.properties.get("GroupId")))
        yield from _rule(resource, "", group, _SIDES[kind], resource.properties)
    elif resource.type == _GROUP:
        for side, inbound in _SIDES.items():
            for index, entry in enumerate(resource.properties.get(side, ())):
                yield from _rule(resource, f"{side}/{index}", resource.place, inbound, entry)


def _rule(resource: Resource, path: str, group: str, inbound: bool, entry: Mapping[str, Any]) -> Iterator[Rule]:
    protocol = {"-1": "all"}.get(literal(entry.get("IpProtocol", "-1")), literal(entry.get("IpProtocol", "-1")))
    ports = Ports(protocol, _port(entry.get("FromPort"), 0), _port(entry.get("ToPort"), 65535))
    for key in _PEERS:
        if key in entry:
            peer = next(references(entry[key]), worded(entry[key]))
            yield Rule(resource.place, path, group, inbound, peer, ports, worded(entry.get("Description", "")))


def _port(value: Any, otherwise: int) -> int:
    text = literal(value)
    return int(text) if text.removeprefix("-").isdigit() else otherwise


def matrix(resources: Mapping[str, Resource]) -> dict[tuple[str, str], tuple[Ports, ...]]:
    """Return the ports for each pair of who and whom: groups by place, networks by CIDR, `ANYWHERE`.

    Between two groups both must allow it. A rule for a network that overlaps the VPC's holds for its groups too.
    """
    all_rules = rules(resources)
    groups = [place for place, resource in resources.items() if resource.type == _GROUP]
    inside = [_network(r.properties.get("CidrBlock")) for r in resources.values() if r.type == "AWS::EC2::VPC"]
    own = [network for network in inside if network is not None]

    def covers(rule: Rule, group: str) -> bool:
        peer = _network(rule.peer)
        return rule.peer == group or (peer is not None and any(_overlap(peer, network) for network in own))

    found: dict[tuple[str, str], set[Ports]] = {}
    for one, other in product(groups, groups):
        leaving = [rule for rule in all_rules if rule.group == one and not rule.inbound and covers(rule, other)]
        entering = [rule for rule in all_rules if rule.group == other and rule.inbound and covers(rule, one)]
        shared = {a.ports.both(b.ports) for a, b in product(leaving, entering)} - {None}
        if shared and one != other:
            found[one, other] = {ports for ports in shared if ports is not None}
    for rule in all_rules:
        if rule.peer not in groups:
            peer = ANYWHERE if rule.open else rule.peer
            pair = (peer, rule.group) if rule.inbound else (rule.group, peer)
            found.setdefault(pair, set()).add(rule.ports)
    return {pair: tuple(sorted(ports, key=str)) for pair, ports in sorted(found.items())}


def default_routes(resources: Mapping[str, Resource], subnets: Iterable[str]) -> list[tuple[str, str]]:
    """Return the routes that lead subnets anywhere: place of the subnet and of the route."""
    tables = {
        subnet: table
        for resource in resources.values()
        if resource.type == "AWS::EC2::SubnetRouteTableAssociation"
        for subnet in references(resource.properties.get("SubnetId"))
        for table in references(resource.properties.get("RouteTableId"))
    }
    open_routes = {
        table: resource.place
        for resource in resources.values()
        if resource.type == "AWS::EC2::Route"
        and {resource.properties.get("DestinationCidrBlock"), resource.properties.get("DestinationIpv6CidrBlock")}
        & set(_ANY)
        for table in references(resource.properties.get("RouteTableId"))
    }
    return [(subnet, open_routes[tables[subnet]]) for subnet in subnets if tables.get(subnet) in open_routes]


def _nobody(peer: str) -> bool:
    network = _network(peer)
    return isinstance(network, IPv4Network) and isinstance(_LOOPBACK, IPv4Network) and network.subnet_of(_LOOPBACK)


def _network(text: Any) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False) if isinstance(text, str) else None
    except ValueError:
        return None


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    return one.version == other.version and one.overlaps(other)
