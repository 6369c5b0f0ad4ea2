"""What the commands ask of AWS, one line a right: an action, where, and which commands need it.

A command that makes a new call needs a line here; `tests/paymig/test_policy.py` records every call of every command and
fails until the table says exactly what was called. A place is one of `paymig.policy.places`.
"""

from typing import NamedTuple

from schemas.migration import Migration


class Right(NamedTuple):
    """One action on one place.

    Attributes:
        place: where, by its name in `places`.
        commands: which commands need it, with spaces between.
        because: the call on whose behalf AWS asks for it, where the action is not that of the call itself.
    """

    action: str
    place: str
    commands: str
    because: str = ""


RIGHTS = (
    Right("cloudformation:CreateChangeSet", "Bootstrap", "deploy"),
    Right("cloudformation:CreateChangeSet", "Root", "deploy"),
    Right("cloudformation:DeleteChangeSet", "Bootstrap", "deploy"),
    Right("cloudformation:DeleteChangeSet", "Root", "deploy rollback"),
    Right("cloudformation:DeleteStack", "Root", "deploy destroy"),
    Right("cloudformation:DescribeChangeSet", "Bootstrap", "deploy"),
    Right("cloudformation:DescribeChangeSet", "Nested", "deploy"),
    Right("cloudformation:DescribeChangeSet", "Root", "deploy"),
    Right("cloudformation:DescribeStackDriftDetectionStatus", "Anywhere", "deploy"),
    Right("cloudformation:DescribeStackEvents", "Bootstrap", "deploy"),
    Right("cloudformation:DescribeStackEvents", "Nested", "deploy destroy"),
    Right("cloudformation:DescribeStackEvents", "Root", "deploy destroy"),
    Right("cloudformation:DescribeStackResourceDrifts", "Nested", "deploy"),
    Right("cloudformation:DescribeStackResourceDrifts", "Root", "deploy"),
    Right(
        "cloudformation:DescribeStacks",
        "Bootstrap",
        "approve compare cutover deploy destroy finalize history replicate rollback shift status switchover "
        "transfer-schema unlock",
    ),
    Right(
        "cloudformation:DescribeStacks",
        "Nested",
        "compare cutover finalize preflight replicate rollback switchover transfer-schema",
    ),
    Right(
        "cloudformation:DescribeStacks",
        "Root",
        "approve compare cutover deploy destroy finalize plan preflight replicate rollback shift status "
        "switchover transfer-schema",
    ),
    Right("cloudformation:DetectStackDrift", "Nested", "deploy"),
    Right("cloudformation:DetectStackDrift", "Root", "deploy"),
    Right("cloudformation:ExecuteChangeSet", "Bootstrap", "deploy"),
    Right("cloudformation:ExecuteChangeSet", "Root", "deploy"),
    Right("cloudformation:GetStackPolicy", "Nested", "deploy"),
    Right("cloudformation:GetStackPolicy", "Root", "deploy"),
    Right("cloudformation:GetTemplate", "Nested", "deploy plan"),
    Right("cloudformation:GetTemplate", "Root", "deploy plan"),
    Right("cloudformation:ListChangeSets", "Bootstrap", "deploy"),
    Right("cloudformation:ListChangeSets", "Root", "cutover deploy rollback shift"),
    Right("cloudformation:ListStackResources", "Bootstrap", "deploy"),
    Right("cloudformation:ListStackResources", "Nested", "deploy destroy status"),
    Right(
        "cloudformation:ListStackResources",
        "Root",
        "compare cutover deploy destroy finalize plan preflight replicate rollback status switchover transfer-schema",
    ),
    Right("cloudformation:SetStackPolicy", "Nested", "deploy"),
    Right("cloudformation:SetStackPolicy", "Root", "deploy"),
    Right("cloudformation:UpdateTerminationProtection", "Root", "deploy destroy"),
    Right("cloudwatch:DescribeAlarms", "Anywhere", "cutover shift status"),
    Right("cloudwatch:GetMetricData", "Anywhere", "cutover shift status"),
    Right(
        "dynamodb:ConditionCheckItem",
        "Journal",
        "cutover deploy destroy finalize replicate rollback shift switchover transfer-schema",
        "dynamodb:TransactWriteItems",
    ),
    Right("dynamodb:GetItem", "Comparisons", "compare cutover rollback switchover"),
    Right(
        "dynamodb:GetItem",
        "Journal",
        "approve compare cutover deploy destroy finalize history replicate rollback shift status switchover "
        "transfer-schema unlock",
    ),
    Right("dynamodb:ListTables", "Anywhere", "rollback"),
    Right("dynamodb:PutItem", "Comparisons", "compare"),
    Right(
        "dynamodb:PutItem",
        "Journal",
        "cutover deploy destroy finalize replicate rollback shift switchover transfer-schema unlock",
    ),
    Right(
        "dynamodb:PutItem",
        "Journal",
        "approve cutover deploy destroy finalize replicate rollback shift switchover transfer-schema unlock",
        "dynamodb:TransactWriteItems",
    ),
    Right(
        "dynamodb:Query",
        "Journal",
        "approve cutover deploy destroy finalize history replicate rollback shift status switchover "
        "transfer-schema unlock",
    ),
    Right("dynamodb:UpdateItem", "Journal", "cutover rollback switchover", "dynamodb:TransactWriteItems"),
    Right("elasticloadbalancing:ModifyLoadBalancerAttributes", "LoadBalancer", "destroy"),
    Right("iam:GetRole", "AccountRoles", "deploy"),
    Right("iam:PassRole", "ServiceRole", "deploy", "cloudformation:CreateChangeSet"),
    Right(
        "kms:Decrypt",
        "SecretKeys",
        "compare cutover finalize preflight replicate rollback switchover transfer-schema",
        "secretsmanager:GetSecretValue",
    ),
    Right("kms:Decrypt", "ReportKeys", "compare", "s3:GetObject"),
    Right("lambda:InvokeFunction", "Switchover", "preflight switchover", "lambda:Invoke"),
    Right("rds:ModifyDBCluster", "Cluster", "destroy"),
    Right("route53:ChangeResourceRecordSets", "Record", "cutover rollback shift switchover"),
    Right("route53:GetChange", "Changes", "cutover rollback shift switchover"),
    Right("route53:GetHostedZone", "Zone", "deploy plan"),
    Right("route53:ListResourceRecordSets", "Zone", "approve cutover deploy destroy rollback shift status switchover"),
    Right("route53:TestDNSAnswer", "Anywhere", "status"),
    Right("s3:GetObject", "Artefacts", "deploy", "cloudformation:CreateChangeSet"),
    Right("s3:GetObject", "Artefacts", "deploy", "s3:HeadObject"),
    Right("s3:GetObject", "ComparisonReports", "compare"),
    Right("s3:ListBucket", "ArtefactBucket", "deploy", "s3:HeadObject"),
    Right("s3:PutObject", "Artefacts", "deploy"),
    Right("secretsmanager:GetSecretValue", "MasterSecret", "cutover preflight replicate transfer-schema"),
    Right(
        "secretsmanager:GetSecretValue",
        "SourceSecrets",
        "compare cutover finalize preflight replicate rollback switchover transfer-schema",
    ),
    Right("secretsmanager:GetSecretValue", "TargetSecrets", "compare cutover finalize replicate rollback switchover"),
    Right("states:DescribeExecution", "ComparerRuns", "compare"),
    Right("states:DescribeExecution", "Executions", "finalize rollback switchover"),
    Right("states:DescribeMapRun", "ComparerRuns", "compare"),
    Right("states:ListExecutions", "Comparer", "compare"),
    Right("states:ListExecutions", "ComparerRuns", "compare"),
    Right("states:ListMapRuns", "ComparerRuns", "compare"),
    Right("states:StartExecution", "Comparer", "compare"),
    Right("states:StartExecution", "Machine", "finalize rollback switchover"),
)

