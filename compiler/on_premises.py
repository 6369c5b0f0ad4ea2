"""The way to the data centre: a transit gateway, a VPN, or Direct Connect."""

from collections.abc import Sequence

from troposphere import Ref
from troposphere.directconnect import DirectConnectGatewayAssociation
from troposphere.ec2 import (
    VPC,
    CustomerGateway,
    Route,
    RouteTable,
    Subnet,
    TransitGatewayAttachment,
    VPCGatewayAttachment,
    VPNConnection,
    VPNGateway,
    VPNGatewayRoutePropagation,
)

from compiler.component import Component
from schemas.migration import Migration, Vpn

_TRANSIT = "source.network.transit_gateway"
_VPN = "source.network.vpn"
_DIRECT_CONNECT = "source.network.direct_connect_gateway"


def reach(
    component: Component, migration: Migration, vpc: VPC, subnets: Sequence[Subnet], tables: Sequence[RouteTable]
) -> None:
    """Attach the VPC to what the spec names, and route to the data centre.

    Args:
        component: the network's component.
        migration: the spec.
        vpc: the VPC.
        subnets: where a transit gateway enters, one for each zone.
        tables: the route tables that lead to the data centre.
    """
    source = migration.source.network
    if source.vpn is not None:
        gateway, _ = _private_gateway(component, vpc, tables, _VPN)
        _tunnel(component, source.vpn, gateway)
    elif source.direct_connect_gateway is not None:
        gateway, attachment = _private_gateway(component, vpc, tables, _DIRECT_CONNECT)
        component.add(
            DirectConnectGatewayAssociation(
                "DirectConnect",
                DirectConnectGatewayId=source.direct_connect_gateway,
                AssociatedGatewayId=Ref(gateway),
                # What the data centre's routers learn: this network and no other.
                AllowedPrefixesToDirectConnectGateway=[str(migration.network.cidr)],
                DependsOn=attachment.title,
            ),
            _DIRECT_CONNECT,
            AllowedPrefixesToDirectConnectGateway="network.cidr",
        )
    else:
        _transit(component, migration, vpc, subnets, tables)


def _private_gateway(
    component: Component, vpc: VPC, tables: Sequence[RouteTable], cause: str
) -> tuple[VPNGateway, VPCGatewayAttachment]:
    """A virtual private gateway; the tables learn from it the routes that the data centre announces."""
    gateway = component.add(VPNGateway("VpnGateway", Type="ipsec.1"), cause)
    attachment = component.add(
        VPCGatewayAttachment("VpnGatewayAttachment", VpcId=Ref(vpc), VpnGatewayId=Ref(gateway)), cause
    )
    component.add(
        VPNGatewayRoutePropagation(
            "VpnRoutes",
            RouteTableIds=[Ref(table) for table in tables],
            VpnGatewayId=Ref(gateway),
            DependsOn=attachment.title,
        ),
        cause,
        RouteTableIds="network.availability_zones replication.engine",
    )
    return gateway, attachment


def _tunnel(component: Component, vpn: Vpn, gateway: VPNGateway) -> None:
    customer = component.add(
        CustomerGateway("CustomerGateway", BgpAsn=vpn.asn, IpAddress=str(vpn.customer_gateway_ip), Type="ipsec.1"),
        _VPN,
        BgpAsn=f"{_VPN}.asn",
        IpAddress=f"{_VPN}.customer_gateway_ip",
    )
    component.add(
        VPNConnection("VpnConnection", Type="ipsec.1", CustomerGatewayId=Ref(customer), VpnGatewayId=Ref(gateway)),
        _VPN,
    )


def _transit(
    component: Component, migration: Migration, vpc: VPC, subnets: Sequence[Subnet], tables: Sequence[RouteTable]
) -> None:
    source = migration.source.network
    transit = component.add(
        TransitGatewayAttachment(
            "TransitGatewayAttachment",
            TransitGatewayId=source.transit_gateway,
            VpcId=Ref(vpc),
            SubnetIds=[Ref(subnet) for subnet in subnets],
        ),
        _TRANSIT,
    )
    for table in tables:
        for index, cidr in enumerate(source.cidrs):
            component.add(
                Route(
                    f"{table.title}OnPremises{index + 1}",
                    RouteTableId=Ref(table),
                    DestinationCidrBlock=str(cidr),
                    TransitGatewayId=source.transit_gateway,
                    DependsOn=transit.title,
                ),
                "source.network network.availability_zones replication.engine",
                DestinationCidrBlock=f"source.network.cidrs.{index}",
                TransitGatewayId=_TRANSIT,
            )
