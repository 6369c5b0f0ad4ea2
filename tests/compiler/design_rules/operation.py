"""What is seen, what is written down, how the stacks are cut."""

import json

from compiler.plan.stateful import LOST
from tests.compiler.design_rules import Stacks, dimensions, rule


@rule(50)
def alarms_look_where_the_data_is(stacks: Stacks) -> None:
    alarms = stacks.alarms()
    for name, alarm in alarms.items():
        # A metric that a log filter makes has no dimensions.
        assert alarm.get("Metrics") or alarm.get("Dimensions") or name == "AuditTamperingAlarm"
    lag = alarms["ReplicationLagAlarm"]
    assert dimensions(lag).keys() == {"ReplicationInstanceIdentifier", "ReplicationTaskIdentifier"}
    assert lag["TreatMissingData"] == "breaching"
    body = json.loads(stacks.one("CloudWatch::Dashboard")["DashboardBody"]["Fn::Sub"])
    for widget in body["widgets"]:
        assert all(len(metric) >= 4 for metric in widget["properties"]["metrics"])


@rule(51)
def the_load_balancer_is_known_by_its_full_name(stacks: Stacks) -> None:
    outputs = stacks.templates["load_balancer"]["Outputs"]
    assert outputs["FullName"]["Value"] == {"Fn::GetAtt": ["LoadBalancer", "LoadBalancerFullName"]}
    assert outputs["TargetGroupFullName"]["Value"] == {"Fn::GetAtt": ["TargetGroup", "TargetGroupFullName"]}
    assert dimensions(stacks.alarms()["LatencyAlarm"]) == {
        "LoadBalancer": {"Ref": "LoadBalancerFullName"},
        "TargetGroup": {"Ref": "LoadBalancerTargetGroupFullName"},
    }


@rule(52)
def rates_and_tails_are_watched(stacks: Stacks) -> None:
    alarms = stacks.alarms()
    rate, *counts = alarms["ErrorRateAlarm"]["Metrics"]
    assert "/" in rate["Expression"]
    assert {one["MetricStat"]["Metric"]["MetricName"] for one in counts} == {
        "RequestCount",
        "HTTPCode_ELB_5XX_Count",
        "HTTPCode_Target_5XX_Count",
    }
    assert alarms["LatencyAlarm"]["ExtendedStatistic"] == "p99"
    watched = {alarm["MetricName"] for alarm in alarms.values() if "MetricName" in alarm}
    assert watched >= {
        "ACUUtilization",
        "BlockedRequests",
        "CDCLatencySource",
        "CDCLatencyTarget",
        "DatabaseConnections",
        "DaysToExpiry",
        "Throttles",
    }


@rule(53)
def alarms_reach_a_person(stacks: Stacks) -> None:
    assert stacks.one("SNS::Subscription")["Endpoint"] == "payments-oncall@example.com"
    assert stacks.one("SNS::Topic")["KmsMasterKeyId"] == {"Ref": "NetworkLogsKeyArn"}
    services = {
        service
        for statement in stacks.one("SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        for service in [statement["Principal"].get("Service")]
        if isinstance(service, str)
    }
    assert "cloudwatch.amazonaws.com" in services
    key = stacks.properties("network.LogsKey")["KeyPolicy"]["Statement"]
    assert any("cloudwatch.amazonaws.com" in (one["Principal"].get("Service") or ()) for one in key)
    body = stacks.one("CloudWatch::Dashboard")["DashboardBody"]["Fn::Sub"]
    assert '"region": "${AWS::Region}"' in body


@rule(54)
def a_year_of_logs_that_nobody_changes(stacks: Stacks) -> None:
    groups = stacks.all("Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {400}
    assert {"FlowLogGroup", "QueryLogGroup", "FirewallLogs", "AuditLogGroup"} <= {name.split(".")[1] for name in groups}
    assert stacks.one("EC2::FlowLog")["TrafficType"] == "ALL"
    assert stacks.one("Route53Resolver::ResolverQueryLoggingConfigAssociation")["ResourceId"] == {"Ref": "Vpc"}
    trail = stacks.one("CloudTrail::Trail")
    assert trail["EnableLogFileValidation"] is trail["IsLogging"] is True
    kinds = {
        value
        for selector in trail["AdvancedEventSelectors"]
        for field in selector["FieldSelectors"]
        if field["Field"] in ("eventCategory", "resources.type")
        for value in field["Equals"]
    }
    assert kinds == {"Management", "Data", "AWS::S3::Object", "AWS::DynamoDB::Table"}
    bucket = stacks.properties("monitoring.AuditLogs")
    assert trail["S3BucketName"] == {"Ref": "AuditLogs"}
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Days"] == 400


@rule(55)
def values_flow_by_parameters_and_outputs(stacks: Stacks) -> None:
    nested = stacks.all("CloudFormation::Stack")
    assert len(nested) == len(stacks.templates) - 1
    assert not any(
        "Export" in output for one in stacks.templates.values() for output in one.get("Outputs", {}).values()
    )
    assert "Fn::ImportValue" not in stacks.text()


@rule(56)
def names_are_generated_and_everything_is_owned(stacks: Stacks) -> None:
    physical = (
        "BucketName",
        "DBClusterIdentifier",
        "FunctionName",
        "LogGroupName",
        "Name",
        "QueueName",
        "RoleName",
    )
    named = {
        logical_id: key
        for template in stacks.templates.values()
        for logical_id, resource in template["Resources"].items()
        for key in physical
        if isinstance(resource.get("Properties", {}).get(key), str)
    }
    assert named == {"FirewallLogs": "LogGroupName", "Alias": "Name"}
    for name, stack in stacks.all("CloudFormation::Stack").items():
        assert {"Migration", "Environment", "Owner", "CostCenter"} <= {tag["Key"] for tag in stack["Tags"]}, name
    for kind in ("EC2::VPC", "RDS::DBCluster", "S3::Bucket", "KMS::Key", "Lambda::Function", "IAM::Role"):
        for found in stacks.all(kind).values():
            assert {"Key": "Owner", "Value": "payments-platform"} in found["Tags"]
    for kind in ("RDS::DBCluster", "S3::Bucket", "KMS::Key"):
        for name in stacks.all(kind):
            assert stacks.resource(name)["DeletionPolicy"] in ("Retain", "Snapshot")
            assert stacks.resource(name)["UpdateReplacePolicy"] in ("Retain", "Snapshot")
    # The policies of deployed stacks keep these types (tests/paymig/test_protection.py): whatever is retained is one.
    retained = {
        resource["Type"]
        for template in stacks.templates.values()
        for resource in template["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert retained - {"AWS::Lambda::Version"} <= LOST.keys()
