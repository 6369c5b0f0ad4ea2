"""Names and tags: the few physical names that AWS leaves no choice about, and what every resource is marked with."""

import hashlib
import re
from collections.abc import Mapping

from schemas.migration import Migration

FULL_NAME = "name environment"
"""The spec paths that a migration's full name is made of."""
DATABASE_NAME = "database.name source.database.name"
"""Those of its database's name on the target: the second where the first is left out."""
MIGRATION_TAG = "Migration"
"""The tag that says which migration a resource, and so a role, belongs to."""

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def snake(name: str) -> str:
    """Turn a CamelCase component name into its template's file name: `LoadBalancer` into `load_balancer`."""
    return _WORD.sub("_", name).lower()


def tags(migration: Migration) -> Mapping[str, str]:
    """Tags of every resource: the operator's own, and which migration and environment it belongs to."""
    return {
        **migration.tags,
        "Environment": migration.environment,
        MIGRATION_TAG: migration.full_name,
    }


def replication(migration: Migration) -> str:
    """Identifier of the DMS instance and task: CloudWatch and DMS events know them by no other name.

    DMS allows 63 characters; a full name has 49 at most.
    """
    return migration.full_name


def reverse_replication(migration: Migration) -> str:
    """Identifier of the DMS task for the way back."""
    return f"{replication(migration)}-back"


def follow_replication(migration: Migration) -> str:
    """Identifier of the DMS task that follows the source after the writer was on the target."""
    return f"{replication(migration)}-again"


def dms_slot(migration: Migration) -> str:
    """Name of the slot from which DMS follows either side: it is made when the writer moves, under this name."""
    return f"paymig_{migration.full_name.replace('-', '_')}_dms"


def database_proxy(migration: Migration) -> str:
    """Name of the RDS Proxy, which CloudFormation does not generate. RDS allows 63 characters.

    A replacement is made while the old one still has its name, so the name follows what forces one: the subnets.
    """
    subnets = f"{migration.network.cidr} {migration.network.availability_zones}"
    return f"{migration.full_name}-{hashlib.sha256(subnets.encode()).hexdigest()[:6]}"


def state_machine(migration: Migration, title: str) -> str:
    """Name of a state machine. Step Functions allows 80 characters.

    CloudFormation would generate one that says nothing of the migration, so that no policy could name the machine, not
    even that of its own role, which is made before it.
    """
    return f"{migration.full_name}-{title.lower()}"


def firewall_log_group(migration: Migration) -> str:
    """Name of the firewall's log group: WAF delivers only to groups with this prefix."""
    return f"aws-waf-logs-{migration.full_name}"


def firewall_metric(migration: Migration) -> str:
    """Name under which CloudWatch counts what the firewall does."""
    return f"{migration.full_name}-firewall"


def metric_namespace() -> str:
    """CloudWatch namespace of the metrics that the validation function publishes."""
    return "Paymig"
