"""What CloudFormation needs to make, change and delete the stacks: read off the types in the templates."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from compiler.bootstrap import ACCOUNT_ROLES, bootstrap
from compiler.compile import Compiled
from compiler.plan.permissions import Needs, needs
from compiler.plan.sources import templates_of
from paymig.aws.bootstrap import STACK as BOOTSTRAP
from paymig.policy.places import Ground, Place, ground, places, used_types
from paymig.policy.statements import Statement

_ROLE = "AWS::IAM::Role"
_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - a type

# Actions of these services that have no resource-level rights, by the Service Authorization Reference.
_UNBOUND = frozenset(
    {
        "events:ListRules",
        "iam:ListRoles",
        "logs:CreateLogDelivery",
        "logs:DeleteIndexPolicy",
        "logs:DeleteLogDelivery",
        "logs:DeleteResourcePolicy",
        "logs:DescribeIndexPolicies",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutIndexPolicy",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "secretsmanager:GetRandomPassword",
        "sns:GetSubscriptionAttributes",
        "sns:SetSubscriptionAttributes",
        "sns:Unsubscribe",
    }
)


def wanted(compiled: Compiled) -> Needs:
    """Say what the types of a migration's templates take, those of the bootstrap stack among them."""
    return needs(used_types(*compiled.templates.values(), bootstrap()))


def statements(compiled: Compiled) -> list[Statement]:
    """Give the rights of the role that CloudFormation acts as."""
    found = wanted(compiled)
    made = list(bound(compiled, (found.read | found.write) - {"iam:PassRole"}))
    if "iam:PassRole" in found.write | found.read:
        base = ground(compiled)
        services = {"StringEquals": {"iam:PassedToService": sorted(_trusted(compiled))}}
        place = Place(_roles(base), "CloudFormation gives the roles of the templates to these services.", services)
        made.append(place.statement("PassRole", ("iam:PassRole",)))
    return made


def bound(compiled: Compiled, actions: Collection[str], prefix: str = "") -> Iterator[Statement]:
    """Allow actions where names tell: a statement for each service whose names the spec determines, one for the rest.

    Args:
        compiled: the migration.
        actions: what to allow.
        prefix: begins the statements' ids.
    """
    base, rest = ground(compiled), set(actions)
    for service, place in sorted(_named(compiled, base).items()):
        here = {action for action in rest if action.partition(":")[0] == service} - _UNBOUND
        if service == "iam":
            linked = {action for action in here if "ServiceLinkedRole" in action}
            here -= linked
            if linked:
                roles = (base.everywhere("iam", "role/aws-service-role/*", base.account),)
                why = "A service makes the role it acts as by itself, once in an account."
                yield Place(roles, why).statement(f"{prefix}IamServiceLinked", tuple(sorted(linked)))
            rest -= linked
        if here:
            yield place.statement(prefix + service.capitalize(), tuple(sorted(here)))
        rest -= here
    everywhere = {action for action in rest if action.partition(":")[0] in ("iam", "route53")}
    regional = {"StringEquals": {"aws:RequestedRegion": base.region}}
    if everywhere:
        why = "These have no resource-level rights."
        yield Place(("*",), why).statement(f"{prefix}WithoutResources", tuple(sorted(everywhere)))
    if rest - everywhere:
        why = "AWS gives these resources ids that nobody knows before, or the actions have no resource-level rights."
        yield Place(("*",), why, regional).statement(f"{prefix}InRegion", tuple(sorted(rest - everywhere)))


def _roles(base: Ground) -> tuple[str, ...]:
    names = (base.generated, f"{BOOTSTRAP}-*", *sorted(ACCOUNT_ROLES))
    return tuple(base.everywhere("iam", f"role/{name}", base.account) for name in names)


def _named(compiled: Compiled, base: Ground) -> dict[str, Place]:
    """The services whose resources have names that begin with the migration's, by IAM's name of the service."""
    known, name = places(compiled), base.generated
    why = "CloudFormation makes these names from the stacks' and ends them with letters of its own."
    buckets = (f"arn:{base.partition}:s3:::{name.lower()}", f"arn:{base.partition}:s3:::{BOOTSTRAP}-*")
    secrets = sorted(
        key
        for template in templates_of(compiled).values()
        for key, found in template["Resources"].items()
        if found["Type"] == _SECRET
    )
    groups = (name, f"aws-waf-logs-{base.name}")
    return {
        "cloudformation": Place(known["Nested"].resources, known["Nested"].why),
        "dynamodb": Place((base.arn("dynamodb", f"table/{BOOTSTRAP}-*"), base.arn("dynamodb", f"table/{name}")), why),
        "events": Place((base.arn("events", f"rule/{name}"),), why),
        "iam": Place(_roles(base), why),
        "lambda": Place(
            (base.arn("lambda", f"function:{name}"), base.arn("lambda", "layer:*")),
            f"{why} A layer's name it makes without the stack's.",
        ),
        "logs": Place(
            tuple(base.arn("logs", f"log-group:{group}{end}") for group in groups for end in ("", ":*")), why
        ),
        "route53": Place(
            known["Zone"].resources + known["Changes"].resources, f"{known['Zone'].why} {known['Changes'].why}"
        ),
        "s3": Place(buckets + tuple(f"{bucket}/*" for bucket in buckets), why),
        "scheduler": Place((base.arn("scheduler", f"schedule/default/{name}"),), why),
        "secretsmanager": Place(
            tuple(base.arn("secretsmanager", f"secret:{key}-*") for key in [*secrets, "rds!cluster"]),
            "A secret's name is its logical id and letters of CloudFormation's own; RDS keeps the cluster's.",
        ),
        "sns": Place((base.arn("sns", name),), why),
        "sqs": Place((base.arn("sqs", name),), why),
    }


def _trusted(compiled: Compiled) -> set[str]:
    """Which services the roles of the templates trust."""
    region = compiled.migration.region
    contents = [*templates_of(compiled).values(), json.loads(bootstrap())]
    trusts = (
        statement["Principal"]["Service"]
        for content in contents
        for found in content["Resources"].values()
        if found["Type"] == _ROLE
        for statement in found["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        if "Service" in statement.get("Principal", {})
    )
    return {name.replace("${AWS::Region}", region) for trust in trusts for name in _names(trust)}


def _names(trust: Any) -> Iterator[str]:
    if isinstance(trust, str):
        yield trust
    elif isinstance(trust, list):
        for one in trust:
            yield from _names(one)
    elif isinstance(trust, Mapping) and "Fn::Sub" in trust:
        yield str(trust["Fn::Sub"])
