"""Deleting a migration's stacks, with the guards that stand against it lifted one by one and on purpose."""

from collections.abc import Iterator
from dataclasses import dataclass

from paymig.aws import stack, weights
from paymig.aws.events import Follower, root_cause
from paymig.aws.session import Aws
from paymig.console import Console
from paymig.deploy import record_of
from paymig.errors import Refused, StackFailed
from paymig.journal.opening import open_journal
from paymig.progress import show
from runtime_lambdas.runtime.journal.hold import hold
from schemas.migration import Migration


@dataclass(frozen=True)
class Guard:
    """A resource that refuses to be deleted until it is told otherwise."""

    type: str
    physical_id: str


_CLUSTER, _LOAD_BALANCER = "AWS::RDS::DBCluster", "AWS::ElasticLoadBalancingV2::LoadBalancer"
_DELETING, _GONE = "DELETE_IN_PROGRESS", ("DELETE_COMPLETE",)


def destroy(aws: Aws, migration: Migration, console: Console, yes: bool, why: str = "") -> bool:
    """Delete the root stack and all its nested stacks; follow a deletion that is under way already.

    The bootstrap stack stays, with the artefacts and the journal; so does what the templates retain.

    Returns:
        False when there was nothing to delete.

    Raises:
        Refused: AWS still gets traffic, the stack is busy, or the lease is another's.
        StackFailed: something could not be deleted.
    """
    name = migration.full_name
    if stack.describe(aws, name) is None:
        return False
    journal = open_journal(aws, name)
    with hold(journal, "destroy", why) as holding:
        root = stack.describe(aws, name)
        if root is None:
            return False
        if journal.writer().side != "source":
            raise Refused("the target is the writer: its database holds what the source does not have")
        live = weights.read(aws, record_of(migration))
        if live is not None and live.new:
            raise Refused(
                f"{live.new} % of the traffic still goes to AWS", "paymig rollback first, then paymig destroy"
            )
        if root.busy and root.status != _DELETING:
            raise Refused(f"stack {name} is {root.status}", "paymig deploy follows it to its end; then paymig destroy")
        follower = Follower(aws, root.id, under_way=root.status == _DELETING)
        guards: list[Guard] = []
        if root.status == _DELETING:
            console.say(f"Stack {name} is {_DELETING}: following it")
        else:
            guards = list(_guards(aws, root))
            console.say(f"Stack {name} ({root.status}) and its nested stacks will be deleted.")
            if root.protected:
                console.say("  termination protection will be lifted")
            for guard in guards:
                console.say(f"  deletion protection will be lifted: {guard.type} {guard.physical_id}")
            console.confirm(f"Delete {name}?", yes)
        with holding.step("delete the stacks", stack=root.id) as reached:
            if root.status != _DELETING:
                _delete(aws, root, guards)
            _follow(aws, root, follower, console)
            reached["status"] = "DELETE_COMPLETE"
    return True


def _delete(aws: Aws, root: stack.Stack, guards: list[Guard]) -> None:
    for guard in guards:
        _lift(aws, guard)
    client = aws.client("cloudformation")
    if root.protected:
        client.update_termination_protection(StackName=root.name, EnableTerminationProtection=False)
    client.delete_stack(StackName=root.id)


def _follow(aws: Aws, root: stack.Stack, follower: Follower, console: Console) -> None:
    try:
        events = show(console, root.name, follower.events(root.id))
    except KeyboardInterrupt:
        console.say(f"Stopped following. Stack {root.name} goes on being deleted; to follow it again: paymig destroy.")
        raise
    ended = stack.describe(aws, root.id)
    if ended is not None and ended.status != "DELETE_COMPLETE":
        cause = root_cause(events)
        why = f"{cause.component}/{cause.logical_id}: {cause.reason}" if cause else ended.reason
        raise StackFailed(f"stack {root.name} ended {ended.status}\n{why}", "mend the cause, then paymig destroy again")


def _guards(aws: Aws, root: stack.Stack) -> Iterator[Guard]:
    for nested_id in stack.nested(aws, root.name).values():
        for resource in stack.resources(aws, nested_id):
            if resource.type in (_CLUSTER, _LOAD_BALANCER) and resource.physical_id and resource.status not in _GONE:
                yield Guard(resource.type, resource.physical_id)


def _lift(aws: Aws, guard: Guard) -> None:
    if guard.type == _CLUSTER:
        aws.client("rds").modify_db_cluster(
            DBClusterIdentifier=guard.physical_id, DeletionProtection=False, ApplyImmediately=True
        )
    else:
        aws.client("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=guard.physical_id, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
        )
