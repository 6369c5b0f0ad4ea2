"""The root stack: it nests the others and passes their values on, which is also their order."""

from collections.abc import Mapping
from typing import Any

from troposphere import GetAtt, Join, Output, Parameter, Ref, Sub
from troposphere.cloudformation import Stack

from compiler import names
from compiler.assemble import Assembly, sections
from compiler.component import Component, DeployParameter, Export
from compiler.parameters import (
    ARTIFACT_BUCKET,
    JOURNAL_TABLE,
    NEW_WEIGHT,
    OLD_WEIGHT,
    SOURCE_ADMIN_SECRET_ARN,
    SOURCE_SECRET_ARN,
)
from schemas.migration import Migration

PARAMETERS = (ARTIFACT_BUCKET, JOURNAL_TABLE, NEW_WEIGHT, OLD_WEIGHT, SOURCE_ADMIN_SECRET_ARN, SOURCE_SECRET_ARN)


def root(migration: Migration, assembly: Assembly, keys: Mapping[str, str], extra: Mapping[str, str]) -> Component:
    """Build the root.

    Args:
        migration: the spec.
        assembly: the components and what the root offers.
        keys: S3 keys of the nested templates by name, those of `extra` included.
        extra: the operator's own stacks: template name to logical id.
    """
    causes = sections(migration)
    component = Component("Root", f"{migration.full_name}: a migration to AWS.", names.tags(migration))
    for parameter in PARAMETERS:
        component.template.add_parameter(_parameter(parameter))
    for nested in assembly.components:
        name = names.snake(nested.name)
        passed = {parameter: _value(source) for parameter, source in sorted(nested.inputs.items())}
        stack = Stack(nested.name, TemplateURL=_url(keys[name]))
        if passed:
            stack.Parameters = passed
        component.add(stack, causes[name])
    for name, logical_id in sorted(extra.items()):
        component.add(Stack(logical_id, TemplateURL=_url(keys[name])), f"extensions.{name}.stack")
    for name, exports in sorted(assembly.outputs.items()):
        values = [_value(export) for export in exports]
        component.template.add_output(Output(name, Value=values[0] if len(values) == 1 else Join(",", values)))
    return component


def _parameter(parameter: DeployParameter) -> Parameter:
    properties: dict[str, Any] = {"Description": parameter.description, "Type": parameter.type}
    if parameter.default is not None:
        properties["Default"] = parameter.default
    return Parameter(parameter.name, **properties, **dict(parameter.properties))


def _value(source: Export | DeployParameter) -> Any:
    if isinstance(source, DeployParameter):
        return Ref(source.name)
    return GetAtt(source.component, f"Outputs.{source.name}")


def _url(key: str) -> Sub:
    # The bucket stands in the path: its name may hold dots, which no certificate of a host name covers.
    return Sub(f"https://s3.${{AWS::Region}}.${{AWS::URLSuffix}}/${{{ARTIFACT_BUCKET.name}}}/{key}")
