"""What the templates of specs/payments.yaml must be, whatever else changes."""

import json
import re
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.compile import compile_spec
from compiler.components.network import subnets
from compiler.refusal import Refusal
from schemas.diagnostics import SpecError
from schemas.load import load, parse
from tests.compiler.walk import of_type
from tests.strategies import SPECS

Templates = dict[str, dict[str, Any]]

_DESCRIPTION = re.compile(r"[A-Za-z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")


def compiled_with(old: str = "", new: str = "") -> Templates:
    text = (SPECS / "payments.yaml").read_text()
    assert old in text
    compiled = compile_spec(parse(text.replace(old, new, 1) if old else text, "migration.yaml", SPECS))
    return {name: json.loads(body) for name, body in compiled.templates.items()}


@given(
    st.integers(16, 28).flatmap(
        lambda prefix: st.integers(0, 2**16 - 1).map(
            lambda host: IPv4Network(((10 << 24) + (host << 8) & ~((1 << (32 - prefix)) - 1), prefix))
        )
    ),
    st.integers(2, 6),
)
def test_subnets_lie_in_the_vpc_and_apart(network: IPv4Network, zones: int) -> None:
    try:
        tiers = subnets(network, zones)
    except Refusal as refusal:
        assert network.prefixlen > (23 if zones <= 4 else 22)
        assert refusal.path == "network.cidr"
        return
    every = [subnet for tier in tiers.values() for subnet in tier]
    assert len(every) == 3 * zones
    assert all(subnet.subnet_of(network) and subnet.prefixlen <= 27 for subnet in every)
    assert not any(one.overlaps(other) for one, other in combinations(every, 2))


def test_adding_a_zone_moves_no_subnet() -> None:
    network = IPv4Network("10.20.0.0/16")
    for tier, members in subnets(network, 3).items():
        assert subnets(network, 4)[tier][:3] == members


def test_only_the_load_balancer_is_open_to_the_internet(templates: Templates) -> None:
    open_rules = {
        logical_id: rule
        for template in templates.values()
        for logical_id, rule in of_type(template, "AWS::EC2::SecurityGroupIngress").items()
        if rule.get("CidrIp") == "0.0.0.0/0"
    }
    assert open_rules.keys() == {"LoadBalancerGroupFromNetwork"}
    assert open_rules["LoadBalancerGroupFromNetwork"]["FromPort"] == 443


def test_security_groups_say_where_traffic_goes_and_why(templates: Templates) -> None:
    for template in templates.values():
        for group in of_type(template, "AWS::EC2::SecurityGroup").values():
            assert "SecurityGroupIngress" not in group
            assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["127.0.0.1/32"]
        for kind in ("Ingress", "Egress"):
            for rule in of_type(template, f"AWS::EC2::SecurityGroup{kind}").values():
                assert _DESCRIPTION.fullmatch(rule["Description"])
                assert rule["IpProtocol"] == "tcp"


def test_names_of_the_data_centre_are_asked_of_its_own_servers(templates: Templates) -> None:
    assert not of_type(templates["network"], "AWS::Route53Resolver::ResolverEndpoint")
    network = compiled_with("cidrs: [192.168.0.0/16]", "cidrs: [192.168.0.0/16], dns_servers: [192.168.0.53]")[
        "network"
    ]
    [endpoint] = of_type(network, "AWS::Route53Resolver::ResolverEndpoint").values()
    assert endpoint["Direction"] == "OUTBOUND"
    assert [one["SubnetId"]["Ref"] for one in endpoint["IpAddresses"]] == [f"PrivateSubnet{zone}" for zone in (1, 2, 3)]
    [rule] = of_type(network, "AWS::Route53Resolver::ResolverRule").values()
    assert (rule["DomainName"], rule["RuleType"]) == ("corp.example.com", "FORWARD")
    assert rule["TargetIps"] == [{"Ip": "192.168.0.53", "Port": "53"}]
    [association] = of_type(network, "AWS::Route53Resolver::ResolverRuleAssociation").values()
    assert association == {"ResolverRuleId": {"Ref": "ForwardingRule"}, "VPCId": {"Ref": "Vpc"}}
    egress = of_type(network, "AWS::EC2::SecurityGroupEgress").values()
    assert {(one["IpProtocol"], one["ToPort"], one["CidrIp"]) for one in egress} == {
        ("tcp", 53, "192.168.0.53/32"),
        ("udp", 53, "192.168.0.53/32"),
    }