OF_TASKS = (
    Right("dms:DescribeConnections", "Anywhere", "cutover replicate rollback switchover"),
    Right("dms:DescribeReplicationTasks", "Anywhere", "cutover finalize replicate rollback switchover"),
    Right("dms:DescribeTableStatistics", "Tasks", "cutover replicate rollback switchover"),
    Right("dms:StartReplicationTask", "Tasks", "cutover replicate rollback switchover"),
    Right("dms:StopReplicationTask", "Tasks", "cutover finalize replicate rollback switchover"),
    Right("dms:TestConnection", "Ends", "cutover replicate rollback switchover"),
)
"""What is asked besides where tasks of DMS replicate; `tests/paymig/replication/test_dms_moves.py` records it."""

OF_SERVERLESS = tuple(
    Right(action, place, commands)
    for action, place, commands in (
        ("dms:DescribeReplications", "Anywhere", OF_TASKS[1].commands),
        ("dms:DescribeReplicationTableStatistics", "Tasks", OF_TASKS[2].commands),
        ("dms:StartReplication", "Tasks", OF_TASKS[3].commands),
        ("dms:StopReplication", "Tasks", OF_TASKS[4].commands),
    )
)
"""The same where DMS runs without an instance: it tests its connections by itself. It is recorded there, too."""

FREE = {"sts:GetCallerIdentity": "IAM asks nobody for a right to this call; it says whose name the journal notes."}
"""Calls that take no right."""

DETECTION = "cloudformation:DetectStackDrift"
"""The call in which CloudFormation reads every resource with the caller's own rights."""


def rights_for(migration: Migration) -> tuple[Right, ...]:
    """Give the rights that the commands need for a migration, by its engine of replication."""
    if migration.replication.engine != "dms":
        return RIGHTS
    return RIGHTS + (OF_TASKS if migration.replication.serverless is None else OF_SERVERLESS)
