"""A CloudFormation stack under test."""

import json
import time
import uuid
from typing import Any

from paymig.embedded.process import EmbeddedAws

_SECONDS = 60


class Stack:
    """Changes through change sets, as the tool under test does."""

    def __init__(self, aws: EmbeddedAws, name: str) -> None:
        self.name = name
        self.cfn = aws.client("cloudformation")
        self.stack_id = ""

    def start(self, resources: dict[str, Any], outputs: dict[str, Any] | None = None) -> None:
        """Create and execute a change set; do not wait."""
        template = {
            "Resources": resources,
            "Outputs": {name: {"Value": value} for name, value in (outputs or {}).items()},
        }
        change_set = self.cfn.create_change_set(
            StackName=self.stack_id or self.name,
            ChangeSetName=f"c{uuid.uuid4().hex}",
            ChangeSetType="UPDATE" if self.stack_id else "CREATE",
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        self.stack_id = change_set["StackId"]
        self.cfn.execute_change_set(ChangeSetName=change_set["Id"])

    def apply(self, resources: dict[str, Any], outputs: dict[str, Any] | None = None) -> str:
        """Deploy and give the final status."""
        self.start(resources, outputs)
        return self.wait()

    def wait(self) -> str:
        deadline = time.monotonic() + _SECONDS
        while (status := self.status) and status.endswith("IN_PROGRESS"):
            assert time.monotonic() < deadline, f"{self.name} stays {status}"
            time.sleep(0.01)
        return status

    @property
    def status(self) -> str:
        return self.cfn.describe_stacks(StackName=self.stack_id)["Stacks"][0]["StackStatus"]

    @property
    def outputs(self) -> dict[str, str]:
        described = self.cfn.describe_stacks(StackName=self.stack_id)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def ref(self, logical_id: str) -> str:
        described = self.cfn.describe_stack_resource(StackName=self.stack_id, LogicalResourceId=logical_id)
        return described["StackResourceDetail"]["PhysicalResourceId"]

    def events(self, stack_id: str = "") -> list[dict[str, Any]]:
        """Oldest first."""
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=stack_id or self.stack_id)
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def failures(self) -> list[str]:
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
            for event in self.events()
            if event["ResourceStatus"].endswith("FAILED")
        ]

    def delete(self) -> str:
        if not self.stack_id or self.status == "DELETE_COMPLETE":
            return "DELETE_COMPLETE"
        self.cfn.delete_stack(StackName=self.stack_id)
        return self.wait()
