"""Replication, traffic, and the single writer."""

import json

from tests.compiler.design_rules import Stacks, dimensions, rule, settings


@rule(26)
def dms_roles_are_made_once(stacks: Stacks) -> None:
    assert not any("RoleName" in role for role in stacks.all("IAM::Role").values())
    roles = {
        resource["Properties"]["RoleName"]: resource
        for resource in stacks.bootstrap["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
    }
    assert roles.keys() == {"dms-cloudwatch-logs-role", "dms-vpc-role"}
    for role in roles.values():
        assert role["DeletionPolicy"] == "Retain"
        [statement] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"]["StringEquals"]["aws:SourceAccount"]


@rule(31)
def the_schema_is_not_dms_business(stacks: Stacks) -> None:
    assert settings(stacks)["FullLoadSettings"]["TargetTablePrepMode"] == "DO_NOTHING"
    assert settings(stacks)["FullLoadSettings"]["CreatePkAfterFullLoad"] is False


@rule(32)
def nothing_is_cut_off_and_nothing_skipped(stacks: Stacks) -> None:
    found = settings(stacks)
    assert found["ValidationSettings"]["EnableValidation"] is True
    assert found["TargetMetadata"]["LobMaxSize"] == 64 * 1024
    assert found["TargetMetadata"]["BatchApplyEnabled"] is True
    assert {value for name, value in found["ErrorBehavior"].items() if name.endswith("Policy")} == {"STOP_TASK"}
    assert found["ControlTablesSettings"]["StatusTableEnabled"] is True
    source = stacks.properties("replication.SourceEndpoint")["PostgreSqlSettings"]
    assert source["FailTasksOnLobTruncation"] is True


@rule(33)
def triggers_rest_while_rows_arrive(stacks: Stacks) -> None:
    target = stacks.properties("replication.TargetEndpoint")["PostgreSqlSettings"]
    assert target["AfterConnectScript"] == "SET session_replication_role = replica"
    assert stacks.variables("control.Switchover")["TARGET_SECRET_ARN"]


@rule(34)
def an_idle_source_does_not_fill_its_disk(stacks: Stacks) -> None:
    source = stacks.properties("replication.SourceEndpoint")["PostgreSqlSettings"]
    assert source["HeartbeatEnable"] is True
    assert source["PluginName"] == "test_decoding"
    alarm = stacks.alarms()["SourceLagAlarm"]
    assert alarm["MetricName"] == "CDCLatencySource"
    assert alarm["TreatMissingData"] == "breaching"


@rule(35)
def replication_survives_a_zone_and_reports(stacks: Stacks) -> None:
    instance = stacks.one("DMS::ReplicationInstance")
    assert instance["MultiAZ"] is True
    assert instance["ReplicationInstanceClass"].startswith("dms.r")
    assert instance["KmsKeyId"]
    assert stacks.one("DMS::EventSubscription")["SnsTopicArn"] == {"Ref": "Topic"}


@rule(36)
def one_table_says_who_the_writer_is(stacks: Stacks) -> None:
    for name in ("api.Function", "control.Switchover"):
        variables = stacks.variables(name)
        assert variables["PAYMIG_JOURNAL_TABLE"] == {"Ref": "JournalTable"}
        assert {"SOURCE_HOST", "TARGET_HOST"} <= variables.keys()
    assert "dynamodb:PutItem" not in stacks.rights("api.FunctionRole")
    assert stacks.properties("control.Switchover")["ReservedConcurrentExecutions"] == 1


@rule(37)
def the_target_can_replicate_back(stacks: Stacks) -> None:
    assert stacks.one("RDS::DBClusterParameterGroup")["Parameters"]["rds.logical_replication"] == "1"
    variables = stacks.variables("control.Switchover")
    assert {"SOURCE_ADMIN_SECRET_ARN", "TARGET_REPLICATION_SECRET_ARN", "TARGET_SECRET_ARN"} <= variables.keys()


@rule(38)
def going_back_stops_no_replication(stacks: Stacks) -> None:
    every = {(role, action) for role in stacks.all("IAM::Role") for action in stacks.rights(role)}
    assert {role for role, action in every if action.startswith("dms:")} == {"control.SwitchoverRole"}
    starts = [one for one in stacks.statements("control.SwitchoverRole") if "dms:StopReplicationTask" in one["Action"]]
    tasks = [{"Ref": f"Replication{which}TaskArn"} for which in ("", "Follow", "Reverse")]
    assert [one["Resource"] for one in starts] == [tasks]


def _records(stacks: Stacks) -> list[dict]:
    return stacks.one("Route53::RecordSetGroup")["RecordSets"]


@rule(39)
def both_records_are_of_one_type(stacks: Stacks) -> None:
    old, new = _records(stacks)
    assert old["Type"] == new["Type"] == "A"
    assert old["ResourceRecords"] == ["198.51.100.10", "198.51.100.11"]
    assert "AliasTarget" not in old
    assert new["AliasTarget"]["HostedZoneId"] == {"Ref": "LoadBalancerHostedZoneId"}


@rule(40)
def the_zone_is_the_operator_s(stacks: Stacks) -> None:
    assert not stacks.all("Route53::HostedZone")
    assert stacks.one("Route53::RecordSetGroup")["HostedZoneId"] == "Z0123456789ABCDEFGHIJ"
    assert _records(stacks)[0]["TTL"] == "30"


@rule(41)
def both_weights_move_in_one_change(stacks: Stacks) -> None:
    assert not stacks.all("Route53::RecordSet")
    assert len(_records(stacks)) == 2
    only = next(
        statement["Condition"]["ForAllValues:StringEquals"]
        for statement in stacks.statements("validation.RollbackRole")
        if statement["Action"] == "route53:ChangeResourceRecordSets"
    )
    assert only["route53:ChangeResourceRecordSetsActions"] == ["UPSERT"]


@rule(42)
def weights_are_given_at_deploy(stacks: Stacks) -> None:
    assert [record["Weight"] for record in _records(stacks)] == [{"Ref": "OldWeight"}, {"Ref": "NewWeight"}]
    assert {"OldWeight", "NewWeight"} <= stacks.templates["root"]["Parameters"].keys()


@rule(43)
def health_moves_no_traffic(stacks: Stacks) -> None:
    assert not any("HealthCheckId" in record for record in _records(stacks))
    assert _records(stacks)[1]["AliasTarget"]["EvaluateTargetHealth"] is False
    assert not stacks.all("Route53::HealthCheck")


@rule(44)
def a_step_is_a_weight(stacks: Stacks) -> None:
    for name in ("OldWeight", "NewWeight"):
        parameter = stacks.templates["root"]["Parameters"][name]
        assert (parameter["Type"], parameter["MinValue"], parameter["MaxValue"]) == ("Number", 0, 100)
    assert _records(stacks)[0]["SetIdentifier"] != _records(stacks)[1]["SetIdentifier"]


@rule(45)
def an_alarm_brings_the_traffic_back(stacks: Stacks) -> None:
    rule_ = stacks.one("Events::Rule")
    assert rule_["EventPattern"]["resources"] == [{"Ref": "MonitoringRollbackAlarmArn"}]
    [target] = rule_["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["Rollback", "Arn"]}
    assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    assert "ALARM(" in json.dumps(stacks.one("CloudWatch::CompositeAlarm")["AlarmRule"])
    assert stacks.one("Lambda::Alias")


@rule(48)
def validation_looks_at_both_sides(stacks: Stacks) -> None:
    variables = stacks.variables("validation.Validation")
    assert {"SOURCE_SECRET_ARN", "TARGET_SECRET_ARN"} <= variables.keys()
    assert stacks.alarms()["ValidationMismatchAlarm"]["MetricName"] == "ValidationMismatches"


@rule(49)
def validation_runs_and_its_silence_is_heard(stacks: Stacks) -> None:
    every = {name.split(".")[1]: one["ScheduleExpression"] for name, one in stacks.all("Scheduler::Schedule").items()}
    assert every == {"ChangesSchedule": "rate(5 minutes)", "EverythingSchedule": "rate(360 minutes)"}
    age = stacks.alarms()["ValidationAgeAlarm"]
    assert (age["TreatMissingData"], age["Statistic"]) == ("breaching", "SampleCount")
    assert dimensions(age) == {"Migration": "payments-prod"}
