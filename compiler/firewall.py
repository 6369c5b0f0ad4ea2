"""The web application firewall, beside what it protects."""

from datetime import timedelta
from typing import Any

from troposphere import GetAtt, Sub
from troposphere.logs import LogGroup
from troposphere.wafv2 import (
    AllowAction,
    BlockAction,
    Body,
    DefaultAction,
    FieldToMatch,
    LoggingConfiguration,
    LoggingConfigurationFieldToMatch,
    ManagedRuleGroupStatement,
    OverrideAction,
    RateBasedStatement,
    RuleAction,
    SingleHeader,
    SizeConstraintStatement,
    Statement,
    TextTransformation,
    VisibilityConfig,
    WebACL,
    WebACLAssociation,
    WebACLRule,
)

from compiler import names, policy
from compiler.component import Component
from schemas.migration import Migration

_AS_THE_GROUP_SAYS: dict[str, Any] = {"None": {}}
_INSPECTED_BYTES = 8192  # how much of a body the firewall sees in front of a load balancer
_MANAGED = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
)


def firewall(component: Component, migration: Migration, *, balancer: Any, logs_key: Any) -> None:
    """Put a firewall in front of a load balancer.

    Args:
        component: the load balancer's component.
        migration: the spec.
        balancer: the load balancer's ARN.
        logs_key: the ARN of the key that encrypts its log.
    """
    web_acl = component.add(
        WebACL(
            "Firewall",
            Scope="REGIONAL",
            Description="In front of the payments API.",
            DefaultAction=DefaultAction(Allow=AllowAction()),
            Rules=_rules(migration),
            VisibilityConfig=_visibility(names.firewall_metric(migration)),
        ),
        "security.waf",
        Rules="security.waf",
        **{"VisibilityConfig.MetricName": names.FULL_NAME},
    )
    component.add(
        WebACLAssociation("FirewallAssociation", ResourceArn=balancer, WebACLArn=GetAtt(web_acl, "Arn")),
        "security.waf",
    )
    name = names.firewall_log_group(migration)
    group = component.add(
        LogGroup(
            "FirewallLogs",
            LogGroupName=name,
            KmsKeyId=logs_key,
            RetentionInDays=policy.LOG_RETENTION_DAYS,
        ),
        "security.waf",
        LogGroupName=names.FULL_NAME,
    )
    component.add(
        LoggingConfiguration(
            "FirewallLogging",
            ResourceArn=GetAtt(web_acl, "Arn"),
            # WAF wants the group's ARN without the ":*" that GetAtt ends with.
            LogDestinationConfigs=[
                Sub(f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{name}")
            ],
            RedactedFields=[
                LoggingConfigurationFieldToMatch(SingleHeader=SingleHeader(Name=header))
                for header in ("authorization", "cookie")
            ],
            DependsOn=group.title,
        ),
        "security.waf",
        LogDestinationConfigs=names.FULL_NAME,
    )


def _rules(migration: Migration) -> list[WebACLRule]:
    limit = migration.security.waf.rate_limit
    rules = [
        WebACLRule(
            Name="RateLimit",
            Priority=0,
            Action=RuleAction(Block=BlockAction()),
            Statement=Statement(
                RateBasedStatement=RateBasedStatement(
                    AggregateKeyType="IP",
                    EvaluationWindowSec=limit.window // timedelta(seconds=1),
                    Limit=limit.requests,
                )
            ),
            VisibilityConfig=_visibility("RateLimit"),
        ),
        WebACLRule(
            Name="BodySize",
            Priority=1,
            Action=RuleAction(Block=BlockAction()),
            Statement=Statement(
                SizeConstraintStatement=SizeConstraintStatement(
                    ComparisonOperator="GT",
                    # What does not fit is not looked at: padding would carry an attack past every other rule.
                    FieldToMatch=FieldToMatch(Body=Body(OversizeHandling="MATCH")),
                    Size=_INSPECTED_BYTES,
                    TextTransformations=[TextTransformation(Priority=0, Type="NONE")],
                )
            ),
            VisibilityConfig=_visibility("BodySize"),
        ),
    ]
    if migration.security.waf.managed_rules == "default":
        rules += [
            WebACLRule(
                Name=name,
                Priority=priority,
                OverrideAction=OverrideAction(**_AS_THE_GROUP_SAYS),
                Statement=Statement(ManagedRuleGroupStatement=ManagedRuleGroupStatement(Name=name, VendorName="AWS")),
                VisibilityConfig=_visibility(name),
            )
            for priority, name in enumerate(_MANAGED, len(rules))
        ]
    return rules


def _visibility(metric: str) -> VisibilityConfig:
    return VisibilityConfig(CloudWatchMetricsEnabled=True, MetricName=metric, SampledRequestsEnabled=True)
