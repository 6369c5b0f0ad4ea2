"""Address ranges: the VPC's, the data centre's, and what fits into them."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from schemas.diagnostics import Diagnostic, Severity
from schemas.spec import Spec

_LARGEST_VPC, _SMALLEST_VPC = 16, 24
# An Application Load Balancer takes no smaller subnet.
_SMALLEST_SUBNET = 27
_PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))


def overlap(spec: Spec) -> Iterator[Diagnostic]:
    """An address in both networks would never be routed to the data centre."""
    vpc = spec.migration.network.cidr
    cidrs = spec.migration.source.network.cidrs
    for index, cidr in enumerate(cidrs):
        path = ("source", "network", "cidrs", index)
        if cidr.overlaps(vpc):
            written = ("network", "cidr") in spec.positions
            message = f"the VPC's network {vpc} overlaps the data centre's {cidr}"
            hint = f"choose a network for the VPC outside {cidr}, with network.cidr"
            yield spec.finding("PMG202", "network.cidr" if written else path, message, hint)
        for earlier in cidrs[:index]:
            if cidr.overlaps(earlier):
                message = f"the data centre's networks {earlier} and {cidr} overlap"
                yield spec.finding("PMG202", path, message, "write each route once: keep the larger of the two")


def vpc_size(spec: Spec) -> Iterator[Diagnostic]:
    """AWS bounds a VPC, and each of three tiers needs a subnet in each zone: a quarter is cut into 4 or 8."""
    network = spec.migration.network
    length, zones = network.cidr.prefixlen, network.availability_zones
    smallest = _SMALLEST_SUBNET - 2 - (2 if zones <= 4 else 3)
    if not _LARGEST_VPC <= length <= _SMALLEST_VPC:
        message = f"a VPC is a network from /{_LARGEST_VPC} to /{_SMALLEST_VPC}, {network.cidr} is not"
    elif length > smallest:
        message = f"{network.cidr} is too small for three tiers of subnets in {zones} zones"
    else:
        return
    yield spec.finding("PMG203", "network.cidr", message, f"write a network from /{_LARGEST_VPC} to /{smallest}")


def name_servers(spec: Spec) -> Iterator[Diagnostic]:
    """A question leaves the VPC by the routes to the data centre's networks, or not at all."""
    network = spec.migration.source.network
    for index, server in enumerate(network.dns_servers):
        if not any(server in cidr for cidr in network.cidrs):
            message = f"the name server {server} is in none of the data centre's networks, so nothing is routed there"
            path = ("source", "network", "dns_servers", index)
            yield spec.finding("PMG222", path, message, "add its network to source.network.cidrs")


def public_data_centre(spec: Spec) -> Iterator[Diagnostic]:
    """Public addresses as the data centre's own are possible, and more often a slip."""
    for index, cidr in enumerate(spec.migration.source.network.cidrs):
        if not any(cidr.subnet_of(private) for private in _PRIVATE):
            message = f"{cidr} is not a private network; all of it will be routed to the data centre"
            hint = "check that these are the data centre's inner networks"
            path = ("source", "network", "cidrs", index)
            yield spec.finding("PMG217", path, message, hint, Severity.WARNING)
