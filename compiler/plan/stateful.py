"""What is lost when a resource goes: replacing or deleting one of these wants its name on the command line."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from compiler.plan.change import Action, Change, Plan
from compiler.plan.replacements import Effect

_DATA = "the data in it"
_LOGS = "the records in it"

LOST: Mapping[str, str] = MappingProxyType(
    {
        "AWS::Backup::BackupVault": _DATA,
        "AWS::CloudTrail::Trail": "the record of who did what, from then on",
        "AWS::DMS::ReplicationConfig": "the position of the replication",
        "AWS::DMS::ReplicationInstance": "the position of the replications on it",
        "AWS::DMS::ReplicationTask": "the position of the replication",
        "AWS::DynamoDB::GlobalTable": _DATA,
        "AWS::DynamoDB::Table": _DATA,
        "AWS::EC2::EIP": "an address that others may have allowed",
        "AWS::EC2::TransitGatewayAttachment": "the line to the data centre",
        "AWS::EC2::VPC": "everything that stands in it",
        "AWS::EC2::VPNConnection": "the line to the data centre, with its tunnels' keys",
        "AWS::EC2::Volume": _DATA,
        "AWS::EFS::FileSystem": _DATA,
        "AWS::ElasticLoadBalancingV2::LoadBalancer": "the address that clients have resolved",
        "AWS::Kinesis::Stream": _DATA,
        "AWS::KMS::Key": "whatever it encrypted",
        "AWS::Logs::LogGroup": _LOGS,
        "AWS::RDS::DBCluster": _DATA,
        "AWS::RDS::DBInstance": "a running database instance",
        "AWS::Route53::HostedZone": "every name in it",
        "AWS::S3::Bucket": _DATA,
        "AWS::SecretsManager::Secret": "the credentials in it",
        "AWS::SQS::Queue": "the messages in it",
    }
)
"""Types of resources that hold state, and what is lost with one."""


def endangered(plan: Plan, allowed: Collection[str] = ()) -> tuple[Change, ...]:
    """Return the changes that would, or could, replace or delete something stateful.

    Args:
        plan: what would be done.
        allowed: places such as `Database/Cluster`, or logical ids alone, that may go.
    """
    return tuple(
        change
        for change in plan.changes
        if change.type in LOST
        and (change.action is Action.REMOVE or change.effect > Effect.IN_PLACE)
        and not {change.place, change.logical_id} & set(allowed)
    )
