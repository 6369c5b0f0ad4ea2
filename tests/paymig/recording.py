"""What the commands ask of AWS: every call of every client, by the SDK's own event hooks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import boto3
import pytest


class Call(NamedTuple):
    """One call.

    Attributes:
        command: the command that made it, such as `deploy`.
        service: its name in the SDK.
        parameters: what was given; a change set that is named by its id alone gets the `StackName` that it belongs to.
    """

    command: str
    service: str
    operation: str
    parameters: dict[str, Any]


class Recorder:
    """Hears every client that is made while it is installed."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._command = ""
        self._judge: Callable[[Call], None] | None = None
        self._amend: Callable[[str, dict[str, Any]], None] | None = None
        self._stacks: dict[str, str] = {}

    @contextmanager
    def during(
        self,
        command: str,
        judge: Callable[[Call], None] | None = None,
        amend: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> Iterator[None]:
        """Note what is called meanwhile as this command's.

        Args:
            command: its name.
            judge: hears each call before it is sent, and may raise.
            amend: hears the operation and the answer of each call of CloudFormation, and may change the answer.
        """
        self._command, self._judge, self._amend = command, judge, amend
        try:
            yield
        finally:
            self._command, self._judge, self._amend = "", None, None

    def install(self, patch: pytest.MonkeyPatch) -> None:
        make = boto3.Session.client

        def client(session: boto3.Session, *arguments: Any, **named: Any) -> Any:
            made = make(session, *arguments, **named)
            made.meta.events.register("provide-client-params", self._hear)
            made.meta.events.register("after-call.cloudformation", self._learn)
            return made

        patch.setattr(boto3.Session, "client", client)

    def _hear(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if self._command:
            call = Call(self._command, model.service_model.service_name, model.name, dict(params))
            self.calls.append(call)
            if self._judge is not None:
                self._judge(call)

    def _learn(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        """Which stack a change set belongs to is not in its id, and AWS asks for the right to the stack."""
        if {"ChangeSetId", "StackId"} <= parsed.keys():
            self._stacks[parsed["ChangeSetId"]] = parsed["StackId"]
        for summary in parsed.get("Summaries", ()):
            self._stacks[summary["ChangeSetId"]] = summary["StackId"]
        if self._amend is not None:
            self._amend(model.name, parsed)

    def located(self) -> list[Call]:
        """Give the calls, each with the stack that it is about."""
        return [
            call._replace(parameters={**call.parameters, "StackName": self._stacks[call.parameters["ChangeSetName"]]})
            if "ChangeSetName" in call.parameters and "StackName" not in call.parameters
            else call
            for call in self.calls
        ]
