"""The requirements of PCI DSS v4.0.1 that templates can speak to, and what in them would show each.

What an assessor accepts is theirs to say: this table says where to look.
"""

from dataclasses import dataclass

from compiler.evidence.checks import Check, all_, any_, none
from compiler.evidence.facts import DATABASE_SUBNET, INBOUND, OUTBOUND
from compiler.evidence.predicates import (
    EXISTS,
    FALSE,
    LITERAL,
    TRUE,
    WILDCARD_ACTION,
    above,
    at_least,
    below,
    equals,
    matches,
    one_of,
)
from compiler.evidence.reachability import ANYWHERE

_ALB = "ElasticLoadBalancingV2::LoadBalancer"
_ROLE = "IAM::Role"
_STATEMENT = "PolicyDocument/Statement/*"
# HTTPS alone may be open to, or from, the whole internet.
_WIDE = matches(f"^(?!tcp 443 ).*{ANYWHERE}$|^all ")


@dataclass(frozen=True)
class Requirement:
    """One row.

    Attributes:
        numbers: of the requirement, several where one piece of evidence serves them.
        checks: all must hold; none where no template can show it.
        process: what is left to people, to the account, or to AWS; empty where the template says it all.
    """

    numbers: tuple[str, ...]
    what: str
    checks: tuple[Check, ...] = ()
    process: str = ""

    @property
    def number(self) -> str:
        """All its numbers: `3.5.1/3.5.1.2`."""
        return "/".join(self.numbers)


