"""What CloudFormation says about a stack."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from paymig.aws.session import Aws, code_of

NESTED = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class Stack:
    """A stack as it is now."""

    id: str
    name: str
    status: str
    reason: str | None
    parameters: dict[str, str]
    outputs: dict[str, str]
    updated: datetime
    protected: bool

    @property
    def busy(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True)
class Resource:
    """One resource of a stack."""

    logical_id: str
    physical_id: str
    type: str
    status: str


def is_absent(error: ClientError) -> bool:
    """Whether CloudFormation says that there is no such stack."""
    return code_of(error) == "ValidationError" and "does not exist" in str(error)


def describe(aws: Aws, name: str) -> Stack | None:
    """Look a stack up by name or id; None where there is none."""
    try:
        found = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return Stack(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason"),
        parameters={p["ParameterKey"]: p.get("ParameterValue", "") for p in found.get("Parameters", [])},
        outputs={o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])},
        updated=found.get("LastUpdatedTime") or found["CreationTime"],
        protected=found.get("EnableTerminationProtection", False),
    )


def resources(aws: Aws, name: str) -> Iterator[Resource]:
    """List a stack's own resources, nested stacks included as such; a stack that is gone has none."""
    pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    for page in _while_there(pages):
        for found in page["StackResourceSummaries"]:
            yield Resource(
                logical_id=found["LogicalResourceId"],
                physical_id=found.get("PhysicalResourceId", ""),
                type=found["ResourceType"],
                status=found["ResourceStatus"],
            )


def _while_there(pages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    try:
        yield from pages
    except ClientError as error:
        if not is_absent(error):
            raise


def nested(aws: Aws, name: str) -> dict[str, str]:
    """Map each nested stack's logical id to its stack id."""
    return {r.logical_id: r.physical_id for r in resources(aws, name) if r.type == NESTED and r.physical_id}
