"""Probes of functions, scaling, deployment, events and watching."""

from tests.embedded.contract import (
    ALARM,
    FUNCTION,
    KEY,
    ROLE,
    SCALING,
    TOPIC,
    TRUST,
    Probe,
    att,
    metric_math,
    ref,
    resource,
)

NO_ALIAS = {name: FUNCTION[name] for name in FUNCTION if name != "Live"}
NO_VERSION = {name: NO_ALIAS[name] for name in NO_ALIAS if name != "Version"}
DEFINITION = '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'
PIPELINE = {"App": resource("CodeDeploy::Application", ComputePlatform="Lambda")}
PROFILE = "arn:aws:signer:us-east-2:111122223333:/signing-profiles/p/abcdefghij"


def _metric(name):
    return {"Metric": {"Namespace": "AWS/Lambda", "MetricName": name}, "Period": 60, "Stat": "Sum"}


def _group(aws, it):
    found = [
        group
        for group in aws("logs").describe_log_groups(logGroupNamePrefix=it)["logGroups"]
        if group["logGroupName"] == it
    ]
    return found and found[0]["retentionInDays"] == 400 and found[0]["kmsKeyId"]


def _alarms(aws, it):
    found = aws("cloudwatch").describe_alarms(AlarmNames=[it], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return found["MetricAlarms"] + found["CompositeAlarms"]


def _subscription(aws, it):
    return [one for one in aws("sns").list_subscriptions()["Subscriptions"] if one["SubscriptionArn"] == it]


PROBES = [
    Probe(ROLE["Role"], lambda aws, it: aws("iam").get_role(RoleName=it)["Role"], attributes=("Arn",)),
    Probe(
        resource("IAM::ManagedPolicy", PolicyDocument=TRUST),
        lambda aws, it: aws("iam").get_policy(PolicyArn=it)["Policy"],
    ),
    Probe(FUNCTION["F"], lambda aws, it: aws("lambda").get_function(FunctionName=it)["Configuration"], ROLE, ("Arn",)),
    Probe(
        FUNCTION["Version"],
        lambda aws, it: aws("lambda").get_function(FunctionName=it)["Configuration"],
        NO_VERSION,
        ("Version",),
    ),
    Probe(
        resource(
            "Lambda::Alias",
            FunctionName=ref("F"),
            FunctionVersion=att("Version", "Version"),
            Name="live",
            ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": "2"},
        ),
        lambda aws, it: (
            aws("lambda").get_provisioned_concurrency_config(FunctionName=it.split(":")[6], Qualifier="live")[
                "RequestedProvisionedConcurrentExecutions"
            ]
            == 2
        ),
        NO_ALIAS,
    ),
    Probe(
        resource(
            "Lambda::Permission",
            FunctionName=ref("Live"),
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
        ),
        lambda aws, it: [
            one
            for function in aws("lambda").list_functions()["Functions"]
            for one in aws("lambda").get_policy(FunctionName=function["FunctionName"], Qualifier="live")["Policy"]
        ],
        FUNCTION,
    ),
    Probe(
        resource(
            "Lambda::CodeSigningConfig",
            AllowedPublishers={"SigningProfileVersionArns": [PROFILE]},
            CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
        ),
        lambda aws, it: (
            aws("lambda").get_code_signing_config(CodeSigningConfigArn=it)["CodeSigningConfig"]["CodeSigningPolicies"]
            == {"UntrustedArtifactOnDeployment": "Enforce"}
        ),
        attributes=("CodeSigningConfigArn", "CodeSigningConfigId"),
    ),
    Probe(
        SCALING["Scalable"],
        lambda aws, it: aws("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="lambda", ResourceIds=[it.split("|")[0]]
        )["ScalableTargets"],
        attributes=("Id",),
    ),
    Probe(
        resource(
            "ApplicationAutoScaling::ScalingPolicy",
            PolicyName="p",
            PolicyType="TargetTrackingScaling",
            ScalingTargetId=ref("Scalable"),
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": "0.7",
                "PredefinedMetricSpecification": {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"},
            },
        ),
        lambda aws, it: [
            one
            for one in aws("application-autoscaling").describe_scaling_policies(ServiceNamespace="lambda")[
                "ScalingPolicies"
            ]
            if one["PolicyARN"] == it
        ],
        SCALING,
        ("Arn",),
    ),
    Probe(
        PIPELINE["App"],
        lambda aws, it: (
            aws("codedeploy").get_application(applicationName=it)["application"]["computePlatform"] == "Lambda"
        ),
    ),
    Probe(
        resource(
            "CodeDeploy::DeploymentGroup",
            ApplicationName=ref("App"),
            ServiceRoleArn=att("Role", "Arn"),
            DeploymentGroupName="live",
            DeploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
            AlarmConfiguration={"Enabled": "true", "Alarms": [{"Name": "a"}]},
        ),
        lambda aws, it: next(
            aws("codedeploy").get_deployment_group(applicationName=name, deploymentGroupName=it)["deploymentGroupInfo"][
                "alarmConfiguration"
            ]["enabled"]
            for name in [*aws("codedeploy").list_applications()["applications"], "gone"]
        ),
        {**PIPELINE, **ROLE},
    ),
    Probe(
        resource("StepFunctions::StateMachine", DefinitionString=DEFINITION, RoleArn=att("Role", "Arn")),
        lambda aws, it: aws("stepfunctions").describe_state_machine(stateMachineArn=it)["definition"],
        ROLE,
        ("Arn", "Name"),
    ),
    Probe(TOPIC["Topic"], lambda aws, it: aws("sns").get_topic_attributes(TopicArn=it)["Attributes"]),
    Probe(
        resource("SNS::Subscription", TopicArn=ref("Topic"), Protocol="email", Endpoint="ops@example.com"),
        _subscription,
        TOPIC,
    ),
    Probe(
        resource("SQS::Queue"),
        lambda aws, it: aws("sqs").get_queue_attributes(QueueUrl=it, AttributeNames=["QueueArn"])["Attributes"],
        attributes=("Arn",),
    ),
    Probe(
        resource(
            "Logs::MetricFilter",
            LogGroupName=ref("Group"),
            FilterPattern="{ $.eventName = DisableKey }",
            MetricTransformations=[{"MetricNamespace": "Paymig", "MetricName": "m", "MetricValue": "1"}],
        ),
        lambda aws, it: aws("logs").describe_metric_filters(metricName="m", metricNamespace="Paymig")["metricFilters"],
        {"Group": resource("Logs::LogGroup")},
    ),
    Probe(resource("Logs::LogGroup", RetentionInDays="400", KmsKeyId=att("Key", "Arn")), _group, KEY, ("Arn",)),
    Probe(
        resource(
            "Events::Rule", EventPattern={"source": ["aws.cloudwatch"]}, Targets=[{"Id": "t", "Arn": ref("Topic")}]
        ),
        lambda aws, it: aws("events").list_targets_by_rule(Rule=it.split("|")[-1])["Targets"],
        TOPIC,
        ("Arn",),
    ),
    Probe(
        resource(
            "Scheduler::Schedule",
            ScheduleExpression="rate(5 minutes)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": att("F", "Arn"), "RoleArn": att("Role", "Arn")},
        ),
        lambda aws, it: aws("scheduler").get_schedule(Name=it)["ScheduleExpression"],
        NO_VERSION,
    ),
    Probe(ALARM["Alarm"], _alarms, attributes=("Arn",)),
    Probe(
        resource(
            "CloudWatch::Alarm",
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=5,
            Threshold=0.05,
            TreatMissingData="breaching",
            Metrics=[
                {"Id": "rate", "Expression": "errors / calls"},
                {"Id": "errors", "ReturnData": False, "MetricStat": _metric("Errors")},
                {"Id": "calls", "ReturnData": "false", "MetricStat": _metric("Invocations")},
            ],
        ),
        metric_math,
    ),
    Probe(resource("CloudWatch::CompositeAlarm", AlarmRule={"Fn::Sub": "ALARM(${Alarm})"}), _alarms, ALARM, ("Arn",)),
    Probe(
        resource("CloudWatch::Dashboard", DashboardBody='{"widgets": []}'),
        lambda aws, it: aws("cloudwatch").get_dashboard(DashboardName=it)["DashboardBody"],
    ),
    Probe(
        resource("SSM::Parameter", Type="String", Value="x"),
        lambda aws, it: aws("ssm").get_parameter(Name=it)["Parameter"],
    ),
]
