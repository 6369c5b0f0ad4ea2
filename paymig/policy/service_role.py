"""What CloudFormation needs to make, change and delete the stacks: read off the types in the templates."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from compiler.bootstrap import bootstrap
from compiler.compile import Compiled
from compiler.plan.permissions import Needs, needs
from compiler.plan.sources import templates_of
from paymig.policy.places import Place, ground, used_types
from paymig.policy.services import BY_TAG, WITHOUT_RESOURCES, named, roles, tagged
from paymig.policy.statements import Statement

_ROLE = "AWS::IAM::Role"


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
        place = Place(roles(base), "CloudFormation gives the roles of the templates to these services.", services)
        made.append(place.statement("PassRole", ("iam:PassRole",)))
    return made


def bound(compiled: Compiled, actions: Collection[str], prefix: str = "") -> Iterator[Statement]:
    """Allow actions where names or tags tell, a statement for each service that the spec names; the rest in a region.

    Args:
        compiled: the migration.
        actions: what to allow.
        prefix: begins the statements' ids.
    """
    base, rest = ground(compiled), set(actions)
    if rest & BY_TAG:
        yield tagged(base).statement(f"{prefix}Tagged", tuple(sorted(rest & BY_TAG)))
    rest -= BY_TAG
    for service, place in sorted(named(compiled, base).items()):
        here = {action for action in rest if action.partition(":")[0] == service} - WITHOUT_RESOURCES
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
        why = (
            "AWS gives these resources ids, or names, that nobody knows before, and not every one has a tag when the "
            "action is asked for; or the action knows no resources, or lists them."
        )
        yield Place(("*",), why, regional).statement(f"{prefix}InRegion", tuple(sorted(rest - everywhere)))


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