REQUIREMENTS = (
    Requirement(
        ("1.2.5",),
        "Services, protocols and ports are identified and have a reason",
        (all_(INBOUND, "Description", EXISTS), all_(OUTBOUND, "Description", EXISTS)),
    ),
    Requirement(
        ("1.3.1",),
        "Inbound traffic is restricted to what is needed",
        (none(INBOUND, "Opens", _WIDE),),
    ),
    Requirement(
        ("1.3.2",),
        "Outbound traffic is restricted to what is needed",
        (
            none(OUTBOUND, "Opens", _WIDE),
            all_("EC2::SecurityGroup", "SecurityGroupEgress", EXISTS),
            any_("EC2::VPCEndpoint", "PolicyDocument", EXISTS),
        ),
    ),
    Requirement(
        ("1.4.1", "1.4.2"),
        "Controls stand between trusted and untrusted networks",
        (
            any_("EC2::SecurityGroupIngress", "SourceSecurityGroupId", EXISTS),
            any_("WAFv2::WebACLAssociation", "ResourceArn", EXISTS),
        ),
    ),
    Requirement(
        ("1.4.4",),
        "Stores of card data cannot be reached from untrusted networks",
        (
            all_("RDS::DBInstance", "PubliclyAccessible", FALSE),
            all_("DMS::ReplicationInstance", "PubliclyAccessible", FALSE),
            all_("RDS::DBSubnetGroup", "SubnetIds", EXISTS),
            none(DATABASE_SUBNET, "DefaultRoute", EXISTS),
        ),
    ),
    Requirement(
        ("1.4.5",), "Internal addresses are not disclosed", (none("EC2::Subnet", "MapPublicIpOnLaunch", TRUE),)
    ),
    Requirement(
        ("2.2.2",),
        "No vendor default accounts",
        (none("RDS::DBCluster", "MasterUsername", one_of("postgres", "admin", "root")),),
    ),
    Requirement(
        ("3.5.1", "3.5.1.2"),
        "Stored card numbers are unreadable",
        (
            all_("RDS::DBCluster", "StorageEncrypted", TRUE),
            all_("RDS::DBCluster", "KmsKeyId", EXISTS),
            all_("DMS::ReplicationInstance", "KmsKeyId", EXISTS),
        ),
        "Encryption of the disk alone is not enough: the application encrypts or tokenises the numbers themselves.",
    ),
    Requirement(("3.6.1",), "Access to keys is limited", (all_("KMS::Key", "KeyPolicy", EXISTS),)),
    Requirement(
        ("3.7.4",),
        "Keys change at the end of their cryptoperiod",
        (all_("KMS::Key", "EnableKeyRotation", TRUE), none("KMS::Key", "RotationPeriodInDays", above(365))),
    ),
    Requirement(("3.7.5",), "Keys are retired with care", (all_("KMS::Key", "PendingWindowInDays", at_least(30)),)),
    Requirement(
        ("4.2.1",),
        "Strong cryptography on networks",
        (
            all_("ElasticLoadBalancingV2::Listener", "SslPolicy", matches("TLS13|FS-1-2")),
            any_("ElasticLoadBalancingV2::Listener", "SslPolicy", matches("TLS13")),
            all_("DMS::Endpoint", "SslMode", equals("verify-full")),
            all_("RDS::DBClusterParameterGroup", "Parameters/rds.force_ssl", equals("1")),
            all_("RDS::DBProxy", "RequireTLS", TRUE),
        ),
    ),
    Requirement(
        ("4.2.1.1",),
        "Inventory of trusted keys and certificates",
        (
            any_("CertificateManager::Certificate", "DomainName", EXISTS),
            all_("DMS::Certificate", "CertificatePem", EXISTS),
            all_("RDS::DBInstance", "CACertificateIdentifier", EXISTS),
        ),
    ),
    Requirement(
        ("6.3.3",),
        "Patches are installed",
        (
            all_("RDS::DBInstance", "AutoMinorVersionUpgrade", TRUE),
            all_("DMS::ReplicationInstance", "AutoMinorVersionUpgrade", TRUE),
            none("Lambda::Function", "Runtime", matches(r"^python3\.([0-9]|1[01])$")),
        ),
        "AWS patches what it manages; your code and its libraries are yours.",
    ),
    Requirement(
        ("6.4.2",),
        "A firewall in front of public web applications finds and blocks attacks, and logs",
        (
            any_("WAFv2::WebACLAssociation", "WebACLArn", EXISTS),
            any_("WAFv2::WebACL", "Rules/*/Statement/ManagedRuleGroupStatement/Name", EXISTS),
            none("WAFv2::WebACL", "Rules/*/OverrideAction/Count", matches("")),
            any_("WAFv2::LoggingConfiguration", "LogDestinationConfigs", EXISTS),
        ),
    ),
    Requirement(
        ("6.5.3",),
        "Pre-production is apart from production",
        (all_("EC2::VPC", "Tags/Environment", EXISTS),),
        "Each environment in an account of its own.",
    ),
    Requirement(
        ("7.2.1", "7.2.2", "7.2.5"),
        "Least privilege for users and system accounts",
        (
            none(_ROLE, f"Policies/*/{_STATEMENT}/Action/*", WILDCARD_ACTION),
            none("IAM::ManagedPolicy", f"{_STATEMENT}/Resource/*", equals("*")),
            none(_ROLE, "ManagedPolicyArns/*", matches("^arn:.+:iam::aws:")),
        ),
    ),
    Requirement(
        ("7.2.6",),
        "Access to stored card data by role only",
        (all_("RDS::DBCluster", "EnableIAMDatabaseAuthentication", TRUE),),
        "Who may take which role in the database.",
    ),
    Requirement(
        ("8.3.2",),
        "Authentication factors are encrypted at rest and in transit",
        (all_("SecretsManager::Secret", "KmsKeyId", EXISTS),),
    ),
    Requirement(
        ("8.6.2",),
        "No passwords in files or code",
        (
            none("RDS::DBCluster", "MasterUserPassword", LITERAL),
            none("DMS::Endpoint", "Password", LITERAL),
            none("SecretsManager::Secret", "SecretString", LITERAL),
        ),
    ),
    Requirement(
        ("8.6.3",),
        "System passwords change periodically",
        (
            any_("SecretsManager::RotationSchedule", "RotationRules", EXISTS),
            all_("RDS::DBCluster", "ManageMasterUserPassword", TRUE),
        ),
    ),
    Requirement(
        ("10.2.1",),
        "Audit logs are on for all components",
        (
            all_("RDS::DBCluster", "EnableCloudwatchLogsExports", EXISTS),
            any_("RDS::DBClusterParameterGroup", "Parameters/shared_preload_libraries", matches("pgaudit")),
            any_("EC2::FlowLog", "TrafficType", equals("ALL")),
            all_(_ALB, "LoadBalancerAttributes/access_logs.s3.enabled", TRUE),
            any_("CloudTrail::Trail", "IsLogging", TRUE),
        ),
    ),
    Requirement(
        ("10.3.1", "10.3.2"),
        "Logs are protected from reading and from change",
        (
            all_("Logs::LogGroup", "KmsKeyId", EXISTS),
            any_("S3::Bucket", "ObjectLockEnabled", TRUE),
            any_("S3::BucketPolicy", "PolicyDocument", EXISTS),
        ),
    ),
    Requirement(
        ("10.3.4",), "Changes of logs are detected", (any_("CloudTrail::Trail", "EnableLogFileValidation", TRUE),)
    ),
    Requirement(
        ("10.4.1.1",),
        "Logs are reviewed automatically",
        (any_("Logs::MetricFilter", "FilterPattern", EXISTS),),
        "The tool that reviews the logs, and who follows up.",
    ),
    Requirement(
        ("10.5.1",),
        "Logs of 12 months are kept, 3 months of them at hand",
        (
            all_("Logs::LogGroup", "RetentionInDays", at_least(365)),
            any_("S3::Bucket", "LifecycleConfiguration/Rules/*/ExpirationInDays", at_least(365)),
            none("S3::Bucket", "LifecycleConfiguration/Rules/*/ExpirationInDays", below(365)),
            none("S3::Bucket", "LifecycleConfiguration/Rules/*/Transitions/*/TransitionInDays", below(90)),
        ),
    ),
    Requirement(("10.6.1",), "Time is synchronised", process="AWS attests it for the services it manages."),
    Requirement(
        ("10.7.2",),
        "Failures of security controls are noticed",
        (all_("CloudWatch::Alarm", "AlarmActions", EXISTS), any_("Events::Rule", "EventPattern", EXISTS)),
    ),
    Requirement(("11.3.1", "11.3.2"), "Vulnerability scans, inside and outside", process="The reports of the scans."),
    Requirement(
        ("11.4.5",),
        "Segmentation is tested every 12 months",
        process="The test; the matrix of who may reach whom is what it starts from.",
    ),
    Requirement(
        ("11.5.1",),
        "Intrusions are detected",
        (any_("GuardDuty::Detector", "Enable", TRUE),),
        "Normally set for the whole account.",
    ),
    Requirement(
        ("11.5.2",),
        "Changes of critical files are detected",
        (any_("Lambda::Function", "CodeSigningConfigArn", EXISTS),),
        "Drift detection, and configuration rules of the account.",
    ),
    Requirement(
        ("12.3.3",),
        "Inventory of cipher suites and protocols",
        (any_("ElasticLoadBalancingV2::Listener", "SslPolicy", EXISTS),),
    ),
    Requirement(("12.5.1",), "Inventory of components in scope", (all_("EC2::VPC", "Tags/Migration", EXISTS),)),
    Requirement(
        ("12.8.2", "12.8.5"),
        "Responsibilities of third parties",
        process="AWS's attestation and its matrix of responsibilities.",
    ),
    Requirement(("12.10.5",), "Alerts reach those who respond", (any_("SNS::Subscription", "Endpoint", EXISTS),)),
)
"""All rows, by number."""
