"""The small stack that must exist before any other: artefact bucket, journal table, account-wide DMS roles."""

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from compiler.bootstrap import ACCOUNT_ROLES, bootstrap
from paymig.aws import change_set, stack
from paymig.aws.session import Aws, code_of
from paymig.errors import AwsError, Refused

STACK = "paymig-bootstrap"
TABLE = "Journal"
"""The table's logical id, part of its name."""
_TRIES = 5


@dataclass(frozen=True)
class Bootstrap:
    """What the bootstrap stack offers."""

    bucket: str
    journal_table: str


def find(aws: Aws) -> Bootstrap | None:
    """Look the bootstrap stack up; None before the first deploy to this account and region."""
    found = stack.describe(aws, STACK)
    if found is None or "ArtifactBucket" not in found.outputs:
        return None
    return Bootstrap(found.outputs["ArtifactBucket"], found.outputs["JournalTable"])


def journal_table(aws: Aws) -> str | None:
    """Name the journal's table; None before the first deploy to this account and region.

    CloudFormation knows it. Where that does not answer, the name itself still tells: a rollback must not wait for it.
    """
    try:
        found = find(aws)
    except (BotoCoreError, ClientError):
        pages = aws.client("dynamodb").get_paginator("list_tables").paginate()
        names = [name for page in pages for name in page["TableNames"] if name.startswith(f"{STACK}-{TABLE}-")]
        if len(names) != 1:
            raise
        return str(names[0])
    return found.journal_table if found else None


def propose(aws: Aws, role: str | None = None) -> change_set.ChangeSet | None:
    """Prepare what is missing of the bootstrap stack; None when it is complete.

    Raises:
        Overtaken: another deploy is at work on it.
    """
    found = stack.describe(aws, STACK)
    if found is not None and found.busy:
        raise change_set.overtaken(STACK)
    try:
        change_set.kind_for(found)
    except Refused as refused:
        mend = f"aws cloudformation delete-stack --stack-name {STACK}, wait for its end, then paymig deploy"
        raise Refused(refused.message, mend) from refused
    change_set.clean(aws, found)
    template = bootstrap(_missing_roles(aws, found))
    return change_set.propose(
        aws, STACK, found, {"TemplateBody": template.decode()}, {}, {"Application": "paymig"}, role
    )


def _missing_roles(aws: Aws, found: stack.Stack | None) -> frozenset[str]:
    """Name the roles that this stack has to hold: an account has each once, and whoever made it keeps it."""
    own = {resource.physical_id for resource in stack.resources(aws, STACK)} if found else set()
    return frozenset(role for role in ACCOUNT_ROLES if role in own or not _role_exists(aws, role))


def _role_exists(aws: Aws, role: str) -> bool:
    try:
        aws.client("iam").get_role(RoleName=role)
    except ClientError as error:
        if code_of(error) == "NoSuchEntity":
            return False
        raise
    return True


def ensure(
    aws: Aws,
    follow: Callable[[change_set.ChangeSet], None],
    settle: Callable[[str], object],
    role: str | None = None,
) -> Bootstrap:
    """Make the bootstrap stack, or bring it up to date.

    Several first deploys may do this at once: no lease guards it, since the lease lives in the very table it makes.

    Args:
        aws: where.
        follow: executes a change set and follows it to its end.
        settle: follows what is under way on a stack, if anything, to its end.
        role: as of `change_set.propose`.
    """
    for _ in range(_TRIES):
        settle(STACK)
        try:
            proposed = propose(aws, role)
            if proposed is not None:
                follow(proposed)
        except change_set.Overtaken:
            continue  # another deploy was faster: what it does is what is wanted
        complete = find(aws)
        if complete is not None:
            return complete
    raise AwsError(
        f"stack {STACK} is changed by others all the time", "agree on who deploys first, then run paymig deploy again"
    )
