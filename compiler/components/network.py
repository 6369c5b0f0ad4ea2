"""The VPC: three tiers of subnets, the way to the data centre, and private ways to AWS's services."""

from ipaddress import IPv4Network
from typing import Any, NamedTuple

from troposphere import AccountId, GetAtt, GetAZs, Join, Ref, Select, Sub
from troposphere.ec2 import (
    EIP,
    VPC,
    InternetGateway,
    NatGateway,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupIngress,
    Subnet,
    SubnetRouteTableAssociation,
    VPCEndpoint,
    VPCGatewayAttachment,
)

from compiler import names, policy
from compiler.component import Component, Export
from compiler.forwarding import forward_names
from compiler.isolation import isolate
from compiler.on_premises import reach
from compiler.refusal import Refusal
from compiler.traffic_logs import traffic_logs
from schemas.migration import Migration

_SMALLEST_SUBNET = 27  # a load balancer takes no smaller one
_SERVICES = ("kms", "logs", "monitoring", "secretsmanager", "sns", "sts")
_GATEWAYS = "network.nat_gateways network.availability_zones"
_ANYWHERE = "0.0.0.0/0"


class NetworkExports(NamedTuple):
    """What others build on."""

    vpc: Export
    public_subnets: Export
    private_subnets: Export
    isolated_subnets: Export
    endpoint_group: Export
    logs_key: Export


def subnets(network: IPv4Network, zones: int) -> dict[str, list[IPv4Network]]:
    """Split a VPC's addresses: a quarter for each tier and one left free.

    Up to four zones are cut alike, so that adding a zone moves no subnet.

    Raises:
        Refusal: a subnet would be smaller than a load balancer accepts.
    """
    prefix = network.prefixlen + 2 + (2 if zones <= 4 else 3)
    if prefix > _SMALLEST_SUBNET:
        raise Refusal(
            "PMG203",
            "network.cidr",
            f"{network} leaves /{prefix} for each subnet of 3 tiers in {zones} zones; a load balancer needs "
            f"/{_SMALLEST_SUBNET}",
            f"write a network of /{network.prefixlen - (prefix - _SMALLEST_SUBNET)} or larger",
        )
    tiers = zip(("public", "private", "isolated"), network.subnets(prefixlen_diff=2), strict=False)
    return {tier: list(part.subnets(new_prefix=prefix))[:zones] for tier, part in tiers}


def network(migration: Migration) -> tuple[Component, NetworkExports]:
    """Build the VPC."""
    component = Component("Network", "VPC, subnets, ways to the data centre and to AWS.", names.tags(migration))
    key = _logs_key(component)
    vpc = component.add(
        VPC("Vpc", CidrBlock=str(migration.network.cidr), EnableDnsHostnames=True, EnableDnsSupport=True),
        "network",
        CidrBlock="network.cidr",
    )
    tiers = _subnets(component, migration, vpc)
    tables = _route_tables(component, migration, vpc, tiers)
    # With logical replication the databases talk to each other; with DMS the store of card data needs no way out.
    reaching = tables["private"] + (tables["isolated"] if migration.replication.engine == "logical" else [])
    reach(component, migration, vpc, tiers["private"], reaching)
    group = _endpoints(component, migration, vpc, tiers["private"], tables)
    tier_networks = list(migration.network.cidr.subnets(prefixlen_diff=2))
    isolate(component, migration, vpc, tiers["isolated"], tier_networks[1], tier_networks[2])
    forward_names(component, migration, vpc, tiers["private"])
    traffic_logs(component, vpc, GetAtt(key, "Arn"))
    return component, NetworkExports(
        vpc=component.offer("VpcId", Ref(vpc)),
        **{
            f"{tier}_subnets": component.offer(
                f"{tier.capitalize()}SubnetIds", Join(",", [Ref(subnet) for subnet in members]), "CommaDelimitedList"
            )
            for tier, members in tiers.items()
        },
        endpoint_group=component.offer("EndpointGroupId", GetAtt(group, "GroupId")),
        logs_key=component.offer("LogsKeyArn", GetAtt(key, "Arn")),
    )


def _logs_key(component: Component) -> Any:
    groups = Sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*")
    trails = Sub("arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/*")
    return policy.key(
        component,
        "LogsKey",
        cause="network",
        purpose="Encrypts logs, notifications and dead letters.",
        via=["s3", "sns", "sqs"],
        own=[
            policy.service_use(policy.regional("logs"), {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}),
            policy.service_use("cloudtrail.amazonaws.com", {"ArnLike": {"aws:SourceArn": trails}}),
            policy.service_use(["cloudwatch.amazonaws.com", "dms.amazonaws.com", "events.amazonaws.com"]),
        ],
    )


