"""What is deployed, as CloudFormation keeps it: the templates as they were handed over, and the root's parameters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compiler.linked import ROOT, nested_name
from paymig.aws import stack
from paymig.aws.change_set import kind_for
from paymig.aws.session import Aws


@dataclass(frozen=True)
class Deployed:
    """The templates of a root stack and of those it nests.

    Attributes:
        templates: content by name, "root" among them.
        parameters: the root's values.
    """

    templates: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, str]


def read(aws: Aws, name: str) -> Deployed | None:
    """Read what is deployed; None where there is no stack yet.

    Raises:
        Refused: the stack is in a state from which nothing can be deployed.
    """
    root = stack.describe(aws, name)
    if root is None or kind_for(root) == "CREATE":
        return None
    templates = {ROOT: _template(aws, root.id)}
    ids = stack.nested(aws, root.id)
    for logical_id, resource in templates[ROOT]["Resources"].items():
        nested = nested_name(resource)
        if nested is not None and logical_id in ids:
            templates[nested] = _template(aws, ids[logical_id])
    return Deployed(templates, root.parameters)


def _template(aws: Aws, stack_id: str) -> dict[str, Any]:
    body = aws.client("cloudformation").get_template(StackName=stack_id, TemplateStage="Original")["TemplateBody"]
    # The SDK reads JSON itself, and leaves what it takes for YAML as text.
    template: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
    return template
