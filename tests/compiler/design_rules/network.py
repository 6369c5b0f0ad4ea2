"""Who reaches whom."""

from ipaddress import ip_network

from tests.compiler.design_rules import Stacks, attributes, rule

ANYWHERE = "0.0.0.0/0"


@rule(7)
def the_data_centre_is_reached_by_a_private_line(stacks: Stacks) -> None:
    attachment = stacks.one("EC2::TransitGatewayAttachment")
    assert [subnet["Ref"] for subnet in attachment["SubnetIds"]] == [f"PrivateSubnet{zone}" for zone in (1, 2, 3)]
    ways = [route for route in stacks.all("EC2::Route").values() if route["DestinationCidrBlock"] == "192.168.0.0/16"]
    assert {way["RouteTableId"]["Ref"] for way in ways} == {f"PrivateRouteTable{zone}" for zone in (1, 2, 3)}
    assert all(way["TransitGatewayId"] == "tgw-0123456789abcdef0" for way in ways)


@rule(8)
def rules_of_groups_are_resources(stacks: Stacks) -> None:
    rules = stacks.all("EC2::SecurityGroupIngress")
    assert len(rules) > 4
    assert all(entry["GroupId"] for entry in rules.values())
    assert any(entry.get("SourceSecurityGroupId") for entry in rules.values())


@rule(9)
def rules_stand_alone_and_say_why(stacks: Stacks) -> None:
    assert not any("SecurityGroupIngress" in group for group in stacks.all("EC2::SecurityGroup").values())
    for entry in (
        *stacks.all("EC2::SecurityGroupIngress").values(),
        *stacks.all("EC2::SecurityGroupEgress").values(),
    ):
        assert len(entry["Description"]) > 10


@rule(10)
def groups_send_to_the_next_hop_alone(stacks: Stacks) -> None:
    for group in stacks.all("EC2::SecurityGroup").values():
        assert [sink["CidrIp"] for sink in group["SecurityGroupEgress"]] == ["127.0.0.1/32"]
    egress = stacks.all("EC2::SecurityGroupEgress")
    assert all(entry["IpProtocol"] == "tcp" and entry["FromPort"] == entry["ToPort"] for entry in egress.values())
    open_ = {name.split(".")[1] for name, entry in egress.items() if entry.get("CidrIp") == ANYWHERE}
    assert open_ == {"ApiGroupToHttps", "ControlGroupToHttps"}
    assert not [entry for entry in egress.values() if entry["GroupId"] == {"Fn::GetAtt": ["DatabaseGroup", "GroupId"]}]


@rule(11)
def the_databases_stand_in_a_tier_without_a_way_out(stacks: Stacks) -> None:
    routes = stacks.all("EC2::Route").values()
    assert not [route for route in routes if route["RouteTableId"] == {"Ref": "IsolatedRouteTable"}]
    subnets = {f"IsolatedSubnet{zone}" for zone in (1, 2, 3)}
    fenced = stacks.all("EC2::SubnetNetworkAclAssociation").values()
    assert {entry["SubnetId"]["Ref"] for entry in fenced} == subnets
    vpc = ip_network(stacks.one("EC2::VPC")["CidrBlock"])
    entries = stacks.all("EC2::NetworkAclEntry").values()
    assert {entry["Egress"] for entry in entries} == {True, False}
    for entry in entries:
        assert ip_network(entry["CidrBlock"]).subnet_of(vpc)
        assert (entry["RuleAction"], entry["Protocol"]) == ("allow", 6)
    groups = stacks.one("RDS::DBSubnetGroup")["SubnetIds"]
    assert groups == {"Ref": "NetworkIsolatedSubnetIds"}


@rule(12)
def services_of_aws_are_reached_in_private(stacks: Stacks) -> None:
    endpoints = {
        endpoint["ServiceName"]["Fn::Sub"].split(".")[-1]: endpoint
        for endpoint in stacks.all("EC2::VPCEndpoint").values()
    }
    assert {"kms", "logs", "monitoring", "secretsmanager", "sns", "sts", "s3", "dynamodb"} <= endpoints.keys()
    for service, endpoint in endpoints.items():
        [statement] = endpoint["PolicyDocument"]["Statement"]
        assert statement["Condition"]["StringEquals"]["aws:PrincipalAccount"] == {"Ref": "AWS::AccountId"}
        gateway = service in ("s3", "dynamodb")
        assert endpoint["VpcEndpointType"] == ("Gateway" if gateway else "Interface")
        assert gateway or endpoint["PrivateDnsEnabled"] is True


