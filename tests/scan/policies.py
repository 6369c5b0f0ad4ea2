"""The IAM policies of compiled templates, with references filled in as deployed: parliament reads nothing else."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import boto3

from compiler.compile import Compiled
from paymig.policy.formats import FOR
from paymig.policy.statements import document

_PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-2",
    "AWS::URLSuffix": "amazonaws.com",
}
_HERE = "us-east-2:111122223333"
_ARNS = {
    "AWS::CloudWatch::CompositeAlarm": f"arn:aws:cloudwatch:{_HERE}:alarm:name",
    "AWS::DMS::ReplicationConfig": f"arn:aws:dms:{_HERE}:replication-config:ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "AWS::DMS::ReplicationTask": f"arn:aws:dms:{_HERE}:task:ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "AWS::KMS::Key": f"arn:aws:kms:{_HERE}:key/11111111-2222-3333-4444-555555555555",
    "AWS::Lambda::Alias": f"arn:aws:lambda:{_HERE}:function:name:live",
    "AWS::Lambda::Function": f"arn:aws:lambda:{_HERE}:function:name",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_HERE}:log-group:name:*",
    "AWS::RDS::DBCluster": f"arn:aws:secretsmanager:{_HERE}:secret:master-AbCdEf",
    "AWS::S3::Bucket": "arn:aws:s3:::name",
    "AWS::SNS::Topic": f"arn:aws:sns:{_HERE}:name",
    "AWS::SQS::Queue": f"arn:aws:sqs:{_HERE}:name",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{_HERE}:secret:name-AbCdEf",
}
_NAMES = {"AWS::S3::Bucket": "name"}
"""What a `Ref` gives that is not the ARN."""
_ROOT_PARAMETERS = {
    "ArtifactBucket": "artifacts",
    "JournalTable": "journal",
    "SourceAdminSecretArn": f"arn:aws:secretsmanager:{_HERE}:secret:source-owner-AbCdEf",
    "SourceSecretArn": f"arn:aws:secretsmanager:{_HERE}:secret:source-AbCdEf",
}
_SDK = {"elasticloadbalancing": "elbv2"}
_NO_OPERATIONS = ("PassCapacityProvider",)  # a right of Lambda that no operation is called after
ACCEPTED = ("PERMISSIONS_MANAGEMENT_ACTIONS", "RESOURCE_STAR")
"""Rules that no printed policy is held to."""
_VARIABLE = re.compile(r"\$\{([^}]+)\}")

Templates = Mapping[str, Mapping[str, Any]]


def printed(compiled: Compiled) -> Iterator[tuple[str, str, Any]]:
    """Yield each statement of what `paymig policy` prints: who, statement, document."""
    for who, made in FOR.items():
        for statement in made(compiled):
            yield f"policy for {who}", statement.sid, document([statement])


def accepted(rule: str, text: str) -> bool:
    """Whether a finding on a printed policy is none.

    Parliament's list of actions is older than the SDK, and not each of its rules is about an error: a role that makes
    roles manages permissions, and what may stand on `*` is tested in `tests/paymig/test_policy.py`, for everybody that
    policies are printed for. docs/exceptions.md says so too.
    """
    if rule == "UNKNOWN_ACTION":
        service, _, operation = text.rpartition(" ")[2].partition(":")
        client = boto3.client(_SDK.get(service, service), "us-east-1")
        return operation in client.meta.service_model.operation_names or operation in _NO_OPERATIONS
    return rule in ACCEPTED


def policies(templates: Templates) -> Iterator[tuple[str, str, Any]]:
    """Yield each policy of a role: template, logical id, document."""
    for name, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] == "AWS::IAM::Role":
                for policy in resource["Properties"].get("Policies", ()):
                    yield name, logical_id, _resolved(templates, name, policy["PolicyDocument"])


def _resolved(templates: Templates, name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_resolved(templates, name, entry) for entry in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Ref": target}:
            return _target(templates, name, target)
        case {"Fn::GetAtt": [target, attribute]}:
            return _target(templates, name, target, attribute)
        case {"Fn::Sub": str(text)}:
            return _VARIABLE.sub(lambda found: _target(templates, name, *found[1].split(".", 1)), text)
    return {key: _resolved(templates, name, entry) for key, entry in value.items()}


def _target(templates: Templates, name: str, target: str, attribute: str = "") -> str:
    """What a reference stands for: a pseudo parameter, a resource, or what the root passes on from another stack."""
    if target in _PSEUDO:
        return _PSEUDO[target]
    resource = templates[name]["Resources"].get(target)
    if resource is not None:
        return _ARNS[resource["Type"]] if attribute else _NAMES.get(resource["Type"], _ARNS[resource["Type"]])
    root = templates["root"]["Resources"]
    [stack] = [stack for stack in root if stack.lower() == name.replace("_", "")]
    passed = root[stack]["Properties"]["Parameters"][target]
    if "Ref" in passed:
        return _ROOT_PARAMETERS[passed["Ref"]]
    origin, output = passed["Fn::GetAtt"]
    [source] = [other for other in templates if other.replace("_", "") == origin.lower()]
    return str(_resolved(templates, source, templates[source]["Outputs"][output.removeprefix("Outputs.")]["Value"]))
