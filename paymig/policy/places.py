"""Where the rights apply: ARNs, as exact as the spec and AWS's naming allow."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from compiler import names
from compiler.bootstrap import ACCOUNT_ROLES
from compiler.compile import Compiled
from compiler.linked import ROOT, STACK
from compiler.names import MIGRATION_TAG
from compiler.plan.sources import templates_of
from paymig.aws.bootstrap import STACK as BOOTSTRAP
from paymig.aws.bootstrap import TABLE
from paymig.policy.statements import Statement
from schemas.migration import Migration

SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - a type
_SURELY_KEPT = 24  # characters; CloudFormation shortens a stack's name where a generated name would grow too long


class Place(NamedTuple):
    """Resources that rights are given on.

    Attributes:
        why: what they are; where there is a wildcard in them, what forces it.
    """

    resources: tuple[str, ...]
    why: str
    condition: Mapping[str, Mapping[str, Any]] | None = None

    def statement(self, sid: str, actions: tuple[str, ...]) -> Statement:
        """Allow actions here."""
        return Statement(sid, actions, self.resources, self.why, self.condition)


class Ground(NamedTuple):
    """What ARNs of a migration are made of."""

    partition: str
    region: str
    account: str
    name: str

    def arn(self, service: str, resource: str) -> str:
        """Give an ARN in the migration's account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def everywhere(self, service: str, resource: str, account: str = "") -> str:
        """Give an ARN of a service that knows no regions."""
        return f"arn:{self.partition}:{service}::{account}:{resource}"

    @property
    def generated(self) -> str:
        """How every name begins that CloudFormation generates for a resource of the migration, with a wildcard."""
        return f"{self.name}-*" if len(self.name) <= _SURELY_KEPT else f"{self.name[:_SURELY_KEPT]}*"

    def of_component(self, component: str) -> str:
        """How every name begins that CloudFormation generates for a resource of a component, with a wildcard."""
        return Ground(self.partition, self.region, self.account, f"{self.name}-{component}").generated


def ground(compiled: Compiled) -> Ground:
    """Read partition and account off the ARN of the source's secret, which lies in the migration's own account."""
    migration = compiled.migration
    _, partition, _, region, account, *_ = migration.source.database.secret.split(":")
    return Ground(partition, region, account, migration.full_name)


def service_role(name: str) -> str:
    """Name the role that CloudFormation acts as."""
    return f"{name}-cloudformation"


