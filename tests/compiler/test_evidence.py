"""What the templates show is shown with its property, and no longer once the property is gone."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from compiler.compile import Compiled, compile_spec
from compiler.evidence.assess import Finding, Verdict, assess, unshown
from compiler.evidence.html import html
from compiler.evidence.inventories import inventories
from compiler.evidence.markdown import markdown
from compiler.evidence.reachability import ANYWHERE, Ports, matrix
from compiler.evidence.report import Report, report, to_json
from compiler.evidence.requirements import REQUIREMENTS
from compiler.linked import link
from schemas.load import load
from tests.strategies import SPECS

Templates = dict[str, dict[str, Any]]
Mutation = Callable[[Templates], None]


def judged(templates: Templates) -> dict[str, Finding]:
    return {number: found for found in assess(link(templates, {})) for number in found.requirement.numbers}


def of_type(templates: Templates, type_: str) -> list[dict[str, Any]]:
    found = [
        resource
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == f"AWS::{type_}"
    ]
    assert found, type_
    return found


def put(type_: str, path: str, value: Any) -> Mutation:
    """Set a property of the first resource of a type that has its parent; `path` is separated by slashes."""

    def change(templates: Templates) -> None:
        *parents, last = path.split("/")
        for resource in of_type(templates, type_):
            inner = resource["Properties"]
            try:
                for key in parents:
                    inner = inner[int(key)] if isinstance(inner, list) else inner[key]
            except (KeyError, IndexError):
                continue
            inner[int(last) if isinstance(inner, list) else last] = value
            return
        pytest.fail(f"no {type_} has {path}")

    return change


def take(type_: str, path: str) -> Mutation:
    """Remove a property from every resource of a type."""

    def change(templates: Templates) -> None:
        for resource in of_type(templates, type_):
            *parents, last = path.split("/")
            inner = resource["Properties"]
            for key in parents:
                inner = inner[key]
            inner.pop(last, None)

    return change


def drop(type_: str) -> Mutation:
    """Remove every resource of a type, with what refers to it left as it is."""

    def change(templates: Templates) -> None:
        of_type(templates, type_)
        for template in templates.values():
            template["Resources"] = {
                key: value for key, value in template["Resources"].items() if value["Type"] != f"AWS::{type_}"
            }

    return change


def inbound(cidr: str, first: int, last: int, protocol: str = "tcp") -> Mutation:
    def change(templates: Templates) -> None:
        rule = {"CidrIp": cidr, "FromPort": first, "ToPort": last, "IpProtocol": protocol, "Description": "Test."}
        group = templates["security"]["Resources"]["DatabaseGroup"]
        group["Properties"].setdefault("SecurityGroupIngress", []).append(rule)

    return change


def outbound(cidr: str, protocol: str) -> Mutation:
    def change(templates: Templates) -> None:
        rule = {"CidrIp": cidr, "IpProtocol": protocol, "Description": "Test."}
        templates["security"]["Resources"]["DatabaseGroup"]["Properties"]["SecurityGroupEgress"].append(rule)

    return change


def route_out_of_the_isolated_subnets(templates: Templates) -> None:
    templates["network"]["Resources"]["WayOut"] = {
        "Type": "AWS::EC2::Route",
        "Properties": {
            "RouteTableId": {"Ref": "IsolatedRouteTable"},
            "DestinationCidrBlock": "0.0.0.0/0",
            "GatewayId": {"Ref": "InternetGateway"},
        },
    }


def attributes_off(templates: Templates) -> None:
    [balancer] = of_type(templates, "ElasticLoadBalancingV2::LoadBalancer")
    for entry in balancer["Properties"]["LoadBalancerAttributes"]:
        if entry["Key"] == "access_logs.s3.enabled":
            entry["Value"] = "false"


def grant(action: str) -> Mutation:
    return put("IAM::Role", "Policies/0/PolicyDocument/Statement/0/Action", action)


def count_only(templates: Templates) -> None:
    [firewall] = of_type(templates, "WAFv2::WebACL")
    rule = next(rule for rule in firewall["Properties"]["Rules"] if "OverrideAction" in rule)
    rule["OverrideAction"] = {"Count": {}}


def expire_soon(templates: Templates) -> None:
    bucket = next(one for one in of_type(templates, "S3::Bucket") if "LifecycleConfiguration" in one["Properties"])
    bucket["Properties"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] = 90


def freeze_soon(templates: Templates) -> None:
    bucket = next(one for one in of_type(templates, "S3::Bucket") if "LifecycleConfiguration" in one["Properties"])
    rule = bucket["Properties"]["LifecycleConfiguration"]["Rules"][0]
    rule["Transitions"] = [{"StorageClass": "GLACIER", "TransitionInDays": 30}]


FLIPS: list[tuple[str, Mutation]] = [
    ("1.2.5", take("EC2::SecurityGroupIngress", "Description")),
    ("1.2.5", take("EC2::SecurityGroupEgress", "Description")),
    ("1.3.1", inbound("0.0.0.0/0", 5432, 5432)),
    ("1.3.1", inbound("::/0", 443, 8443)),
    ("1.3.1", inbound("10.20.0.0/16", -1, -1, "-1")),
    ("1.3.2", outbound("0.0.0.0/0", "-1")),
    ("1.3.2", outbound("0.0.0.0/0", "udp")),
    ("1.3.2", take("EC2::SecurityGroup", "SecurityGroupEgress")),
    ("1.3.2", take("EC2::VPCEndpoint", "PolicyDocument")),
    ("1.4.1", take("EC2::SecurityGroupIngress", "SourceSecurityGroupId")),
    ("1.4.2", drop("WAFv2::WebACLAssociation")),
    ("1.4.4", put("RDS::DBInstance", "PubliclyAccessible", True)),
    ("1.4.4", put("DMS::ReplicationInstance", "PubliclyAccessible", "true")),
    ("1.4.4", take("RDS::DBInstance", "PubliclyAccessible")),
    ("1.4.4", take("RDS::DBSubnetGroup", "SubnetIds")),
    ("1.4.4", route_out_of_the_isolated_subnets),
    ("1.4.5", put("EC2::Subnet", "MapPublicIpOnLaunch", True)),
    ("2.2.2", put("RDS::DBCluster", "MasterUsername", "postgres")),
    ("3.5.1", put("RDS::DBCluster", "StorageEncrypted", False)),
    ("3.5.1.2", take("RDS::DBCluster", "KmsKeyId")),
    ("3.5.1", take("DMS::ReplicationInstance", "KmsKeyId")),
    ("3.6.1", take("KMS::Key", "KeyPolicy")),
    ("3.7.4", put("KMS::Key", "EnableKeyRotation", False)),
    ("3.7.4", put("KMS::Key", "RotationPeriodInDays", 2560)),
    ("3.7.5", put("KMS::Key", "PendingWindowInDays", 7)),
    ("4.2.1", put("ElasticLoadBalancingV2::Listener", "SslPolicy", "ELBSecurityPolicy-2016-08")),
    ("4.2.1", put("ElasticLoadBalancingV2::Listener", "SslPolicy", "ELBSecurityPolicy-FS-1-2-Res-2020-10")),
    ("4.2.1", put("DMS::Endpoint", "SslMode", "require")),
    ("4.2.1", put("RDS::DBClusterParameterGroup", "Parameters/rds.force_ssl", "0")),
    ("4.2.1", put("RDS::DBProxy", "RequireTLS", False)),
    ("4.2.1.1", drop("CertificateManager::Certificate")),
    ("4.2.1.1", take("RDS::DBInstance", "CACertificateIdentifier")),
    ("4.2.1.1", take("DMS::Certificate", "CertificatePem")),
    ("6.3.3", put("RDS::DBInstance", "AutoMinorVersionUpgrade", False)),
    ("6.3.3", put("DMS::ReplicationInstance", "AutoMinorVersionUpgrade", False)),
    ("6.3.3", put("Lambda::Function", "Runtime", "python3.9")),
    ("6.4.2", drop("WAFv2::WebACLAssociation")),
    ("6.4.2", take("WAFv2::WebACL", "Rules")),
    ("6.4.2", count_only),
    ("6.4.2", drop("WAFv2::LoggingConfiguration")),
    ("6.5.3", take("EC2::VPC", "Tags")),
    ("7.2.1", grant("*")),
    ("7.2.2", grant("s3:*")),
    ("7.2.5", put("IAM::Role", "ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"])),
    ("7.2.5", put("IAM::Role", "ManagedPolicyArns", [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/ReadOnly"}])),
    ("7.2.6", put("RDS::DBCluster", "EnableIAMDatabaseAuthentication", False)),
    ("8.3.2", take("SecretsManager::Secret", "KmsKeyId")),
    ("8.6.2", put("RDS::DBCluster", "MasterUserPassword", "not-a-real-one")),
    ("8.6.2", put("DMS::Endpoint", "Password", "not-a-real-one")),
    ("8.6.2", put("SecretsManager::Secret", "SecretString", "not-a-real-one")),
    ("8.6.3", drop("SecretsManager::RotationSchedule")),
    ("8.6.3", take("RDS::DBCluster", "ManageMasterUserPassword")),
    ("10.2.1", put("RDS::DBCluster", "EnableCloudwatchLogsExports", [])),
    ("10.2.1", put("RDS::DBClusterParameterGroup", "Parameters/shared_preload_libraries", "pg_stat_statements")),
    ("10.2.1", put("EC2::FlowLog", "TrafficType", "REJECT")),
    ("10.2.1", attributes_off),
    ("10.3.1", take("Logs::LogGroup", "KmsKeyId")),
    ("10.3.2", drop("S3::BucketPolicy")),
    ("10.5.1", put("Logs::LogGroup", "RetentionInDays", 30)),
    ("10.5.1", take("Logs::LogGroup", "RetentionInDays")),
    ("10.5.1", expire_soon),
    ("10.5.1", freeze_soon),
    ("10.7.2", take("CloudWatch::Alarm", "AlarmActions")),
    ("10.7.2", drop("Events::Rule")),
    ("12.3.3", take("ElasticLoadBalancingV2::Listener", "SslPolicy")),
    ("12.5.1", take("EC2::VPC", "Tags")),
    ("12.10.5", drop("SNS::Subscription")),
]  # fmt: skip
"""What must show each requirement no longer."""

ACCOUNT_WIDE = {
    "trail": ("CloudTrail::Trail", {"IsLogging": True, "EnableLogFileValidation": True, "S3BucketName": "x"}),
    "lock": ("S3::Bucket", {"ObjectLockEnabled": True}),
    "filter": ("Logs::MetricFilter", {"FilterPattern": "ERROR"}),
    "detector": ("GuardDuty::Detector", {"Enable": True}),
    "signed": ("Lambda::Function", {"CodeSigningConfigArn": "x", "Runtime": "python3.13"}),
}
"""What an example may leave to the account; with it, everything that has a check must be shown."""


@pytest.fixture
def full(templates: Templates) -> Templates:
    whole = deepcopy(templates)
    for name, (type_, properties) in ACCOUNT_WIDE.items():
        whole["monitoring"]["Resources"][name] = {"Type": f"AWS::{type_}", "Properties": properties}
    return whole


def test_every_requirement_with_a_check_can_be_shown(full: Templates) -> None:
    verdicts = {number: found.verdict for number, found in judged(full).items()}
    for requirement in REQUIREMENTS:
        wanted = Verdict.SHOWN if requirement.checks else Verdict.LEFT
        assert {verdicts[number] for number in requirement.numbers} == {wanted}, requirement.number
        assert requirement.checks or requirement.process


def test_the_example_shows_all_but_what_is_left_to_the_account(templates: Templates) -> None:
    account = {"10.2.1", "10.3.1", "10.3.2", "10.3.4", "10.4.1.1", "11.5.1", "11.5.2"}
    found = judged(templates)
    for number, finding in found.items():
        if finding.requirement.checks and number not in account:
            assert finding.verdict is Verdict.SHOWN, (number, finding.failed, finding.missing)


@pytest.mark.parametrize(("number", "mutation"), FLIPS)
def test_a_template_that_lacks_it_does_not_show_it(number: str, mutation: Mutation, full: Templates) -> None:
    mutation(full)
    finding = judged(full)[number]
    assert finding.verdict is Verdict.NOT_SHOWN
    assert finding.failed or finding.missing


def test_every_check_is_tried() -> None:
    tried = {number for number, _ in FLIPS} | {"10.3.4", "10.4.1.1", "11.5.1", "11.5.2"}
    for requirement in REQUIREMENTS:
        assert not requirement.checks or tried & set(requirement.numbers), requirement.number


@pytest.mark.parametrize(
    ("name", "number", "verdict"),
    [
        ("trail", "10.2.1", Verdict.NOT_SHOWN),
        ("trail", "10.3.4", Verdict.NOT_SHOWN),
        ("lock", "10.3.1", Verdict.NOT_SHOWN),
        ("filter", "10.4.1.1", Verdict.LEFT),
        ("detector", "11.5.1", Verdict.LEFT),
        ("signed", "11.5.2", Verdict.NOT_SHOWN),
    ],
)
def test_what_is_nowhere_is_left_or_not_shown(name: str, number: str, verdict: Verdict, full: Templates) -> None:
    type_, properties = ACCOUNT_WIDE[name]
    for template in full.values():
        for resource in template["Resources"].values():
            if resource["Type"] == f"AWS::{type_}":
                resource["Properties"] = {k: v for k, v in resource["Properties"].items() if k not in properties}
                if type_ in ("CloudTrail::Trail", "Logs::MetricFilter", "GuardDuty::Detector"):
                    resource["Type"] = "AWS::SNS::Topic"
    assert judged(full)[number].verdict is verdict


def test_what_is_said_wrongly_is_never_left_to_process(full: Templates) -> None:
    put("GuardDuty::Detector", "Enable", False)(full)
    finding = judged(full)["11.5.1"]
    assert finding.verdict is Verdict.NOT_SHOWN
    assert [(one.path, one.value) for one in finding.failed] == [("Enable", "false")]


def test_required_numbers_are_looked_up(templates: Templates) -> None:
    put("DMS::Endpoint", "SslMode", "none")(templates := deepcopy(templates))
    findings = assess(link(templates, {}))
    assert [number for number, _ in unshown(findings, ["1.3.1", "4.2.1", "11.3.1"])] == ["4.2.1", "11.3.1"]


def test_who_reaches_whom_is_read_off_both_sides(templates: Templates) -> None:
    found = matrix(link(templates, {}))
    assert found["Security/ProxyGroup", "Security/DatabaseGroup"] == (Ports("tcp", 5432, 5432),)
    assert found[ANYWHERE, "Security/LoadBalancerGroup"] == (Ports("tcp", 443, 443),)
    assert ("Security/ApiGroup", "Security/DatabaseGroup") not in found, "only through the connection pool"
    assert not [pair for pair in found if pair[0] == ANYWHERE and pair[1] != "Security/LoadBalancerGroup"]
    narrowed = deepcopy(templates)
    del narrowed["security"]["Resources"]["ProxyGroupToDatabaseGroup"]
    assert ("Security/ProxyGroup", "Security/DatabaseGroup") not in matrix(link(narrowed, {}))
    # A rule for the whole VPC lets in the groups that may send there.
    assert ("Security/ApiGroup", "Network/EndpointGroup") in found


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Ports("tcp", 1, 10), Ports("tcp", 5, 20), "tcp 5-10"),
        (Ports("tcp", 1, 10), Ports("tcp", 11, 20), None),
        (Ports("tcp", 1, 10), Ports("udp", 1, 10), None),
        (Ports("all", 0, 65535), Ports("tcp", 443, 443), "tcp 443"),
        (Ports("tcp", 0, 65535), Ports("all", 0, 65535), "tcp"),
        (Ports("all", 0, 65535), Ports("all", 0, 65535), "all"),
    ],
)
def test_ports_that_both_allow(one: Ports, other: Ports, both: str | None) -> None:
    shared = one.both(other)
    assert (shared and str(shared)) == both


@pytest.fixture(scope="module")
def made(payments: Compiled) -> Report:
    return report(payments)


def test_inventories_name_what_is_there(templates: Templates) -> None:
    linked = link(templates, {})
    lists = {one.title: one for one in inventories(linked, lambda _: "spec:1")}
    stacks = sum(resource.type == "AWS::CloudFormation::Stack" for resource in linked.values())
    assert len(lists["Components in scope"].rows) == len(linked) - stacks
    assert {row[0] for row in lists["Keys"].rows} == {r.place for r in linked.values() if r.type == "AWS::KMS::Key"}
    [data] = [row for row in lists["Keys"].rows if row[0] == "Security/DataKey"]
    assert "Database/Cluster" in data[-1] and "every 365 days" in data
    assert len({row[2] for row in lists["Certificates"].rows if row[2].startswith("SHA-256 ")}) == 2
    assert ("LoadBalancer/Listener", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06") in {
        (row[0], row[2]) for row in lists["Cipher policies and protocols"].rows
    }
    for one in lists.values():
        assert one.rows and all(len(row) == len(one.columns) for row in one.rows)


class Tags(HTMLParser):
    """Checks that elements are closed in order, and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.loads += [value or "" for name, value in attributes if name in ("src", "href") and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_html_is_whole_and_loads_nothing(made: Report) -> None:
    page = Tags()
    page.feed(html(made))
    page.close()
    assert page.open == []
    assert page.loads and all(target.startswith("#") for target in page.loads)
    assert "<script" not in html(made) and "url(" not in html(made)
    for finding in made.findings:
        assert finding.requirement.what in page.text


def test_markup_in_a_value_stays_text(full: Templates, made: Report) -> None:
    put("EC2::SecurityGroupIngress", "Description", "<b>| *x*")(full)
    linked = link(full, {})
    odd = replace(made, findings=assess(linked), inventories=inventories(linked, lambda _: ""))
    assert "&lt;b&gt;| *x*" in html(odd) and "<b>" not in html(odd)
    assert r"\<b\>\| \*x\*" in markdown(odd)


def test_all_formats_say_the_same(made: Report) -> None:
    data = json.loads(to_json(made))
    assert data["summary"] == {verdict.value: made.count(verdict) for verdict in Verdict}
    assert len(data["requirements"]) == len(REQUIREMENTS)
    text = markdown(made)
    for row in data["requirements"]:
        assert f"### {'/'.join(row['numbers'])}: {row['what']}\n\n**{row['verdict'].capitalize()}.**" in text
    lines = {one["line"] for row in data["requirements"] for one in row["shown"]}
    assert all(re.fullmatch(r".*payments\.yaml:[1-9]\d*", line) for line in lines)
    assert "compliant" not in (text + html(made) + to_json(made)).lower()


def test_the_same_spec_gives_the_same_report(made: Report) -> None:
    assert report(compile_spec(load(SPECS / "payments.yaml"))) == made
