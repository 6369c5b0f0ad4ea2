"""Probes of EC2, the load balancer, the web ACL and DNS."""

from tests.embedded.contract import ACL, BALANCER, GATEWAY, GROUPS, NETWORK, TABLE, ZONE, Probe, att, ref, resource

GATEWAYS = {
    "Customer": resource("EC2::CustomerGateway", Type="ipsec.1", BgpAsn=65000, IpAddress="203.0.113.9"),
    "Vgw": resource("EC2::VPNGateway", Type="ipsec.1"),
}
VPN = {
    **GATEWAYS,
    "Vpn": resource(
        "EC2::VPNConnection",
        Type="ipsec.1",
        CustomerGatewayId=ref("Customer"),
        VpnGatewayId=ref("Vgw"),
        StaticRoutesOnly=True,
    ),
}
NACL = {**NETWORK, "Nacl": resource("EC2::NetworkAcl", VpcId=ref("Vpc"))}


def _rules(aws, rule_id):
    return [
        rule
        for rule in aws("ec2").describe_security_group_rules()["SecurityGroupRules"]
        if rule["SecurityGroupRuleId"] == rule_id
    ]


def _routes(aws, route_id):
    table, _, destination = route_id.partition("|")
    return [
        route
        for found in aws("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
        for route in found["Routes"]
        if route["DestinationCidrBlock"] == destination
    ]


def _nacl_entries(aws, _entry_id):
    return [
        entry
        for acl in aws("ec2").describe_network_acls()["NetworkAcls"]
        for entry in acl["Entries"]
        if entry["RuleNumber"] == 4321
    ]


def _nacl_associations(aws, association_id):
    return [
        entry
        for acl in aws("ec2").describe_network_acls()["NetworkAcls"]
        for entry in acl["Associations"]
        if entry["NetworkAclAssociationId"] == association_id
    ]


def _table_associations(aws, association_id):
    return [
        entry
        for table in aws("ec2").describe_route_tables()["RouteTables"]
        for entry in table["Associations"]
        if entry["RouteTableAssociationId"] == association_id
    ]


def _records(aws, name):
    listed = aws("route53").list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    return [record for record in listed if record["Name"] == name]


def _attachments(aws, attachment_id):
    found = aws("ec2").describe_transit_gateway_vpc_attachments(TransitGatewayAttachmentIds=[attachment_id])
    return found["TransitGatewayVpcAttachments"][0]["State"] == "available"


def _live_nat(aws, gateway_id):
    found = aws("ec2").describe_nat_gateways(NatGatewayIds=[gateway_id])["NatGateways"]
    return found and found[0]["State"] == "available"


def _live_vpn(aws, vpn_id):
    found = aws("ec2").describe_vpn_connections(VpnConnectionIds=[vpn_id])["VpnConnections"]
    return found and found[0]["State"] == "available"


def _web_acl(aws, acl_id):
    return [acl for acl in aws("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"] if acl["Id"] in acl_id]


def _answer(operation, parameter):
    return lambda aws, it: getattr(aws("route53resolver"), operation)(**{parameter: it})


LOGGED = {
    **NETWORK,
    "Group": resource("Logs::LogGroup"),
    "Queries": resource("Route53Resolver::ResolverQueryLoggingConfig", DestinationArn=att("Group", "Arn")),
}
FORWARDING = {
    **GROUPS,
    "Out": resource(
        "Route53Resolver::ResolverEndpoint",
        Direction="OUTBOUND",
        SecurityGroupIds=[att("G", "GroupId")],
        IpAddresses=[{"SubnetId": ref("A")}, {"SubnetId": ref("B")}],
    ),
    "Rule": resource(
        "Route53Resolver::ResolverRule",
        RuleType="FORWARD",
        DomainName="corp.example.com",
        ResolverEndpointId=ref("Out"),
        TargetIps=[{"Ip": "192.168.0.53", "Port": "53"}],
    ),
}
WEIGHTED = {"Name": "api.payments.example.com.", "Type": "CNAME", "TTL": "60"}

PROBES = [
    Probe(NETWORK["Vpc"], lambda aws, it: aws("ec2").describe_vpcs(VpcIds=[it])["Vpcs"]),
    Probe(
        NETWORK["A"], lambda aws, it: aws("ec2").describe_subnets(SubnetIds=[it])["Subnets"], {"Vpc": NETWORK["Vpc"]}
    ),
    Probe(GROUPS["G"], lambda aws, it: aws("ec2").describe_security_groups(GroupIds=[it])["SecurityGroups"], NETWORK),
    Probe(
        resource("EC2::InternetGateway"),
        lambda aws, it: aws("ec2").describe_internet_gateways(InternetGatewayIds=[it])["InternetGateways"],
    ),
    Probe(TABLE["T"], lambda aws, it: aws("ec2").describe_route_tables(RouteTableIds=[it])["RouteTables"], NETWORK),
    Probe(
        resource("EC2::Route", RouteTableId=ref("T"), DestinationCidrBlock="192.168.0.0/16", TransitGatewayId=GATEWAY),
        _routes,
        TABLE,
    ),
    Probe(
        resource("EC2::SubnetRouteTableAssociation", RouteTableId=ref("T"), SubnetId=ref("A")),
        _table_associations,
        TABLE,
    ),
    Probe(
        resource(
            "EC2::VPCEndpoint",
            VpcId=ref("Vpc"),
            ServiceName="com.amazonaws.us-east-2.kms",
            VpcEndpointType="Interface",
            SubnetIds=[ref("A")],
            PrivateDnsEnabled=True,
        ),
        lambda aws, it: aws("ec2").describe_vpc_endpoints(VpcEndpointIds=[it])["VpcEndpoints"],
        NETWORK,
    ),
    Probe(
        resource("EC2::EIP", Domain="vpc"),
        lambda aws, it: aws("ec2").describe_addresses(PublicIps=[it])["Addresses"],
        attributes=("AllocationId", "PublicIp"),
    ),
    Probe(
        resource("EC2::NatGateway", SubnetId=ref("A"), AllocationId=att("Eip", "AllocationId")),
        _live_nat,
        {**NETWORK, "Eip": resource("EC2::EIP", Domain="vpc")},
        ("NatGatewayId",),
    ),
    Probe(
        resource(
            "EC2::FlowLog",
            ResourceId=ref("Vpc"),
            ResourceType="VPC",
            TrafficType="ALL",
            LogGroupName="flow",
            DeliverLogsPermissionArn="arn:aws:iam::111122223333:role/flow",
        ),
        lambda aws, it: aws("ec2").describe_flow_logs(FlowLogIds=[it])["FlowLogs"],
        NETWORK,
        ("Id",),
    ),
    Probe(
        resource(
            "EC2::SecurityGroupIngress",
            GroupId=ref("G"),
            IpProtocol="tcp",
            FromPort=5432,
            ToPort="5432",
            SourceSecurityGroupId=ref("H"),
            Description="d",
        ),
        _rules,
        GROUPS,
        ("Id",),
    ),
    Probe(
        resource(
            "EC2::SecurityGroupEgress",
            GroupId=ref("G"),
            IpProtocol="tcp",
            FromPort=443,
            ToPort=443,
            DestinationSecurityGroupId=ref("H"),
        ),
        _rules,
        GROUPS,
        ("Id",),
    ),
    Probe(
        NACL["Nacl"],
        lambda aws, it: aws("ec2").describe_network_acls(NetworkAclIds=[it])["NetworkAcls"],
        NETWORK,
        ("Id",),
    ),
    Probe(
        resource(
            "EC2::NetworkAclEntry",
            NetworkAclId=ref("Nacl"),
            RuleNumber="4321",
            Protocol=6,
            RuleAction="allow",
            Egress=True,
            CidrBlock="10.0.0.0/8",
            PortRange={"From": 443, "To": "443"},
        ),
        _nacl_entries,
        NACL,
        ("Id",),
    ),
    Probe(
        resource("EC2::SubnetNetworkAclAssociation", SubnetId=ref("A"), NetworkAclId=ref("Nacl")),
        _nacl_associations,
        NACL,
        ("AssociationId",),
    ),
    Probe(
        resource("EC2::TransitGatewayAttachment", TransitGatewayId=GATEWAY, VpcId=ref("Vpc"), SubnetIds=[ref("A")]),
        _attachments,
        NETWORK,
        ("Id",),
    ),
    Probe(
        resource("EC2::TransitGatewayVpcAttachment", TransitGatewayId=GATEWAY, VpcId=ref("Vpc"), SubnetIds=[ref("A")]),
        _attachments,
        NETWORK,
        ("Id",),
    ),
    Probe(
        GATEWAYS["Customer"],
        lambda aws, it: [
            gateway
            for gateway in aws("ec2").describe_customer_gateways(CustomerGatewayIds=[it])["CustomerGateways"]
            if gateway["State"] == "available"
        ],
        attributes=("CustomerGatewayId",),
    ),
    Probe(
        GATEWAYS["Vgw"],
        lambda aws, it: [
            gateway
            for gateway in aws("ec2").describe_vpn_gateways(VpnGatewayIds=[it])["VpnGateways"]
            if gateway["State"] == "available"
        ],
        attributes=("VPNGatewayId",),
    ),
    Probe(VPN["Vpn"], _live_vpn, GATEWAYS, ("VpnConnectionId",)),
    Probe(
        resource("EC2::VPNConnectionRoute", VpnConnectionId=ref("Vpn"), DestinationCidrBlock="192.168.0.0/16"),
        lambda aws, it: [
            route
            for vpn in aws("ec2").describe_vpn_connections()["VpnConnections"]
            if vpn["State"] == "available"
            for route in vpn.get("Routes", [])
            if it.startswith(route["DestinationCidrBlock"])
        ],
        VPN,
    ),
    Probe(
        resource("EC2::VPNGatewayRoutePropagation", RouteTableIds=[ref("T")], VpnGatewayId=ref("Vgw")),
        lambda aws, it: [
            table for table in aws("ec2").describe_route_tables()["RouteTables"] if table["PropagatingVgws"]
        ],
        {**TABLE, **GATEWAYS},
    ),
    Probe(
        resource(
            "DirectConnect::DirectConnectGatewayAssociation",
            after=("Attached",),
            DirectConnectGatewayId="11112222-3333-4444-5555-666677778888",
            AssociatedGatewayId=ref("Vgw"),
            AllowedPrefixesToDirectConnectGateway=["10.0.0.0/16"],
        ),
        lambda aws, it: aws("directconnect").describe_direct_connect_gateway_associations(associationId=it)[
            "directConnectGatewayAssociations"
        ],
        {
            **NETWORK,
            **GATEWAYS,
            "Attached": resource("EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), VpnGatewayId=ref("Vgw")),
        },
        ("AssociationId",),
    ),
    Probe(
        BALANCER["Balancer"],
        lambda aws, it: aws("elbv2").describe_load_balancers(LoadBalancerArns=[it])["LoadBalancers"],
        NETWORK,
        ("DNSName", "LoadBalancerFullName", "CanonicalHostedZoneID"),
    ),
    Probe(
        BALANCER["Target"],
        lambda aws, it: aws("elbv2").describe_target_groups(TargetGroupArns=[it])["TargetGroups"],
        NETWORK,
        ("TargetGroupFullName",),
    ),
    Probe(
        BALANCER["Listener"],
        lambda aws, it: aws("elbv2").describe_listeners(ListenerArns=[it])["Listeners"],
        {name: BALANCER[name] for name in BALANCER if name != "Listener"},
    ),
    Probe(
        resource(
            "ElasticLoadBalancingV2::ListenerRule",
            ListenerArn=ref("Listener"),
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/x"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": ref("Target")}],
        ),
        lambda aws, it: aws("elbv2").describe_rules(RuleArns=[it])["Rules"],
        BALANCER,
    ),
    Probe(
        resource("WAFv2::IPSet", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["203.0.113.0/24"]),
        lambda aws, it: [one for one in aws("wafv2").list_ip_sets(Scope="REGIONAL")["IPSets"] if one["Id"] in it],
        attributes=("Arn", "Id"),
    ),
    Probe(ACL["Acl"], _web_acl, attributes=("Arn",)),
    Probe(
        resource("WAFv2::WebACLAssociation", ResourceArn=ref("Balancer"), WebACLArn=att("Acl", "Arn")),
        lambda aws, it: aws("wafv2").get_web_acl_for_resource(ResourceArn=it.split("|")[0]).get("WebACL"),
        {**BALANCER, **ACL},
    ),
    Probe(
        resource(
            "WAFv2::LoggingConfiguration",
            ResourceArn=att("Acl", "Arn"),
            LogDestinationConfigs=["arn:aws:logs:us-east-2:111122223333:log-group:aws-waf-logs-x"],
            RedactedFields=[{"SingleHeader": {"Name": "authorization"}}],
        ),
        lambda aws, it: aws("wafv2").get_logging_configuration(ResourceArn=it)["LoggingConfiguration"][
            "RedactedFields"
        ],
        ACL,
    ),
    Probe(
        resource("Route53::HostedZone", Name="other.example.org"),
        lambda aws, it: aws("route53").get_hosted_zone(Id=it)["HostedZone"],
    ),
    Probe(
        resource(
            "Route53::RecordSet",
            HostedZoneId=ZONE,
            Name="one.payments.example.com.",
            Type="A",
            TTL="60",
            ResourceRecords=["192.0.2.1"],
        ),
        _records,
    ),
    Probe(
        resource(
            "Route53::RecordSetGroup",
            HostedZoneId=ZONE,
            RecordSets=[
                {**WEIGHTED, "SetIdentifier": "old", "Weight": 100, "ResourceRecords": ["old.example.com"]},
                {**WEIGHTED, "SetIdentifier": "new", "Weight": "0", "ResourceRecords": ["new.example.com"]},
            ],
        ),
        lambda aws, it: len(_records(aws, "api.payments.example.com.")) == 2,
        attributes=("Id",),
    ),
    Probe(
        resource(
            "Route53::HealthCheck",
            HealthCheckConfig={
                "Type": "HTTPS",
                "FullyQualifiedDomainName": "api.example.com",
                "Port": "443",
                "ResourcePath": "/health",
            },
        ),
        lambda aws, it: aws("route53").get_health_check(HealthCheckId=it)["HealthCheck"],
        attributes=("HealthCheckId",),
    ),
    Probe(
        resource("CertificateManager::Certificate", DomainName="api.payments.example.com", ValidationMethod="DNS"),
        lambda aws, it: aws("acm").describe_certificate(CertificateArn=it)["Certificate"],
    ),
    Probe(
        LOGGED["Queries"],
        _answer("get_resolver_query_log_config", "ResolverQueryLogConfigId"),
        {name: LOGGED[name] for name in LOGGED if name != "Queries"},
        ("Arn", "Id"),
    ),
    Probe(
        resource(
            "Route53Resolver::ResolverQueryLoggingConfigAssociation",
            ResolverQueryLogConfigId=ref("Queries"),
            ResourceId=ref("Vpc"),
        ),
        _answer("get_resolver_query_log_config_association", "ResolverQueryLogConfigAssociationId"),
        LOGGED,
    ),
    Probe(
        FORWARDING["Out"], _answer("get_resolver_endpoint", "ResolverEndpointId"), GROUPS, ("Arn", "ResolverEndpointId")
    ),
    Probe(
        FORWARDING["Rule"],
        _answer("get_resolver_rule", "ResolverRuleId"),
        {name: FORWARDING[name] for name in FORWARDING if name != "Rule"},
        ("Arn", "ResolverRuleId"),
    ),
    Probe(
        resource("Route53Resolver::ResolverRuleAssociation", ResolverRuleId=ref("Rule"), VPCId=ref("Vpc")),
        _answer("get_resolver_rule_association", "ResolverRuleAssociationId"),
        FORWARDING,
    ),
]
