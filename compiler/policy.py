"""IAM documents, keys and closed doors: least rights in few words."""

from collections.abc import Mapping, Sequence
from typing import Any

from troposphere import AccountId, Sub
from troposphere.ec2 import SecurityGroupRule
from troposphere.kms import Key

from compiler.component import Component

Statement = dict[str, Any]

LOG_RETENTION_DAYS = 400
"""Thirteen months: audit logs are kept for twelve, and a month to look at them."""

ACCOUNT_ROOT = Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
SAME_ACCOUNT = {"StringEquals": {"aws:SourceAccount": AccountId}}

_ADMINISTRATION = [
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
]
_USE = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]


def allow(actions: str | Sequence[str], resources: Any, condition: Mapping[str, Any] | None = None) -> Statement:
    """A statement that allows `actions` on `resources`, under `condition`."""
    statement: Statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def document(*statements: Statement) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(service: Any, condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A trust policy: only `service` may take the role.

    Args:
        service: its principal.
        condition: `SAME_ACCOUNT` for services that tell on whose behalf they act; not all do.
    """
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    return document(statement | ({"Condition": condition} if condition else {}))


def tls_only(*resources: Any, action: str = "s3:*") -> Statement:
    """A statement that refuses every request without TLS."""
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": action,
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def regional(service: str) -> Sub:
    """The service's principal in this region: `rds` gives `rds.us-east-2.amazonaws.com`."""
    return Sub(f"{service}.${{AWS::Region}}.amazonaws.com")


def through(service: str) -> dict[str, Any]:
    """A condition: the key is used by `service` on the caller's behalf, never by the caller directly."""
    return {"StringEquals": {"kms:ViaService": regional(service)}}


def key(
    component: Component,
    title: str,
    *,
    cause: str,
    purpose: str,
    via: Sequence[str] = (),
    own: Sequence[Statement] = (),
) -> Key:
    """Add a key whose administrators can't use it, and whose users reach it only through AWS services.

    Args:
        component: the component it belongs to.
        title: the logical id.
        cause: the spec path it comes from.
        purpose: what it encrypts.
        via: services through which roles of this account may use it.
        own: statements for services that use it in their own name.
    """
    statements = [_key_statement("Administration", _ADMINISTRATION)]
    if via:
        services = {"StringEquals": {"kms:ViaService": [regional(service) for service in via]}}
        statements.append(_key_statement("Use", _USE, services))
        grants = {**services, "Bool": {"kms:GrantIsForAWSResource": "true"}}
        statements.append(_key_statement("Grants", "kms:CreateGrant", grants))
    return component.add(
        Key(
            title,
            Description=purpose,
            EnableKeyRotation=True,
            RotationPeriodInDays=365,
            PendingWindowInDays=30,
            KeyPolicy=document(*statements, *own),
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
        ),
        cause,
    )


def service_use(service: Any, condition: Mapping[str, Any] | None = None) -> Statement:
    """A key policy's statement: `service` uses the key in its own name, under `condition`."""
    statement = {"Effect": "Allow", "Action": _USE, "Principal": {"Service": service}, "Resource": "*"}
    return statement | ({"Condition": condition} if condition else {})


def _key_statement(sid: str, actions: str | Sequence[str], condition: Mapping[str, Any] | None = None) -> Statement:
    """A key policy's statement for this account's roles, which need the right in their own policies too."""
    return {**allow(actions, "*", condition), "Sid": sid, "Principal": {"AWS": ACCOUNT_ROOT}}


def nowhere() -> SecurityGroupRule:
    """An outbound rule that leads nowhere: without any, a security group may talk to everybody."""
    return SecurityGroupRule(
        CidrIp="127.0.0.1/32", Description="Nothing else leaves.", IpProtocol="icmp", FromPort=-1, ToPort=-1
    )
