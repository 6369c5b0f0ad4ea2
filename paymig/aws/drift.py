"""What somebody changed by hand: resources that are no longer as their template says, found by CloudFormation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from paymig.aws.session import Aws, code_of
from paymig.aws.stack import nested
from paymig.errors import AwsError
from runtime_lambdas.runtime.waiting import paces

_PATIENCE = 900
_DRIFTED = ["MODIFIED", "DELETED"]
# Weights are moved at run time and on purpose.
_MOVES_BY_ITSELF = ("AWS::Route53::RecordSetGroup", "AWS::Route53::RecordSet", "AWS::CloudFormation::Stack")


@dataclass(frozen=True)
class Drift:
    """One resource that was changed or deleted outside CloudFormation.

    Attributes:
        component: the nested stack's logical id; empty for the root stack.
        status: `MODIFIED` or `DELETED`.
        differences: one sentence for each property that differs.
    """

    component: str
    logical_id: str
    type: str
    status: str
    differences: tuple[str, ...]

    @property
    def place(self) -> str:
        """Component and logical id, such as `Database/Cluster`."""
        return f"{self.component}/{self.logical_id}" if self.component else self.logical_id


def detect(aws: Aws, root: str) -> list[Drift]:
    """Compare every resource of a root stack and its nested stacks with its template.

    All stacks are looked at side by side: on AWS each takes up to some minutes.

    Raises:
        AwsError: CloudFormation did not finish in time.
    """
    stacks = {root: ""} | {stack_id: component for component, stack_id in nested(aws, root).items()}
    detections = {stack_id: _start(aws, stack_id) for stack_id in stacks}
    for stack_id, detection in detections.items():
        _wait(aws, stack_id, detection)
    found = [drift for stack_id, component in stacks.items() for drift in _drifts(aws, stack_id, component)]
    return sorted(found, key=lambda drift: drift.place)


def _start(aws: Aws, stack_id: str) -> str:
    for _ in paces(_PATIENCE):
        try:
            return str(aws.client("cloudformation").detect_stack_drift(StackName=stack_id)["StackDriftDetectionId"])
        except ClientError as error:
            # A detection that an interrupted deploy started must end before another can begin.
            if code_of(error) != "ValidationError" or "in progress" not in str(error).lower():
                raise
    raise _late(stack_id)


def _wait(aws: Aws, stack_id: str, detection: str) -> None:
    for _ in paces(_PATIENCE):
        found = aws.client("cloudformation").describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        # One that failed for some resources has still found what it found about the others.
        if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            return
    raise _late(stack_id)


def _drifts(aws: Aws, stack_id: str, component: str) -> Iterator[Drift]:
    token: Mapping[str, str] = {}
    while True:
        page = aws.client("cloudformation").describe_stack_resource_drifts(
            StackName=stack_id, StackResourceDriftStatusFilters=_DRIFTED, **token
        )
        for found in page["StackResourceDrifts"]:
            if found["ResourceType"] not in _MOVES_BY_ITSELF:
                yield Drift(
                    component=component,
                    logical_id=found["LogicalResourceId"],
                    type=found["ResourceType"],
                    status=found["StackResourceDriftStatus"],
                    differences=tuple(
                        f"{one['PropertyPath']} is {one['ActualValue']}, not {one['ExpectedValue']}"
                        for one in found.get("PropertyDifferences", [])
                    ),
                )
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _late(stack_id: str) -> AwsError:
    return AwsError(f"drift detection of {stack_id} did not end within {_PATIENCE} s", "paymig deploy again")
