"""S3 and DynamoDB: properties that ministack's resource types accept and forget."""

from __future__ import annotations

from typing import Any

from paymig.embedded.plugin.resources import Properties, Provisioned, amend
from paymig.embedded.plugin.services import call

_BUCKET = "AWS::S3::Bucket"
_TABLE = "AWS::DynamoDB::Table"


def install() -> frozenset[str]:
    """Apply those properties; gives the types that call a service while they run."""
    amend(_BUCKET, _configure_bucket)
    amend(_TABLE, _configure_table)
    return frozenset({_BUCKET, _TABLE})


def _configure_bucket(bucket: str, attributes: dict[str, Any], props: Properties) -> Provisioned:
    if rules := props.get("LifecycleConfiguration", {}).get("Rules"):
        lifecycle = {"Rules": [lifecycle_rule(rule) for rule in rules]}
        call("s3", "PutBucketLifecycleConfiguration", Bucket=bucket, LifecycleConfiguration=lifecycle)
    if rules := props.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration"):
        encryption = {"Rules": [_encryption_rule(rule) for rule in rules]}
        call("s3", "PutBucketEncryption", Bucket=bucket, ServerSideEncryptionConfiguration=encryption)
    if lock := props.get("ObjectLockConfiguration"):
        call("s3", "PutObjectLockConfiguration", Bucket=bucket, ObjectLockConfiguration=lock)
    if logging := props.get("LoggingConfiguration"):
        target = {
            "TargetBucket": logging.get("DestinationBucketName", bucket),
            "TargetPrefix": logging.get("LogFilePrefix", ""),
        }
        call("s3", "PutBucketLogging", Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": target})
    return bucket, attributes


def lifecycle_rule(rule: Properties) -> dict[str, Any]:
    """A lifecycle rule of a template in the API's form."""
    api: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        api["ID"] = rule["Id"]
    expiration = {
        "Days": rule.get("ExpirationInDays"),
        "Date": rule.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
    }
    noncurrent = rule.get("NoncurrentVersionExpiration") or {
        "NoncurrentDays": rule.get("NoncurrentVersionExpirationInDays")
    }
    for name, value in (("Expiration", expiration), ("NoncurrentVersionExpiration", noncurrent)):
        if given := {key: item for key, item in value.items() if item is not None}:
            api[name] = given
    if "AbortIncompleteMultipartUpload" in rule:
        api["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    if "Transitions" in rule:
        api["Transitions"] = [_transition(entry, "Days") for entry in rule["Transitions"]]
    if "NoncurrentVersionTransitions" in rule:
        api["NoncurrentVersionTransitions"] = [
            _transition(entry, "NoncurrentDays") for entry in rule["NoncurrentVersionTransitions"]
        ]
    return api


def _transition(entry: Properties, days: str) -> dict[str, Any]:
    names = {"TransitionInDays": days, "TransitionDate": "Date"}
    return {names.get(name, name): value for name, value in entry.items()}


def _encryption_rule(rule: Properties) -> dict[str, Any]:
    default = rule.get("ServerSideEncryptionByDefault", {})
    return {
        "ApplyServerSideEncryptionByDefault": default,
        "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
    }


def _configure_table(table: str, attributes: dict[str, Any], props: Properties) -> Provisioned:
    if recovery := props.get("PointInTimeRecoverySpecification"):
        call(
            "dynamodb",
            "UpdateContinuousBackups",
            TableName=table,
            PointInTimeRecoverySpecification=recovery,
        )
    if sse := props.get("SSESpecification"):
        specification = {{"SSEEnabled": "Enabled"}.get(name, name): value for name, value in sse.items()}
        call("dynamodb", "UpdateTable", TableName=table, SSESpecification=specification)
    return table, attributes
