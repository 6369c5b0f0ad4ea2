"""Buckets that keep logs: private, versioned, encrypted, emptied when the time is over."""

from typing import Any

from troposphere import GetAtt, Sub
from troposphere.s3 import (
    AbortIncompleteMultipartUpload,
    Bucket,
    BucketEncryption,
    DefaultRetention,
    LifecycleConfiguration,
    LifecycleRule,
    NoncurrentVersionExpiration,
    ObjectLockConfiguration,
    ObjectLockRule,
    OwnershipControls,
    OwnershipControlsRule,
    PublicAccessBlockConfiguration,
    ServerSideEncryptionByDefault,
    ServerSideEncryptionRule,
    VersioningConfiguration,
)

from compiler.component import Component


def log_bucket(
    component: Component, title: str, *, cause: str, days: int, key: Any = None, locked: bool = False
) -> Bucket:
    """Add a bucket for logs, which outlives its stack.

    Args:
        component: the component it belongs to.
        title: the logical id.
        cause: the spec path that its lifetime comes from.
        days: how long logs are kept.
        key: the ARN of the key that encrypts them; none is S3's own, for services that write under no other.
        locked: nobody changes or deletes a log within that time.
    """
    properties: dict[str, Any] = {}
    if locked:
        properties["ObjectLockEnabled"] = True
        properties["ObjectLockConfiguration"] = ObjectLockConfiguration(
            ObjectLockEnabled="Enabled",
            Rule=ObjectLockRule(DefaultRetention=DefaultRetention(Mode="GOVERNANCE", Days=days)),
        )
    return component.add(
        Bucket(
            title,
            BucketEncryption=BucketEncryption(ServerSideEncryptionConfiguration=[_encryption(key)]),
            LifecycleConfiguration=LifecycleConfiguration(
                Rules=[
                    LifecycleRule(
                        Id="Expire",
                        Status="Enabled",
                        ExpirationInDays=days,
                        NoncurrentVersionExpiration=NoncurrentVersionExpiration(NoncurrentDays=30),
                        AbortIncompleteMultipartUpload=AbortIncompleteMultipartUpload(DaysAfterInitiation=7),
                    )
                ]
            ),
            OwnershipControls=OwnershipControls(Rules=[OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]),
            PublicAccessBlockConfiguration=PublicAccessBlockConfiguration(
                BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True
            ),
            VersioningConfiguration=VersioningConfiguration(Status="Enabled"),
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            **properties,
        ),
        cause,
        LifecycleConfiguration=cause,
    )


def whole(bucket: Bucket) -> list[Any]:
    """The ARNs of a bucket and of everything in it."""
    return [GetAtt(bucket, "Arn"), objects(bucket)]


def objects(bucket: Bucket, prefix: str = "") -> Sub:
    """The ARN of what a bucket holds under a prefix, which may name pseudo parameters."""
    return Sub(f"${{{bucket.title}.Arn}}/{prefix}*")


def _encryption(key: Any) -> ServerSideEncryptionRule:
    if key is None:
        return ServerSideEncryptionRule(
            ServerSideEncryptionByDefault=ServerSideEncryptionByDefault(SSEAlgorithm="AES256")
        )
    return ServerSideEncryptionRule(
        BucketKeyEnabled=True,
        ServerSideEncryptionByDefault=ServerSideEncryptionByDefault(SSEAlgorithm="aws:kms", KMSMasterKeyID=key),
    )
