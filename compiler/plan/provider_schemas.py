"""`python -m compiler.plan.provider_schemas` reads the create-only properties off the schemas that cfn-lint bundles.

`--check` says whether the written table is stale.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compiler.plan.replacements import FILE
from schemas.generated import write_or_check

_SERVICES = frozenset(
    (
        "ApplicationAutoScaling",
        "Backup",
        "CertificateManager",
        "CloudFormation",
        "CloudTrail",
        "CloudWatch",
        "CodeDeploy",
        "Config",
        "DMS",
        "DirectConnect",
        "DynamoDB",
        "EC2",
        "ECS",
        "ElasticLoadBalancingV2",
        "Events",
        "GuardDuty",
        "IAM",
        "KMS",
        "Kinesis",
        "KinesisFirehose",
        "Lambda",
        "Logs",
        "RDS",
        "Route53",
        "Route53Resolver",
        "S3",
        "SNS",
        "SQS",
        "SSM",
        "Scheduler",
        "SecretsManager",
        "Signer",
        "StepFunctions",
        "WAFv2",
    )
)
_PREFIX = "/properties/"
# A property's update behaviour is the same in every region; this one has every service.
_REGION = "us-east-1"


def text() -> str:
    """Return the table as JSON, one resource type a line.

    Raises:
        ImportError: cfn-lint is not installed.
    """
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as MANAGER

    types = [name for name in MANAGER.get_resource_types(_REGION) if name.split("::")[1] in _SERVICES]
    rows = {name: _row(MANAGER.get_resource_schema(_REGION, name).schema) for name in sorted(types)}
    lines = (f" {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _row(schema: Mapping[str, Any]) -> dict[str, list[str]]:
    sections = {"always": "createOnlyProperties", "maybe": "conditionalCreateOnlyProperties"}
    row = {
        name: sorted(path.removeprefix(_PREFIX) for path in schema.get(keyword, ()))
        for name, keyword in sections.items()
    }
    return {name: paths for name, paths in row.items() if paths}


if __name__ == "__main__":
    sys.exit(write_or_check("compiler.plan.provider_schemas", {Path(__file__).with_name(FILE): text()}))
