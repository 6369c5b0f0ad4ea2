"""The audit trail: who did what to the migration, in a bucket where nobody changes it."""

from collections.abc import Sequence
from typing import Any

from troposphere import GetAtt, Ref, Sub
from troposphere.cloudtrail import AdvancedEventSelector, AdvancedFieldSelector, Trail
from troposphere.iam import Policy, Role
from troposphere.logs import LogGroup, MetricFilter, MetricTransformation
from troposphere.s3 import Bucket, BucketPolicy

from compiler import names, policy
from compiler.buckets import log_bucket, objects, whole
from compiler.component import Component
from compiler.parameters import ARTIFACT_BUCKET, JOURNAL_TABLE
from schemas.migration import Migration

_CAUSE = "monitoring"
_TRAILS = Sub("arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/*")
_OURS = {"ArnLike": {"aws:SourceArn": _TRAILS}}
_SERVICE = "cloudtrail.amazonaws.com"
_TAMPERING_EVENTS = (
    "DeleteTrail",
    "DisableKey",
    "PutEventSelectors",
    "ScheduleKeyDeletion",
    "StopLogging",
    "UpdateTrail",
)


def audit(component: Component, migration: Migration, *, key: Any, watched: Sequence[Any]) -> None:
    """Record management of the account, changes of the journal, code and templates, and who reads logs and reports.

    Args:
        component: the monitoring component.
        migration: the spec.
        key: the ARN of the key that encrypts the trail.
        watched: the ARNs of buckets whose readers are recorded.
    """
    bucket = log_bucket(component, "AuditLogs", cause=_CAUSE, days=policy.LOG_RETENTION_DAYS, key=key, locked=True)
    delivery = _delivery(component, bucket)
    group = component.add(LogGroup("AuditLogGroup", KmsKeyId=key, RetentionInDays=policy.LOG_RETENTION_DAYS), _CAUSE)
    role = component.add(
        Role(
            "AuditRole",
            AssumeRolePolicyDocument=policy.trust(_SERVICE, _OURS),
            Policies=[
                Policy(
                    PolicyName="WriteLogs",
                    PolicyDocument=policy.document(
                        policy.allow(["logs:CreateLogStream", "logs:PutLogEvents"], GetAtt(group, "Arn"))
                    ),
                )
            ],
        ),
        _CAUSE,
    )
    component.add(
        Trail(
            "Audit",
            IsLogging=True,
            IsMultiRegionTrail=True,
            IncludeGlobalServiceEvents=True,
            EnableLogFileValidation=True,
            KMSKeyId=key,
            S3BucketName=Ref(bucket),
            CloudWatchLogsLogGroupArn=GetAtt(group, "Arn"),
            CloudWatchLogsRoleArn=GetAtt(role, "Arn"),
            AdvancedEventSelectors=_selectors(component, bucket, watched),
            DependsOn=[delivery.title],
        ),
        _CAUSE,
    )
    pattern = " || ".join(f"($.eventName = {name})" for name in _TAMPERING_EVENTS)
    component.add(
        MetricFilter(
            "AuditTampering",
            LogGroupName=Ref(group),
            FilterPattern=f"{{ {pattern} }}",
            MetricTransformations=[
                MetricTransformation(
                    MetricNamespace=names.metric_namespace(),
                    MetricName=metric(migration),
                    MetricValue="1",
                    DefaultValue=0,
                )
            ],
        ),
        _CAUSE,
        **{"MetricTransformations.0.MetricName": names.FULL_NAME},
    )


def metric(migration: Migration) -> str:
    """Name of the metric that counts attempts to blind the trail or to take away a key: it can't have dimensions."""
    return f"AuditTampering-{migration.full_name}"


def _delivery(component: Component, bucket: Bucket) -> BucketPolicy:
    trail = {"Principal": {"Service": _SERVICE}}
    unlock: policy.Statement = {
        "Sid": "NobodyUnlocks",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:BypassGovernanceRetention",
        "Resource": objects(bucket),
    }
    return component.add(
        BucketPolicy(
            "AuditLogsPolicy",
            Bucket=Ref(bucket),
            PolicyDocument=policy.document(
                {**policy.allow("s3:GetBucketAcl", GetAtt(bucket, "Arn"), _OURS), **trail},
                {**policy.allow("s3:PutObject", objects(bucket, "AWSLogs/${AWS::AccountId}/"), _OURS), **trail},
                unlock,
                policy.tls_only(*whole(bucket)),
            ),
        ),
        _CAUSE,
    )


def _selectors(component: Component, bucket: Bucket, watched: Sequence[Any]) -> list[AdvancedEventSelector]:
    component.use(ARTIFACT_BUCKET)
    component.use(JOURNAL_TABLE)
    journal = Sub("arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${JournalTable}")
    return [
        AdvancedEventSelector(Name="Management", FieldSelectors=[_is("eventCategory", ["Management"])]),
        _data(
            "Code and templates",
            "AWS::S3::Object",
            AdvancedFieldSelector(
                Field="resources.ARN", StartsWith=[Sub("arn:${AWS::Partition}:s3:::${ArtifactBucket}/")]
            ),
        ),
        _data(
            "Readers of logs and reports",
            "AWS::S3::Object",
            AdvancedFieldSelector(
                Field="resources.ARN",
                StartsWith=[Sub(f"${{{bucket.title}.Arn}}/"), *(Sub("${Bucket}/", Bucket=arn) for arn in watched)],
            ),
            # What is delivered there would be recorded without end.
            _is("readOnly", ["true"]),
        ),
        # Every payment reads it.
        _data("Journal", "AWS::DynamoDB::Table", _is("resources.ARN", [journal]), _is("readOnly", ["false"])),
    ]


def _data(name: str, kind: str, *fields: AdvancedFieldSelector) -> AdvancedEventSelector:
    return AdvancedEventSelector(
        Name=name, FieldSelectors=[_is("eventCategory", ["Data"]), _is("resources.type", [kind]), *fields]
    )


def _is(field: str, values: Sequence[Any]) -> AdvancedFieldSelector:
    return AdvancedFieldSelector(Field=field, Equals=list(values))
