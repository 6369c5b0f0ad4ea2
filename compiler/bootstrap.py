"""What has to exist before the first deploy: the artefact bucket, the journal, and the roles DMS knows by name."""

from troposphere import GetAtt, Output, Ref, Sub, Tags, Template
from troposphere.dynamodb import (
    AttributeDefinition,
    KeySchema,
    PointInTimeRecoverySpecification,
    SSESpecification,
    Table,
)
from troposphere.iam import Role
from troposphere.s3 import (
    AbortIncompleteMultipartUpload,
    Bucket,
    BucketEncryption,
    BucketPolicy,
    LifecycleConfiguration,
    LifecycleRule,
    OwnershipControls,
    OwnershipControlsRule,
    PublicAccessBlockConfiguration,
    ServerSideEncryptionByDefault,
    ServerSideEncryptionRule,
    VersioningConfiguration,
)

from compiler import exceptions, policy
from compiler.json_text import to_json

ACCOUNT_ROLES = {
    "dms-vpc-role": "AmazonDMSVPCManagementRole",
    "dms-cloudwatch-logs-role": "AmazonDMSCloudWatchLogsRole",
}
"""Roles that DMS looks for under these very names, with the AWS policy each needs. An account has them once."""


def bootstrap(missing_roles: frozenset[str] = frozenset(ACCOUNT_ROLES)) -> bytes:
    """Build the bootstrap stack's template, the same for every migration of an account and region.

    Its outputs are `ArtifactBucket` and `JournalTable`.

    Args:
        missing_roles: which of `ACCOUNT_ROLES` the account lacks, or has from this very stack.

    Returns:
        The template as JSON.

    Raises:
        ValueError: a role that DMS does not look for.
    """
    if unknown := missing_roles - set(ACCOUNT_ROLES):
        raise ValueError(f"DMS looks for no role {', '.join(sorted(unknown))}")
    template = Template(Description="paymig: artefacts, journal, and the roles of DMS.")
    bucket = _bucket(template)
    table = _journal(template)
    for name in sorted(missing_roles):
        _role(template, name)
    for resource in template.resources.values():
        if metadata := exceptions.metadata("Bootstrap", resource):
            resource.Metadata = metadata
    template.add_output(Output("ArtifactBucket", Value=Ref(bucket)))
    template.add_output(Output("JournalTable", Value=Ref(table)))
    return to_json(template.to_dict())


def _bucket(template: Template) -> Bucket:
    bucket = template.add_resource(
        Bucket(
            "Artifacts",
            BucketEncryption=BucketEncryption(
                ServerSideEncryptionConfiguration=[
                    ServerSideEncryptionRule(
                        BucketKeyEnabled=True,
                        ServerSideEncryptionByDefault=ServerSideEncryptionByDefault(SSEAlgorithm="aws:kms"),
                    )
                ]
            ),
            LifecycleConfiguration=LifecycleConfiguration(
                Rules=[
                    LifecycleRule(
                        Id="Uploads",
                        Status="Enabled",
                        AbortIncompleteMultipartUpload=AbortIncompleteMultipartUpload(DaysAfterInitiation=7),
                    )
                ]
            ),
            OwnershipControls=OwnershipControls(Rules=[OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]),
            PublicAccessBlockConfiguration=PublicAccessBlockConfiguration(
                BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True
            ),
            Tags=Tags(Application="paymig"),
            VersioningConfiguration=VersioningConfiguration(Status="Enabled"),
            # A stack that is running still needs the code and the templates it was made of.
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
        )
    )
    template.add_resource(
        BucketPolicy(
            "ArtifactsPolicy",
            Bucket=Ref(bucket),
            PolicyDocument=policy.document(policy.tls_only(GetAtt(bucket, "Arn"), Sub(f"${{{bucket.title}.Arn}}/*"))),
        )
    )
    return bucket


def _journal(template: Template) -> Table:
    return template.add_resource(
        Table(
            "Journal",
            AttributeDefinitions=[
                AttributeDefinition(AttributeName="migration", AttributeType="S"),
                AttributeDefinition(AttributeName="item", AttributeType="S"),
            ],
            KeySchema=[
                KeySchema(AttributeName="migration", KeyType="HASH"),
                KeySchema(AttributeName="item", KeyType="RANGE"),
            ],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
            PointInTimeRecoverySpecification=PointInTimeRecoverySpecification(PointInTimeRecoveryEnabled=True),
            SSESpecification=SSESpecification(SSEEnabled=True, SSEType="KMS"),
            Tags=Tags(Application="paymig"),
            # Who the writer is stands here: it outlives every stack.
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
        )
    )


def _role(template: Template, name: str) -> None:
    template.add_resource(
        Role(
            "".join(part.capitalize() for part in name.split("-")),
            RoleName=name,
            AssumeRolePolicyDocument=policy.trust("dms.amazonaws.com", policy.SAME_ACCOUNT),
            # What DMS checks for is the attachment of this policy.
            ManagedPolicyArns=[Sub(f"arn:${{AWS::Partition}}:iam::aws:policy/service-role/{ACCOUNT_ROLES[name]}")],
            Tags=Tags(Application="paymig"),
            # Other migrations of the account rely on it.
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
        )
    )