def test_with_dms_serverless_its_events_reach_the_topic() -> None:
    engine = "instance: {class: dms.r6i.large, storage: 100GiB, multi_az: true}"
    text = (SPECS / "payments.yaml").read_text()
    text = text[: text.index("\nenvironments:")].replace(engine, "serverless: {min: 1, max: 4}")
    compiled = compile_spec(parse(text, "migration.yaml", SPECS))
    monitoring = json.loads(compiled.templates["monitoring"])
    assert not of_type(monitoring, "AWS::DMS::EventSubscription")
    [rule] = of_type(monitoring, "AWS::Events::Rule").values()
    assert rule["EventPattern"]["detail-type"] == ["DMS Replication State Change"]
    every = [{"Ref": f"Replication{which}TaskArn"} for which in ("", "Follow", "Reverse")]
    assert rule["EventPattern"]["resources"] == every
    assert rule["Targets"] == [{"Id": "Topic", "Arn": {"Ref": "Topic"}}]


def test_the_fence_around_the_databases_lets_logical_replication_through() -> None:
    text = (SPECS / "minimal.yaml").read_text() + "replication: {engine: logical}\n"
    network = json.loads(compile_spec(parse(text, "migration.yaml", SPECS)).templates["network"])
    entries = [
        (one["Egress"], one["PortRange"]["From"], one["PortRange"]["To"])
        for one in of_type(network, "AWS::EC2::NetworkAclEntry").values()
        if one["CidrBlock"] == "192.168.0.0/16"
    ]
    assert sorted(entries) == [(False, 1024, 65535), (False, 5432, 5432), (True, 1024, 65535), (True, 5432, 5432)]


def test_the_database_s_subnets_have_no_way_out(templates: Templates) -> None:
    routes = of_type(templates["network"], "AWS::EC2::Route")
    assert [name for name, route in routes.items() if route["RouteTableId"] == {"Ref": "IsolatedRouteTable"}] == []


def test_with_logical_replication_the_databases_reach_each_other() -> None:
    engine = "engine: dms\n  instance: {class: dms.r6i.large, storage: 100GiB, multi_az: true}\n"
    objects = "  large_objects: {mode: limited, max: 64MiB}\n"
    text = (SPECS / "payments.yaml").read_text()
    assert engine in text
    assert objects in text
    text = text.replace(engine, "engine: logical\n").replace(objects, "")
    text = text[: text.index("\nenvironments:")]
    compiled = compile_spec(parse(text, "migration.yaml", SPECS))
    templates = {name: json.loads(body) for name, body in compiled.templates.items()}
    routes = of_type(templates["network"], "AWS::EC2::Route")
    ways = [route for route in routes.values() if route["RouteTableId"] == {"Ref": "IsolatedRouteTable"}]
    assert [way["DestinationCidrBlock"] for way in ways] == ["192.168.0.0/16"]
    assert not any(
        "AWS::DMS::" in resource["Type"] for one in templates.values() for resource in one["Resources"].values()
    )
    assert "ReplicationTaskArn" not in templates["root"]["Outputs"]


def test_the_firewall_stands_beside_what_it_protects(templates: Templates) -> None:
    template = templates["load_balancer"]
    [association] = of_type(template, "AWS::WAFv2::WebACLAssociation").values()
    assert association["ResourceArn"] == {"Ref": "LoadBalancer"}
    assert association["WebACLArn"] == {"Fn::GetAtt": ["Firewall", "Arn"]}
    [logging] = of_type(template, "AWS::WAFv2::LoggingConfiguration").values()
    assert logging["ResourceArn"] == {"Fn::GetAtt": ["Firewall", "Arn"]}
    [group] = [group for group in of_type(template, "AWS::Logs::LogGroup").values() if "LogGroupName" in group]
    assert group["LogGroupName"].startswith("aws-waf-logs-")
    assert logging["LogDestinationConfigs"][0]["Fn::Sub"].endswith(":" + group["LogGroupName"])


