"""Drift detection for what ministack does not compare, or looks up under another name than this plugin's."""

from __future__ import annotations

from typing import Any

from paymig.embedded.plugin import host

_CLUSTER = ("DeletionProtection", "BackupRetentionPeriod")


def install() -> None:
    """Register the readers: each gives a resource's properties as they are now, or None when it is gone."""
    readers = host.module("services.cloudformation.drift")._DRIFT_READERS
    by_name, properties = readers["AWS::SecretsManager::Secret"]

    def read_secret(physical_id: str, props: Any) -> Any:
        # Here, as on AWS, a secret's physical id is its ARN.
        secrets = host.module("services.secretsmanager")._secrets
        name = next((name for name, secret in secrets.items() if secret["ARN"] == physical_id), physical_id)
        return by_name(name, props)

    readers["AWS::SecretsManager::Secret"] = (read_secret, properties)
    readers["AWS::RDS::DBCluster"] = (_read_cluster, frozenset(_CLUSTER))


def _read_cluster(physical_id: str, _props: Any) -> dict[str, Any] | None:
    cluster = host.module("services.rds")._clusters.get(physical_id)
    return None if cluster is None else {name: cluster[name] for name in _CLUSTER if name in cluster}