def _subnets(component: Component, migration: Migration, vpc: VPC) -> dict[str, list[Subnet]]:
    return {
        tier: [
            component.add(
                Subnet(
                    f"{tier.capitalize()}Subnet{zone + 1}",
                    VpcId=Ref(vpc),
                    CidrBlock=str(cidr),
                    AvailabilityZone=Select(zone, GetAZs(Ref("AWS::Region"))),
                    MapPublicIpOnLaunch=False,
                ),
                "network",
                CidrBlock="network.cidr",
                AvailabilityZone="network.availability_zones",
            )
            for zone, cidr in enumerate(cidrs)
        ]
        for tier, cidrs in subnets(migration.network.cidr, migration.network.availability_zones).items()
    }


def _route_tables(
    component: Component, migration: Migration, vpc: VPC, tiers: dict[str, list[Subnet]]
) -> dict[str, list[RouteTable]]:
    gateway = component.add(InternetGateway("InternetGateway"), "network")
    attachment = component.add(
        VPCGatewayAttachment("InternetGatewayAttachment", VpcId=Ref(vpc), InternetGatewayId=Ref(gateway)), "network"
    )
    public = component.add(RouteTable("PublicRouteTable", VpcId=Ref(vpc)), "network")
    component.add(
        Route(
            "PublicRoute",
            RouteTableId=Ref(public),
            DestinationCidrBlock=_ANYWHERE,
            GatewayId=Ref(gateway),
            DependsOn=attachment.title,
        ),
        "network",
    )
    isolated = component.add(RouteTable("IsolatedRouteTable", VpcId=Ref(vpc)), "network")
    gateways = _nat_gateways(component, migration, tiers["public"], attachment)
    private = []
    for zone in range(migration.network.availability_zones):
        table = component.add(RouteTable(f"PrivateRouteTable{zone + 1}", VpcId=Ref(vpc)), "network")
        component.add(
            Route(
                f"PrivateRoute{zone + 1}",
                RouteTableId=Ref(table),
                DestinationCidrBlock=_ANYWHERE,
                NatGatewayId=Ref(gateways[zone % len(gateways)]),
            ),
            _GATEWAYS,
        )
        private.append(table)
    for tier, tables in (("public", [public]), ("private", private), ("isolated", [isolated])):
        for zone, subnet in enumerate(tiers[tier]):
            component.add(
                SubnetRouteTableAssociation(
                    f"{subnet.title}Routes", SubnetId=Ref(subnet), RouteTableId=Ref(tables[zone % len(tables)])
                ),
                "network",
            )
    return {"private": private, "isolated": [isolated]}


def _nat_gateways(
    component: Component, migration: Migration, public: list[Subnet], attachment: VPCGatewayAttachment
) -> list[NatGateway]:
    count = len(public) if migration.network.nat_gateways == "per-zone" else 1
    gateways = []
    for zone, subnet in enumerate(public[:count], 1):
        address = component.add(EIP(f"NatAddress{zone}", Domain="vpc", DependsOn=attachment.title), _GATEWAYS)
        gateways.append(
            component.add(
                NatGateway(f"NatGateway{zone}", AllocationId=GetAtt(address, "AllocationId"), SubnetId=Ref(subnet)),
                _GATEWAYS,
            )
        )
    return gateways


def _endpoints(
    component: Component, migration: Migration, vpc: VPC, private: list[Subnet], tables: dict[str, list[RouteTable]]
) -> SecurityGroup:
    group = component.add(
        SecurityGroup(
            "EndpointGroup",
            GroupDescription="Private endpoints of AWS services.",
            VpcId=Ref(vpc),
            SecurityGroupEgress=[policy.nowhere()],
        ),
        "network",
    )
    component.add(
        SecurityGroupIngress(
            "EndpointGroupFromVpc",
            GroupId=GetAtt(group, "GroupId"),
            IpProtocol="tcp",
            FromPort=443,
            ToPort=443,
            CidrIp=str(migration.network.cidr),
            Description="HTTPS to AWS services from inside the VPC.",
        ),
        "network",
        CidrIp="network.cidr",
    )
    own_account = policy.document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": AccountId}},
        }
    )
    for service in ("dynamodb", "s3"):
        component.add(
            VPCEndpoint(
                f"{service.capitalize()}Endpoint",
                VpcId=Ref(vpc),
                ServiceName=Sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
                VpcEndpointType="Gateway",
                RouteTableIds=[Ref(table) for table in tables["private"]],
                PolicyDocument=own_account,
            ),
            "network",
        )
    # Where the writer moves, DMS's tasks are started and stopped from inside.
    for service in (*_SERVICES, *(["dms"] if migration.replication.engine == "dms" else [])):
        component.add(
            VPCEndpoint(
                f"{service.capitalize()}Endpoint",
                VpcId=Ref(vpc),
                ServiceName=Sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
                VpcEndpointType="Interface",
                PrivateDnsEnabled=True,
                SubnetIds=[Ref(subnet) for subnet in private],
                SecurityGroupIds=[GetAtt(group, "GroupId")],
                PolicyDocument=own_account,
            ),
            "replication.engine" if service == "dms" else "network",
        )
    return group