def test_both_weights_stand_in_one_group(templates: Templates) -> None:
    [group] = of_type(templates["routing"], "AWS::Route53::RecordSetGroup").values()
    old, new = group["RecordSets"]
    assert (old["SetIdentifier"], new["SetIdentifier"]) == ("old", "new")
    assert (old["Weight"], new["Weight"]) == ({"Ref": "OldWeight"}, {"Ref": "NewWeight"})
    assert old["Name"] == new["Name"]
    assert old["Type"] == new["Type"] == "A"
    assert old["TTL"] == "30"
    assert "TTL" not in new
    assert new["AliasTarget"]["EvaluateTargetHealth"] is False
    parameters = templates["root"]["Parameters"]
    assert (parameters["OldWeight"]["Default"], parameters["NewWeight"]["Default"]) == (100, 0)


def test_a_hostname_makes_both_records_cnames() -> None:
    templates = compiled_with("ip_addresses: [198.51.100.10, 198.51.100.11]", "hostname: legacy.example.com")
    [group] = of_type(templates["routing"], "AWS::Route53::RecordSetGroup").values()
    assert [record["Type"] for record in group["RecordSets"]] == ["CNAME", "CNAME"]
    assert all(record["TTL"] == "30" and "AliasTarget" not in record for record in group["RecordSets"])
    assert group["RecordSets"][0]["ResourceRecords"] == ["legacy.example.com"]
    rollback = of_type(templates["validation"], "AWS::Lambda::Function")["Rollback"]
    assert rollback["Environment"]["Variables"]["RECORD_TYPE"] == "CNAME"


def test_nothing_starts_replication_and_nothing_drops_a_table(templates: Templates) -> None:
    tasks = of_type(templates["replication"], "AWS::DMS::ReplicationTask")
    kinds = {name: task["MigrationType"] for name, task in tasks.items()}
    kind_of = {"Task": "full-load-and-cdc", "FollowTask": "cdc", "ReverseTask": "cdc"}
    assert kinds == kind_of, "what follows and the way back load nothing"
    assert len({task["ReplicationTaskSettings"] for task in tasks.values()}) == 1
    beats = {}
    for name, task in tasks.items():
        [beat] = [one for one in json.loads(task["TableMappings"])["rules"] if one["filters"]]
        assert beat["object-locator"] == {"schema-name": "paymig", "table-name": "heartbeat"}
        [only] = beat["filters"]
        beats[name] = (only["column-name"], only["filter-conditions"][0]["value"])
    own = {"Task": ("side", "source"), "FollowTask": ("side", "source"), "ReverseTask": ("side", "target")}
    assert beats == own, "no direction brings the other side's beats back"
    task = tasks["Task"]
    settings = json.loads(task["ReplicationTaskSettings"])
    assert settings["FullLoadSettings"]["TargetTablePrepMode"] == "DO_NOTHING"
    assert settings["ValidationSettings"]["EnableValidation"] is True
    assert {value for key, value in settings["ErrorBehavior"].items() if key.endswith("Policy")} == {"STOP_TASK"}
    assert settings["TargetMetadata"]["LobMaxSize"] == 64 * 1024
    rules = json.loads(task["TableMappings"])["rules"]
    assert [(rule["rule-action"], rule["object-locator"]["table-name"]) for rule in rules] == [
        ("include", "%"),
        ("include", "heartbeat"),
        ("exclude", "tmp_%"),
        ("exclude", "awsdms_%"),
    ]
    assert len({rule["rule-id"] for rule in rules}) == len(rules)


def test_both_ends_of_replication_are_verified(templates: Templates) -> None:
    endpoints = of_type(templates["replication"], "AWS::DMS::Endpoint").values()
    authorities = of_type(templates["replication"], "AWS::DMS::Certificate")
    assert {endpoint["SslMode"] for endpoint in endpoints} == {"verify-full"}
    assert {endpoint["CertificateArn"]["Ref"] for endpoint in endpoints} == set(authorities)
    assert authorities["SourceAuthority"]["CertificatePem"] == (SPECS / "onprem-ca.pem").read_text()


def test_the_rollback_is_automatic_only_where_asked_for(templates: Templates) -> None:
    [rule] = of_type(templates["validation"], "AWS::Events::Rule").values()
    assert rule["EventPattern"]["resources"] == [{"Ref": "MonitoringRollbackAlarmArn"}]
    assert rule["Targets"][0]["DeadLetterConfig"]
    manual = compiled_with("automatic: true", "automatic: false")
    assert not of_type(manual["validation"], "AWS::Events::Rule")
    assert "Rollback" in of_type(manual["validation"], "AWS::Lambda::Function")