def places(compiled: Compiled) -> dict[str, Place]:
    """Give every place of a migration, by its name."""
    base, migration = ground(compiled), compiled.migration
    templates = templates_of(compiled)
    nested = [key for key, found in templates[ROOT]["Resources"].items() if found["Type"] == STACK]
    secrets = sorted(key for key, found in templates["database"]["Resources"].items() if found["Type"] == SECRET)
    bucket = f"{BOOTSTRAP}-artifacts-*"
    cluster = base.arn("rds", f"cluster:{base.generated.lower()}")
    own_account = {"StringEquals": {"s3:ResourceAccount": base.account}}
    record, source = migration.routing.record, migration.source.database
    return {
        "Root": Place(
            (base.arn("cloudformation", f"stack/{base.name}/*"),),
            "The root stack. What follows its name is an id that CloudFormation gives.",
        ),
        "Nested": Place(
            tuple(base.arn("cloudformation", f"stack/{base.name}-{key}-*/*") for key in sorted(nested)),
            "The nested stacks. CloudFormation ends their names with letters of its own.",
        ),
        "Bootstrap": Place(
            (base.arn("cloudformation", f"stack/{BOOTSTRAP}/*"),),
            "The stack that all migrations of the account and region share.",
        ),
        "AccountRoles": Place(
            tuple(base.everywhere("iam", f"role/{role}", base.account) for role in sorted(ACCOUNT_ROLES)),
            "The roles that DMS looks for by name; a deploy makes those that the account lacks.",
        ),
        "ServiceRole": Place(
            (base.everywhere("iam", f"role/{service_role(base.name)}", base.account),),
            "The role that CloudFormation acts as.",
            {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
        ),
        "Artefacts": Place(
            tuple(f"arn:{base.partition}:s3:::{bucket}/{folder}/*" for folder in ("assets", "templates")),
            "Templates and code, named by the hash of their content, in the bucket of the bootstrap stack. "
            "CloudFormation ends the bucket's name with letters of its own; it must be one of this account.",
            own_account,
        ),
        "ArtefactBucket": Place(
            (f"arn:{base.partition}:s3:::{bucket}",),
            "The bucket itself: without this right, S3 calls an object that is not there forbidden.",
            own_account,
        ),
        "Journal": Place(
            (base.arn("dynamodb", f"table/{BOOTSTRAP}-{TABLE}-*"),),
            "The journal, in it the items of this migration alone. CloudFormation ends the table's name with letters "
            "of its own.",
            {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [base.name]}},
        ),
        "Comparisons": Place(
            (base.arn("dynamodb", f"table/{BOOTSTRAP}-{TABLE}-*"),),
            "How far comparisons got, in the journal's table beside it.",
            {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [f"{base.name}/comparison"]}},
        ),
        "Zone": Place(
            (base.everywhere("route53", f"hostedzone/{migration.routing.hosted_zone}"),), "The hosted zone of the spec."
        ),
        "Record": Place(
            (base.everywhere("route53", f"hostedzone/{migration.routing.hosted_zone}"),),
            "The weighted pair in that zone, and no other record.",
            {
                "ForAllValues:StringEquals": {
                    "route53:ChangeResourceRecordSetsNormalizedRecordNames": [record],
                    "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME" if migration.source.api.hostname else "A"],
                }
            },
        ),
        "Changes": Place(
            (base.everywhere("route53", "change/*"),), "A change of Route 53 has an id that nobody knows before."
        ),
        "Cluster": Place(
            (cluster,),
            "The cluster. CloudFormation makes its name from the stack's.",
        ),
        "SourceSecrets": Place(
            tuple(dict.fromkeys((source.secret, source.admin))), "The logins of the source, as the spec names them."
        ),
        "TargetSecrets": Place(
            tuple(base.arn("secretsmanager", f"secret:{key}-*") for key in secrets),
            "The logins of the target's roles. A secret's name is its logical id and letters of CloudFormation's own; "
            "the tag says whose it is.",
            {"StringEquals": {f"aws:ResourceTag/{MIGRATION_TAG}": base.name}},
        ),
        "MasterSecret": Place(
            (base.arn("secretsmanager", "secret:rds!cluster-*"),),
            "The login that RDS keeps of the target. RDS names the secret by an id of its own, and tags it with the "
            "cluster.",
            {"ArnLike": {"aws:ResourceTag/aws:rds:primaryDBClusterArn": [cluster]}},
        ),
        "SecretKeys": Place(
            (base.arn("kms", "key/*"),),
            "The keys of the secrets: the source's is not ours and the target's gets its id when it is made. They "
            "decrypt what Secrets Manager hands out, and nothing else.",
            {"StringEquals": {"kms:ViaService": f"secretsmanager.{base.region}.amazonaws.com"}},
        ),
        "Switchover": Place(
            (base.arn("lambda", f"function:{base.of_component('Control')}"),),
            "The function that acts on both databases, the only one of its stack. CloudFormation makes its name from "
            "the stack's, puts letters of its own in between and shortens it: of the logical id nothing is certain.",
        ),
        "Machine": Place(
            (base.arn("states", f"stateMachine:{names.state_machine(migration, 'Move')}"),),
            "The state machine that moves the writer.",
        ),
        "Executions": Place(
            (base.arn("states", f"execution:{names.state_machine(migration, 'Move')}:*"),),
            "Its executions, named by what is wished and the epoch.",
        ),
        "Comparer": Place(
            (base.arn("states", f"stateMachine:{names.state_machine(migration, 'Compare')}"),),
            "The state machine that compares large tables in parts.",
        ),
        "ComparerRuns": Place(
            tuple(
                base.arn("states", f"{kind}:{names.state_machine(migration, 'Compare')}{label}:*")
                for kind, label in (("execution", ""), ("execution", "/Parts"), ("mapRun", "/Parts"))
            ),
            "Its executions, the map over the parts in each, and the parts. Step Functions gives them ids of its own.",
        ),
        "ComparisonReports": Place(
            (f"arn:{base.partition}:s3:::{base.of_component('Monitoring').lower()}/reports/*",),
            "The reports of comparisons in AWS. CloudFormation makes the bucket's name from the stack's; it must be "
            "one of this account.",
            own_account,
        ),
        "ReportKeys": Place(
            (base.arn("kms", "key/*"),),
            "The key of the reports gets its id when it is made. It decrypts what S3 hands out, and nothing else.",
            {"StringEquals": {"kms:ViaService": f"s3.{base.region}.amazonaws.com"}},
        ),
        "LoadBalancer": Place(
            (base.arn("elasticloadbalancing", "loadbalancer/app/*"),),
            "CloudFormation shortens a load balancer's name until nothing in it is certain; its tag is.",
            {"StringEquals": {f"aws:ResourceTag/{MIGRATION_TAG}": base.name}},
        ),
        **_of_dms(base, migration),
        "Anywhere": Place(("*",), "AWS knows no resources for these, or asks for the right to all: see the table."),
    }


def _of_dms(base: Ground, migration: Migration) -> dict[str, Place]:
    """Give the places of DMS, none where it does not replicate. It gives all of them ids of its own; the tag tells."""
    if migration.replication.engine != "dms":
        return {}
    tagged = {"StringEquals": {f"aws:ResourceTag/{MIGRATION_TAG}": base.name}}
    if migration.replication.serverless is not None:
        return {"Tasks": Place((base.arn("dms", "replication-config:*"),), "The replications of DMS, by tag.", tagged)}
    ends = tuple(base.arn("dms", f"{kind}:*") for kind in ("endpoint", "rep"))
    return {
        "Tasks": Place((base.arn("dms", "task:*"),), "The tasks of DMS. Their ids are its own; the tag tells.", tagged),
        "Ends": Place(ends, "DMS's endpoints and its instance, between which it tests the connection.", tagged),
    }


ANYWHERE = {
    "dms:DescribeConnections": "it has no resource-level rights",
    "dms:DescribeReplicationTasks": "it has no resource-level rights",
    "dms:DescribeReplications": "it has no resource-level rights",
    "cloudformation:DescribeStackDriftDetectionStatus": "it takes a detection's id and has no resource-level rights",
    "cloudwatch:DescribeAlarms": "CloudWatch shows composite alarms only to who may describe every alarm",
    "cloudwatch:GetMetricData": "it has no resource-level rights",
    "route53:TestDNSAnswer": "it has no resource-level rights",
    "dynamodb:ListTables": "it has no resource-level rights; a rollback finds the journal by it, "
    "while CloudFormation does not answer",
}
"""Why an action is allowed on `*`."""


def sid(name: str) -> str:
    """Make a statement's id of any name."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def used_types(*templates: Mapping[str, Any] | bytes) -> set[str]:
    """Name the resource types of templates."""
    contents = [json.loads(one) if isinstance(one, bytes) else one for one in templates]
    return {found["Type"] for content in contents for found in content["Resources"].values()}
