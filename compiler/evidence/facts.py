"""What checks look at: every resource, and what can only be seen from several together."""

from collections.abc import Iterator, Mapping

from compiler.evidence.checks import Fact
from compiler.evidence.reachability import ANYWHERE, default_routes, rules
from compiler.linked import Resource, references

INBOUND = "inbound rule of a security group"
OUTBOUND = "outbound rule of a security group"
"""Each with its `Description`, and as `Opens` the ports and the peer: `tcp 443 any address`."""

DATABASE_SUBNET = "subnet of a database"
"""`DefaultRoute`, the route that leads it anywhere, where there is one."""


def facts(resources: Mapping[str, Resource]) -> Iterator[Fact]:
    """Yield a fact for each resource, each security group rule and each subnet of a database."""
    for resource in resources.values():
        yield Fact(resource.place, resource.type.removeprefix("AWS::"), resource.properties)
    for rule in rules(resources):
        place = f"{rule.place}/{rule.path}" if rule.path else rule.place
        peer = ANYWHERE if rule.open else rule.peer
        properties = {"Description": rule.description, "Opens": f"{rule.ports} {peer}"}
        yield Fact(place, INBOUND if rule.inbound else OUTBOUND, properties)
    subnets = [
        subnet
        for resource in resources.values()
        if resource.type == "AWS::RDS::DBSubnetGroup"
        for subnet in references(resource.properties.get("SubnetIds"))
    ]
    leaving = dict(default_routes(resources, subnets))
    for subnet in dict.fromkeys(subnets):
        yield Fact(subnet, DATABASE_SUBNET, {"DefaultRoute": leaving[subnet]} if subnet in leaving else {})