def test_roles_have_no_wild_actions_and_few_wild_resources(templates: Templates) -> None:
    nameless = {
        "cloudwatch:PutMetricData",
        "dms:DescribeConnections",
        "dms:DescribeReplicationTasks",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "secretsmanager:GetRandomPassword",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
    for template in templates.values():
        for role in of_type(template, "AWS::IAM::Role").values():
            assert "ManagedPolicyArns" not in role
            for policy in role.get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                    assert not [action for action in actions if "*" in action]
                    if statement["Resource"] == "*":
                        assert all(action in nameless or action.startswith("ec2:") for action in actions)


def test_every_log_group_is_encrypted_and_kept(templates: Templates) -> None:
    groups = [group for one in templates.values() for group in of_type(one, "AWS::Logs::LogGroup").values()]
    assert len(groups) >= 7
    assert all(group["RetentionInDays"] >= 365 and group["KmsKeyId"] for group in groups)


def test_alarms_tell_somebody_and_know_what_silence_means(templates: Templates) -> None:
    alarms = {
        name: alarm for one in templates.values() for name, alarm in of_type(one, "AWS::CloudWatch::Alarm").items()
    }
    assert all(alarm["AlarmActions"] and alarm["TreatMissingData"] for alarm in alarms.values())
    # A metric that a log filter makes has no dimensions.
    assert [name for name, alarm in alarms.items() if not (alarm.get("Dimensions") or alarm.get("Metrics"))] == [
        "AuditTamperingAlarm"
    ]
    lag = alarms["ReplicationLagAlarm"]
    assert lag["TreatMissingData"] == "breaching"
    assert [dimension["Name"] for dimension in lag["Dimensions"]] == [
        "ReplicationInstanceIdentifier",
        "ReplicationTaskIdentifier",
    ]
    assert lag["Threshold"] == 30


def test_an_environment_over_lambda_s_limit_is_refused_at_its_line(monkeypatch) -> None:
    monkeypatch.setattr("compiler.function._ENVIRONMENT_LIMIT", 512)
    with pytest.raises(SpecError) as raised:
        compile_spec(parse((SPECS / "payments.yaml").read_text(), "migration.yaml", SPECS))
    [found] = raised.value.diagnostics
    assert found.code == "PMG311"
    assert found.path in (("api",), ("security", "secret_rotation"))


def test_both_engines_report_lag_and_the_log_that_the_source_keeps() -> None:
    """The validation function publishes it as often as it runs; whoever says nothing of its lag replicates nothing."""
    for name, lag in (
        ("logical-vpn", ("Paymig", "ReplicationLagSeconds")),
        ("payments", ("AWS/DMS", "CDCLatencyTarget")),
    ):
        compiled = compile_spec(load(SPECS / f"{name}.yaml"))
        monitoring = json.loads(compiled.templates["monitoring"])["Resources"]
        found = {key: one["Properties"] for key, one in monitoring.items()}
        alarm, slot = found["ReplicationLagAlarm"], found["SlotSizeAlarm"]
        assert (alarm["Namespace"], alarm["MetricName"], alarm["TreatMissingData"]) == (*lag, "breaching")
        assert (slot["MetricName"], slot["TreatMissingData"]) == ("ReplicationSlotBytes", "notBreaching")
        assert slot["Dimensions"] == [{"Name": "Migration", "Value": compiled.migration.full_name}]
        assert slot["Period"] == compiled.migration.validation.every.total_seconds()
        assert slot["Threshold"] == compiled.migration.monitoring.alarms.slot_size
        for metric in (alarm["MetricName"], slot["MetricName"]):
            assert metric in json.dumps(found["Dashboard"])


def test_a_pool_that_must_be_replaced_gets_another_name() -> None:
    """Its name is ours to give, and two of one name cannot live side by side while one takes over."""

    def name(text: str) -> str:
        compiled = compile_spec(parse(text, "migration.yaml", SPECS))
        return json.loads(compiled.templates["database"])["Resources"]["Proxy"]["Properties"]["DBProxyName"]

    text = (SPECS / "minimal.yaml").read_text()
    named = [
        name(f"{text}network: {network}\n") for network in ("{}", "{cidr: 10.21.0.0/16}", "{availability_zones: 2}")
    ]
    assert len(set(named)) == 3
    assert name(f"{text}database: {{instances: 3}}\n") == named[0]
    longest = name(text.replace("name: payments\nregion", f"name: {'n' * 24}\nenvironment: {'e' * 24}\nregion"))
    assert len(longest) <= 63
