"""The small stack that must exist before any other: artefact bucket, journal table, account-wide DMS roles."""

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from compiler.bootstrap import ACCOUNT_ROLES, bootstrap
from paymig.aws import change_set, stack
from paymig.aws.session import Aws, code_of

STACK = "paymig-bootstrap"


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


def propose(aws: Aws) -> change_set.ChangeSet | None:
    """Prepare what is missing of the bootstrap stack; None when it is complete."""
    found = stack.describe(aws, STACK)
    template = bootstrap(_missing_roles(aws, found))
    return change_set.propose(aws, STACK, found, {"TemplateBody": template.decode()}, {}, {"Application": "paymig"})


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


Follow = Callable[[change_set.ChangeSet], None]
"""Executes a change set and follows it to its end."""


def ensure(aws: Aws, follow: Follow) -> Bootstrap:
    """Make the bootstrap stack, or bring it up to date."""
    proposed = propose(aws)
    if proposed is not None:
        follow(proposed)
    complete = find(aws)
    if complete is None:
        raise RuntimeError(f"{STACK} ended well, but offers no bucket")
    return complete
