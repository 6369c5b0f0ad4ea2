"""What only a deploy knows: the parameters of the root stack."""

from compiler.component import DeployParameter

ARTIFACT_BUCKET = DeployParameter("ArtifactBucket", "The bucket that holds the templates and the code.")
JOURNAL_TABLE = DeployParameter("JournalTable", "The DynamoDB table that holds the journal and the writer.")
SOURCE_SECRET_ARN = DeployParameter("SourceSecretArn", "The secret of the application's login to the source database.")
SOURCE_ADMIN_SECRET_ARN = DeployParameter(
    "SourceAdminSecretArn", "The secret of the login that owns the source's tables, replicates and fences."
)


def _weight(name: str, description: str, default: int) -> DeployParameter:
    return DeployParameter(name, description, "Number", default, (("MaxValue", 100), ("MinValue", 0)))


OLD_WEIGHT = _weight("OldWeight", "The share of traffic of the old API. A deploy passes the live value.", 100)
NEW_WEIGHT = _weight("NewWeight", "The share of traffic of the new API. A deploy passes the live value.", 0)
