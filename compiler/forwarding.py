"""Names of the data centre, asked of its own name servers."""

from collections.abc import Sequence

from troposphere import GetAtt, Ref
from troposphere.ec2 import VPC, SecurityGroup, SecurityGroupEgress, Subnet
from troposphere.route53resolver import (
    IpAddressRequest,
    ResolverEndpoint,
    ResolverRule,
    ResolverRuleAssociation,
    TargetAddress,
)

from compiler import policy
from compiler.component import Component
from schemas.migration import Migration

_CAUSE = "source.network.dns_servers"
_DNS = 53


def forward_names(component: Component, migration: Migration, vpc: VPC, subnets: Sequence[Subnet]) -> None:
    """Forward the source database's domain to the data centre's name servers, where the spec names any.

    Args:
        component: the network's component.
        migration: the spec.
        vpc: the VPC that asks.
        subnets: where the questions leave, in at least two zones.
    """
    servers = migration.source.network.dns_servers
    if not servers:
        return
    group = component.add(
        SecurityGroup(
            "ForwardingGroup",
            GroupDescription="Questions to the name servers of the data centre.",
            VpcId=Ref(vpc),
            SecurityGroupEgress=[policy.nowhere()],
        ),
        _CAUSE,
    )
    for number, server in enumerate(servers, 1):
        for protocol in ("tcp", "udp"):
            component.add(
                SecurityGroupEgress(
                    f"ForwardingGroupTo{protocol.capitalize()}{number}",
                    GroupId=GetAtt(group, "GroupId"),
                    IpProtocol=protocol,
                    FromPort=_DNS,
                    ToPort=_DNS,
                    CidrIp=f"{server}/32",
                    Description="DNS to a name server of the data centre.",
                ),
                _CAUSE,
            )
    endpoint = component.add(
        ResolverEndpoint(
            "Forwarding",
            Direction="OUTBOUND",
            IpAddresses=[IpAddressRequest(SubnetId=Ref(subnet)) for subnet in subnets],
            SecurityGroupIds=[GetAtt(group, "GroupId")],
        ),
        _CAUSE,
    )
    host = migration.source.database.host
    rule = component.add(
        ResolverRule(
            "ForwardingRule",
            RuleType="FORWARD",
            DomainName=host.partition(".")[2] or host,
            ResolverEndpointId=Ref(endpoint),
            TargetIps=[TargetAddress(Ip=str(server), Port=str(_DNS)) for server in servers],
        ),
        _CAUSE,
        DomainName="source.database.host",
    )
    component.add(
        ResolverRuleAssociation("ForwardingRuleAssociation", ResolverRuleId=Ref(rule), VPCId=Ref(vpc)), _CAUSE
    )
