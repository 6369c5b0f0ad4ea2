"""What the cutover needs inside the VPC: the function that reaches both databases, and the machine that calls it."""

from typing import Any, NamedTuple

from troposphere import GetAtt, Ref

from compiler import databases, names
from compiler.assets import Assets
from compiler.component import Component, Export
from compiler.components.database import DatabaseExports
from compiler.components.network import NetworkExports
from compiler.components.replication import ReplicationExports, drive
from compiler.components.security import SecurityExports
from compiler.function import Foundations, Place, function, journal_rights, read_secret, recall
from compiler.state_machines import DIED, NOT_RUN, again, state_machine, task
from schemas.migration import Migration

_LONGEST = 900  # what Lambda allows at most, in seconds
_SETTLED = ("GivenUp", "LeaseHeld", "MoveRefused", "NotApproved")
"""What the function raises where there is nothing to undo: it was undone, or is somebody else's work."""


class ControlExports(NamedTuple):
    """The switchover function, and the machine that calls it until the writer has moved."""

    switchover: Export
    machine: Export


def control(
    migration: Migration,
    assets: Assets,
    network: NetworkExports,
    security: SecurityExports,
    database: DatabaseExports,
    replication: ReplicationExports,
) -> tuple[Component, ControlExports]:
    """Build the switchover function."""
    component = Component("Control", "Moves the writer.", names.tags(migration))
    tasks, task_rights = drive(component, migration, replication)
    login = databases.Login(database.endpoint, database.port, database.control_secret, security.secrets_key)
    code = function(
        component,
        "Switchover",
        Foundations(migration, assets, security.data_key, network.logs_key),
        cause="cutover.switchover",
        description="Reaches both databases to move the writer.",
        asset="switchover",
        handler="switchover.handler.handler",
        environment={
            **databases.variables(component, migration, login),
            **databases.admin_variables(component, database.replication_secret),
            "TARGET_API_SECRET_ARN": component.use(database.api_secret),
            **tasks,
        },
        rights=[
            *databases.rights(component, login),
            *databases.admin_rights(component, database.replication_secret, security.secrets_key),
            # The new writer is opened to the API's role, whose name stands in its secret.
            *read_secret(component.use(database.api_secret), component.use(security.secrets_key)),
            *journal_rights(migration, moves_the_writer=True),
            recall(migration, "comparison"),
            *task_rights,
        ],
        layers=[component.use(database.runtime_layer), component.use(database.certificates_layer)],
        place=Place(network.private_subnets, security.control_group),
        memory=512,
        timeout=_LONGEST,
        # Two at once would take the lease from each other: a call that finds another call's takes it for a dead one's.
        reserved=1,
        causes={
            "Code": "cutover.switchover cutover.gates.replication_lag replication validation.invariants",
            **databases.CAUSES,
        },
    )
    machine = state_machine(
        component,
        "Move",
        migration,
        network.logs_key,
        cause="cutover.switchover",
        function=code,
        definition=moving(),
    )
    return component, ControlExports(
        switchover=component.offer("SwitchoverFunctionArn", GetAtt(code, "Arn")),
        machine=component.offer("SwitchoverStateMachineArn", Ref(machine)),
    )


def moving() -> dict[str, Any]:
    """The machine that moves the writer, in Amazon States Language: one call of the function for each step.

    Its input is `{"wish": "switchover", "who": ARN, "why": text, "seen": digest}`, the digest as it was approved. Each
    act stands in the journal and may be repeated, so a call that died is followed by another. What the function refuses
    is not asked for twice. A failure that may have left a fence is followed by an undo, which does nothing where there
    is none.
    """
    told = {"who.$": "$.who", "why.$": "$.why"}
    act = {"action": "advance", "wish.$": "$.wish", "seen.$": "$.seen", **told}
    # The lease of a call that died is the next call's at once; an operator's ends within a minute of his death.
    died = [
        again(NOT_RUN, seconds=2, attempts=6, factor=2.0),
        again(DIED, seconds=2, attempts=3, factor=2.0),
        again(("LeaseHeld",), seconds=20, attempts=4),
    ]
    give_up = [
        {"ErrorEquals": list(_SETTLED), "ResultPath": "$.failure", "Next": "Failed"},
        {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Undo"},
    ]
    return {
        "Comment": "Moves the writer, step by step.",
        "StartAt": "Begin",
        "States": {
            "Begin": task(
                {**act, "first": True},
                ResultPath="$.last",
                Retry=died[:1],
                Catch=[{"ErrorEquals": list(DIED), "ResultPath": "$.last", "Next": "Continue"}, *give_up],
                Next="Finished?",
            ),
            "Finished?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.last.finished", "BooleanEquals": True, "Next": "Moved"}],
                "Default": "Continue",
            },
            "Continue": task({**act, "first": False}, ResultPath="$.last", Retry=died, Catch=give_up, Next="Finished?"),
            "Moved": {"Type": "Pass", "OutputPath": "$.last", "End": True},
            "Undo": task(
                {"action": "undo", **told},
                ResultPath="$.undone",
                Retry=died,
                Catch=[{"ErrorEquals": list(_SETTLED), "ResultPath": "$.undone", "Next": "Failed"}],
                Next="Failed",
            ),
            "Failed": {"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"},
        },
    }
