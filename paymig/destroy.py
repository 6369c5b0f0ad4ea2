"""Deleting a migration's stacks, with the guards that stand against it lifted one by one and on purpose."""

from collections.abc import Iterator
from dataclasses import dataclass

from paymig.aws import stack, weights
from paymig.aws.events import Follower, root_cause
from paymig.aws.session import Aws
from paymig.console import Console
from paymig.deploy import record_of
from paymig.errors import Refused, StackFailed
from paymig.progress import show
from schemas.migration import Migration


@dataclass(frozen=True)
class Guard:
    """A resource that refuses to be deleted until it is told otherwise."""

    type: str
    physical_id: str


_CLUSTER, _LOAD_BALANCER = "AWS::RDS::DBCluster", "AWS::ElasticLoadBalancingV2::LoadBalancer"


def destroy(aws: Aws, migration: Migration, console: Console, yes: bool) -> bool:
    """Delete the root stack and all its nested stacks.

    The bootstrap stack stays, with the artefacts and the journal; so does what the templates retain.

    Returns:
        False when there was nothing to delete.

    Raises:
        Refused: AWS still gets traffic, or the stack is busy.
        StackFailed: something could not be deleted.
    """
    name = migration.full_name
    root = stack.describe(aws, name)
    if root is None:
        return False
    live = weights.read(aws, record_of(migration))
    if live is not None and live.new:
        raise Refused(f"{live.new} % of the traffic still goes to AWS", "paymig rollback first, then paymig destroy")
    if root.busy:
        raise Refused(f"stack {name} is {root.status}", "wait until it has ended: paymig status shows it")
    guards = list(_guards(aws, root))
    console.say(f"Stack {name} ({root.status}) and its nested stacks will be deleted.")
    for guard in guards:
        console.say(f"  deletion protection will be lifted: {guard.type} {guard.physical_id}")
    console.confirm(f"Delete {name}?", yes)
    for guard in guards:
        _lift(aws, guard)
    client = aws.client("cloudformation")
    if root.protected:
        client.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    follower = Follower(aws, root.id)
    client.delete_stack(StackName=name)
    events = show(console, name, follower.events(root.id))
    ended = stack.describe(aws, root.id)
    if ended is not None and ended.status != "DELETE_COMPLETE":
        cause = root_cause(events)
        why = f"{cause.component}/{cause.logical_id}: {cause.reason}" if cause else ended.reason
        raise StackFailed(f"stack {name} ended {ended.status}\n{why}", "mend the cause, then paymig destroy again")
    return True


def _guards(aws: Aws, root: stack.Stack) -> Iterator[Guard]:
    for nested_id in stack.nested(aws, root.name).values():
        for resource in stack.resources(aws, nested_id):
            if resource.type in (_CLUSTER, _LOAD_BALANCER) and resource.physical_id:
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
