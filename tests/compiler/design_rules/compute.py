"""Functions, and the database they stand on."""

import re

from tests.compiler.design_rules import Stacks, listed, rule

API = "api.Function"


@rule(20)
def code_is_built_and_named_by_its_hash(stacks: Stacks) -> None:
    functions = stacks.all("Lambda::Function")
    keys = {name: function["Code"]["S3Key"] for name, function in functions.items()}
    assert len(set(keys.values())) == len(functions)
    assert all(re.search(r"[0-9a-f]{32,64}", key) for key in keys.values())
    assert all(function["Layers"] for function in functions.values())


@rule(21)
def capacity_scales_on_the_alias(stacks: Stacks) -> None:
    alias = stacks.one("Lambda::Alias")
    assert alias["ProvisionedConcurrencyConfig"]["ProvisionedConcurrentExecutions"] == 2
    target = stacks.one("ApplicationAutoScaling::ScalableTarget")
    assert target["ScalableDimension"] == "lambda:function:ProvisionedConcurrency"
    assert target["ResourceId"]["Fn::Sub"].endswith(f":{alias['Name']}")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 50)
    policy = stacks.one("ApplicationAutoScaling::ScalingPolicy")
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 0.7
    assert all(function["ReservedConcurrentExecutions"] for function in stacks.all("Lambda::Function").values())


@rule(22)
def traffic_goes_to_the_alias_of_a_version(stacks: Stacks) -> None:
    [version] = [name.split(".")[1] for name in stacks.all("Lambda::Version")]
    assert stacks.one("Lambda::Alias")["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}
    assert stacks.templates["api"]["Outputs"]["AliasArn"]["Value"] == {"Ref": "Alias"}
    [target] = stacks.one("ElasticLoadBalancingV2::TargetGroup")["Targets"]
    permission = stacks.properties("load_balancer.InvokePermission")
    assert target["Id"] == permission["FunctionName"] == {"Ref": "ApiAliasArn"}
    assert permission["SourceArn"]


@rule(23)
def a_pool_stands_before_the_database(stacks: Stacks) -> None:
    pool = stacks.one("RDS::DBProxyTargetGroup")
    assert pool["ConnectionPoolConfigurationInfo"]["MaxConnectionsPercent"] == 90
    assert stacks.variables(API)["TARGET_HOST"] == {"Ref": "DatabaseProxyEndpoint"}
    assert stacks.one("RDS::DBCluster")["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 1.0, "MaxCapacity": 32.0}


@rule(24)
def functions_are_traced_encrypted_and_current(stacks: Stacks) -> None:
    for function in stacks.all("Lambda::Function").values():
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["KmsKeyArn"]
        assert function["Runtime"] == "python3.13"
    assert stacks.one("ElasticLoadBalancingV2::TargetGroup")["HealthCheckEnabled"] is True


@rule(28)
def the_engine_is_a_version_that_can_be_made(stacks: Stacks) -> None:
    assert stacks.one("RDS::DBCluster")["EngineVersion"] == "16.9"
    assert all(instance["AutoMinorVersionUpgrade"] is True for instance in stacks.all("RDS::DBInstance").values())


@rule(29)
def the_database_is_hard_to_lose(stacks: Stacks) -> None:
    [name] = stacks.all("RDS::DBCluster")
    cluster = stacks.resource(name)
    assert (cluster["DeletionPolicy"], cluster["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")
    assert cluster["Properties"]["DeletionProtection"] is True
    assert cluster["Properties"]["BackupRetentionPeriod"] == 35
    assert cluster["Properties"]["CopyTagsToSnapshot"] is True


@rule(30)
def the_database_is_audited_and_can_replicate_back(stacks: Stacks) -> None:
    parameters = stacks.one("RDS::DBClusterParameterGroup")["Parameters"]
    assert parameters["rds.logical_replication"] == "1"
    assert parameters["rds.force_ssl"] == "1"
    assert "pgaudit" in parameters["shared_preload_libraries"].split(",")
    instances = stacks.all("RDS::DBInstance").values()
    assert len(instances) == 2
    for instance in instances:
        assert instance["MonitoringInterval"] == 60
        assert instance["PerformanceInsightsKMSKeyId"]
        assert "PromotionTier" in instance


@rule(46)
def a_failed_run_is_told_to_somebody(stacks: Stacks) -> None:
    for function in ("Rollback", "Validation"):
        configured = stacks.properties(f"validation.{function}Failures")
        assert configured["FunctionName"] == {"Ref": function}
        assert configured["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
        assert stacks.alarms()[f"{function}ErrorsAlarm"]["AlarmActions"]


@rule(47)
def the_way_back_knows_its_record_and_its_topic(stacks: Stacks) -> None:
    variables = stacks.variables("validation.Rollback")
    assert variables["HOSTED_ZONE_ID"] == "Z0123456789ABCDEFGHIJ"
    assert variables["RECORD_TYPE"] == "A"
    assert all(variables[name] for name in ("RECORD_NAME", "OLD_SET_IDENTIFIER", "NEW_SET_IDENTIFIER", "TOPIC_ARN"))
    [publish] = [one for one in stacks.statements("validation.RollbackRole") if "sns:Publish" in listed(one["Action"])]
    assert publish["Resource"] == variables["TOPIC_ARN"]