@rule(13)
def zones_and_addresses_are_not_guessed(stacks: Stacks) -> None:
    assert stacks.one("EC2::VPC")["CidrBlock"] == "10.20.0.0/16"
    assert not ip_network("10.20.0.0/16").overlaps(ip_network("192.168.0.0/16"))
    for subnet in stacks.all("EC2::Subnet").values():
        [_, zones] = subnet["AvailabilityZone"]["Fn::Select"]
        assert zones == {"Fn::GetAZs": {"Ref": "AWS::Region"}}
        assert subnet["MapPublicIpOnLaunch"] is False


@rule(14)
def the_firewall_stands_before_the_load_balancer(stacks: Stacks) -> None:
    [name] = stacks.all("WAFv2::WebACLAssociation")
    association = stacks.properties(name)
    assert association["ResourceArn"] == {"Ref": "LoadBalancer"}
    assert association["WebACLArn"] == {"Fn::GetAtt": ["Firewall", "Arn"]}
    assert stacks.beside(name, "ElasticLoadBalancingV2::LoadBalancer")


@rule(15)
def the_firewall_leaves_no_gap(stacks: Stacks) -> None:
    acl = stacks.one("WAFv2::WebACL")
    managed = {
        entry["Statement"]["ManagedRuleGroupStatement"]["Name"]: entry
        for entry in acl["Rules"]
        if "ManagedRuleGroupStatement" in entry["Statement"]
    }
    assert managed.keys() == {
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesSQLiRuleSet",
    }
    assert all(entry["OverrideAction"] == {"None": {}} for entry in managed.values())
    [size] = [entry for entry in acl["Rules"] if "SizeConstraintStatement" in entry["Statement"]]
    assert size["Action"] == {"Block": {}}
    assert size["Statement"]["SizeConstraintStatement"]["FieldToMatch"]["Body"]["OversizeHandling"] == "MATCH"
    priorities = [entry["Priority"] for entry in acl["Rules"]]
    assert len(set(priorities)) == len(priorities)
    logging = stacks.one("WAFv2::LoggingConfiguration")
    assert {"SingleHeader": {"Name": "authorization"}} in logging["RedactedFields"]


@rule(16)
def the_certificate_is_validated_by_dns(stacks: Stacks) -> None:
    certificate = stacks.one("CertificateManager::Certificate")
    [record] = {record["Name"] for record in stacks.one("Route53::RecordSetGroup")["RecordSets"]}
    assert certificate["DomainName"] == record.rstrip(".")
    assert certificate["ValidationMethod"] == "DNS"
    [option] = certificate["DomainValidationOptions"]
    assert option["HostedZoneId"] == "Z0123456789ABCDEFGHIJ"


@rule(17)
def tls_is_of_this_decade(stacks: Stacks) -> None:
    assert stacks.one("ElasticLoadBalancingV2::Listener")["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-Res")


@rule(18)
def nothing_crosses_in_clear_text(stacks: Stacks) -> None:
    listener = stacks.one("ElasticLoadBalancingV2::Listener")
    assert (listener["Port"], listener["Protocol"]) == (443, "HTTPS")
    told = attributes(listener["ListenerAttributes"])
    assert told["routing.http.response.strict_transport_security.header_value"].startswith("max-age=")


@rule(19)
def the_load_balancer_logs_and_is_strict(stacks: Stacks) -> None:
    told = attributes(stacks.one("ElasticLoadBalancingV2::LoadBalancer")["LoadBalancerAttributes"])
    assert told["access_logs.s3.enabled"] == "true"
    assert told["access_logs.s3.bucket"] == {"Ref": "AccessLogs"}
    assert told["deletion_protection.enabled"] == "true"
    assert told["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert told["routing.http.desync_mitigation_mode"] == "strictest"
