"""The target's roles: a generated secret for each, rotated in the template that holds it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from troposphere import AccountId, GetAtt, Ref
from troposphere.awslambda import Permission
from troposphere.rds import DBCluster
from troposphere.secretsmanager import (
    GenerateSecretString,
    ResourcePolicy,
    RotationRules,
    RotationSchedule,
    Secret,
    SecretTargetAttachment,
)

from compiler import names, policy
from compiler.component import Component
from compiler.databases import target_variables
from compiler.function import Foundations, Place, function, read_secret
from schemas.migration import Migration

_ROLES = {
    "Api": ("paymig_api", "The payments API's role on the target.", "api"),
    "Control": ("paymig_control", "The switchover's role on the target.", "cutover"),
    "Replication": ("paymig_replication", "The replication engine's role on the target.", "replication"),
    "Validation": ("paymig_validation", "The comparison's role on the target.", "validation"),
}
# DMS reads host and port from its secret; the others are told the pool or the cluster by their environment.
_ATTACHED = ("Replication",)
_PASSWORD_LENGTH = 40


def credentials(
    component: Component,
    foundations: Foundations,
    *,
    cluster: DBCluster,
    ready: Sequence[str],
    place: Place,
    layers: Sequence[Any],
    secrets_key: Any,
) -> Mapping[str, Secret]:
    """Add the secrets, and the function that changes their passwords.

    Args:
        component: the database's component.
        foundations: what functions share.
        cluster: where the roles live.
        ready: logical ids without which the cluster answers nobody.
        place: where the rotation function runs.
        layers: the driver and the authorities.
        secrets_key: the ARN of the key that encrypts the secrets.

    Returns:
        The secrets by role.
    """
    secrets = {
        role: component.add(
            Secret(
                f"{role}Secret",
                Description=description,
                KmsKeyId=secrets_key,
                GenerateSecretString=GenerateSecretString(
                    # PostgreSQL takes any character; quotes and the like only endanger who pastes it into a URL.
                    ExcludePunctuation=True,
                    GenerateStringKey="password",
                    PasswordLength=_PASSWORD_LENGTH,
                    SecretStringTemplate=f'{{"username": "{user}"}}',
                ),
            ),
            cause,
        )
        for role, (user, description, cause) in _ROLES.items()
    }
    for role in _ATTACHED:
        component.add(
            SecretTargetAttachment(
                f"{role}SecretAttachment",
                SecretId=Ref(secrets[role]),
                TargetId=Ref(cluster),
                TargetType="AWS::RDS::DBCluster",
            ),
            "replication",
        )
    for role, secret in secrets.items():
        readers = ResourcePolicy(
            f"{role}SecretPolicy",
            SecretId=Ref(secret),
            BlockPublicPolicy=True,
            ResourcePolicy=_readers(foundations.migration),
        )
        if role in _ATTACHED:
            # Whoever deploys attaches the secret to its database before the door closes.
            readers.DependsOn = f"{role}SecretAttachment"
        component.add(readers, "security", ResourcePolicy=names.FULL_NAME)
    _rotation(component, foundations, cluster, ready, place, layers, secrets_key, secrets)
    return secrets


def _readers(migration: Migration) -> dict[str, Any]:
    """Refuse the secret to every principal that does not bear this migration's tag, whatever its own rights say."""
    return policy.document(
        {
            "Sid": "OnlyThisMigration",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "*",
            "Condition": {
                "StringNotEquals": {f"aws:PrincipalTag/{names.MIGRATION_TAG}": migration.full_name},
                # CloudFormation reads it on behalf of who deploys, to attach it to its database.
                "ForAllValues:StringNotEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]},
            },
        }
    )


def _rotation(
    component: Component,
    foundations: Foundations,
    cluster: DBCluster,
    ready: Sequence[str],
    place: Place,
    layers: Sequence[Any],
    secrets_key: Any,
    secrets: Mapping[str, Secret],
) -> None:
    migration = foundations.migration
    master = GetAtt(cluster, "MasterUserSecret.SecretArn")
    variables = target_variables(
        migration, GetAtt(cluster, "Endpoint.Address"), GetAtt(cluster, "Endpoint.Port"), master
    )
    variables["ADMIN_SECRET_ARN"] = variables.pop("TARGET_SECRET_ARN")
    rotation = function(
        component,
        "SecretRotation",
        foundations,
        cause="security.secret_rotation",
        description="Changes the passwords of the target's roles.",
        asset="secret_rotation",
        handler="secret_rotation.handler.handler",
        environment=variables,
        rights=[
            *read_secret(master, secrets_key),
            policy.allow(
                [
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                [Ref(secret) for secret in secrets.values()],
            ),
            policy.allow("kms:GenerateDataKey", secrets_key, policy.through("secretsmanager")),
            # It names no resource.
            policy.allow("secretsmanager:GetRandomPassword", "*"),
        ],
        layers=layers,
        place=place,
        reserved=len(secrets),
        causes={"Environment.Variables.TARGET_NAME": names.DATABASE_NAME},
    )
    permission = component.add(
        Permission(
            "SecretRotationPermission",
            Action="lambda:InvokeFunction",
            FunctionName=GetAtt(rotation, "Arn"),
            Principal="secretsmanager.amazonaws.com",
            SourceAccount=AccountId,
        ),
        "security.secret_rotation",
    )
    days = migration.security.secret_rotation // timedelta(days=1)
    for role, secret in secrets.items():
        attachment = [f"{role}SecretAttachment"] if role in _ATTACHED else []
        component.add(
            RotationSchedule(
                f"{role}SecretRotation",
                SecretId=Ref(secret),
                RotationLambdaARN=GetAtt(rotation, "Arn"),
                RotationRules=RotationRules(ScheduleExpression=f"rate({days} day{'s' if days > 1 else ''})"),
                # The role may not exist yet: the first rotation follows the schedule.
                RotateImmediatelyOnUpdate=False,
                DependsOn=[permission.title, *ready, *attachment],
            ),
            "security.secret_rotation",
            RotationRules="security.secret_rotation",
        )
