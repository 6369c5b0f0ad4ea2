"""Policies as a document, as a CloudFormation template, and as a table that says why."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compiler.compile import Compiled
from compiler.json_text import to_json
from paymig.policy import people, service_role
from paymig.policy.places import ANYWHERE
from paymig.policy.places import service_role as role_name
from paymig.policy.rights import FREE, rights_for
from paymig.policy.statements import LARGEST, Statement, document, size, split

FOR: Mapping[str, Callable[[Compiled], list[Statement]]] = {
    "operator": people.operator,
    "reviewer": people.reviewer,
    "cloudformation": service_role.statements,
}
"""Whose rights, by the word that asks for them."""


def as_json(compiled: Compiled, who: str) -> str:
    """Give one IAM policy."""
    return json.dumps(document(FOR[who](compiled)), indent=2)


def as_template(compiled: Compiled, who: str) -> str:
    """Give a CloudFormation template that makes the policies, cut to IAM's size, and CloudFormation's role."""
    name = compiled.migration.full_name
    parts = list(split(FOR[who](compiled)))
    resources: dict[str, Any] = {
        f"Policy{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": f"{name}-{who}-{number}",
                "Description": f"paymig: {who} of {name}, part {number} of {len(parts)}.",
                "PolicyDocument": document(part),
            },
        }
        for number, part in enumerate(parts, 1)
    }
    references = [{"Ref": key} for key in resources]
    if who == "cloudformation":
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "cloudformation.amazonaws.com"},
        }
        resources["Role"] = {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": role_name(name),
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "ManagedPolicyArns": references,
            },
        }
    template: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"paymig: the rights of {who} for {name}.",
        "Resources": resources,
        "Outputs": {"PolicyArns": {"Value": {"Fn::Join": [",", references]}}},
    }
    if who == "cloudformation":
        template["Outputs"] |= {"RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}}
    return to_json(template).decode()


def as_markdown(compiled: Compiled, who: str) -> str:
    """Explain the policy: each statement with its resources and why they are what they are."""
    statements = FOR[who](compiled)
    lines = [f"# Rights of {who} for {compiled.migration.full_name}", ""]
    characters = size(statements)
    fits = "fits into one managed policy" if characters <= LARGEST else f"takes {len(list(split(statements)))} of them"
    lines += [f"{characters} characters of policy; a managed policy has {LARGEST} at most, so it {fits}.", ""]
    lines += ["| statement | actions | resources | why these |", "|---|---|---|---|"]
    for one in statements:
        condition = f" if {json.dumps(one.condition)}" if one.condition else ""
        lines.append(f"| {one.sid} | {_code(sorted(one.actions))} | {_code(one.resources)}{condition} | {one.why} |")
    if who != "cloudformation":
        lines += [
            "",
            "## Which command needs what",
            "",
            "| action | where | commands | asked for by |",
            "|---|---|---|---|",
        ]
        shown = {action for one in statements for action in one.actions}
        for right in sorted(rights_for(compiled.migration)):
            if right.action in shown:
                call = f"`{right.because}`" if right.because else ""
                lines.append(f"| `{right.action}` | {right.place} | {right.commands} | {call} |")
        anywhere = [(action, why) for action, why in sorted(ANYWHERE.items()) if action in shown]
        lines += ["", "## Allowed on `*`", ""] + [f"- `{action}`: {why}." for action, why in anywhere]
        lines += ["", "## Takes no right", ""] + [f"- `{action}`: {why}" for action, why in sorted(FREE.items())]
    elif unknown := service_role.wanted(compiled).unknown:
        lines += ["", "## Not known", "", f"Their providers publish no rights; add them: {_code(sorted(unknown))}."]
    return "\n".join(lines) + "\n"


def _code(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


FORMATS: Mapping[str, Callable[[Compiled, str], str]] = {
    "json": as_json,
    "template": as_template,
    "markdown": as_markdown,
}
"""How a policy is printed, by the word that asks for it."""
