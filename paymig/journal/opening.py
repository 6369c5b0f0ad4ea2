"""Finding a migration's journal."""

from paymig.aws import bootstrap
from paymig.aws.session import Aws
from paymig.errors import Refused
from runtime_lambdas.runtime.journal.journal import Journal


def open_journal(aws: Aws, migration: str) -> Journal:
    """Find the journal of a migration.

    Raises:
        Refused: there is none yet.
    """
    table = bootstrap.journal_table(aws)
    if table is None:
        raise Refused(
            f"there is no journal in this account's {aws.region}: nothing of {migration} was deployed here yet",
            "paymig deploy makes it; --profile and --region choose where to look",
        )
    return Journal(aws.client("dynamodb"), table, migration, aws.caller())
