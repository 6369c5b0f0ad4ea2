"""A component: one nested stack, its resources, and the wires to the others.

A component's function receives the spec and other components' exports, and gives back its `Component` and its own
exports. An `Export` exists only once its component has offered it, so the order of the stacks follows from the wiring,
and a cycle can't be written.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from troposphere import AWSObject, Output, Parameter, Ref, Tags, Template

from compiler import exceptions
from compiler.names import MIGRATION_TAG

R = TypeVar("R", bound=AWSObject)


class Export(NamedTuple):
    """A value that one component offers to others."""

    component: str
    name: str
    type: str = "String"

    @property
    def parameter(self) -> str:
        """The name of the parameter that carries it into another component."""
        return self.component + self.name


class DeployParameter(NamedTuple):
    """A value known only when the stacks are deployed: it enters through the root's parameters.

    Attributes:
        properties: further properties of the CloudFormation parameter, such as `MinValue`.
    """

    name: str
    description: str
    type: str = "String"
    default: str | int | None = None
    properties: tuple[tuple[str, str | int], ...] = ()

    @property
    def parameter(self) -> str:
        """The parameter's name, the same in the root and in each component."""
        return self.name


class Cause(NamedTuple):
    """Which part of the spec a resource, or one of its properties, comes from.

    What is made of several parts names each, with a space between.
    """

    resource: str
    properties: Mapping[str, str] = MappingProxyType({})


class Component:
    """One nested stack in the making.

    Args:
        name: in CamelCase; the logical id of the nested stack, and in snake_case the template's file name.
        description: one sentence for the template.
        tags: tags for every resource that takes any.
        kind: whose exceptions from scanners' rules are its own, where there may be several of a kind; else its name.
    """

    def __init__(self, name: str, description: str, tags: Mapping[str, str], kind: str = "") -> None:
        self.name = name
        self.template = Template(Description=description)
        self.causes: dict[str, Cause] = {}
        self.inputs: dict[str, Export | DeployParameter] = {}
        self._tags = tags
        self._kind = kind or name

    def add(self, resource: R, cause: str, **properties: str) -> R:
        """Add a resource, with the tags every resource bears and its exceptions from scanners' rules.

        Args:
            resource: the troposphere resource; its title is the logical id.
            cause: the dotted spec path it comes from, such as `database.capacity`; several with spaces between.
            properties: for a property that comes from elsewhere in the spec, that path, or those.

        Returns:
            The resource itself, to refer to.
        """
        self._tag(resource)
        if metadata := exceptions.metadata(self._kind, resource, self._tags.get(MIGRATION_TAG, "")):
            resource.Metadata = metadata
        self.causes[title(resource)] = Cause(cause, properties)
        self.template.add_resource(resource)
        return resource

    def offer(self, name: str, value: Any, type: str = "String") -> Export:  # noqa: A002 - CloudFormation's word
        """Make a value available to other components, as an output of this stack."""
        self.template.add_output(Output(name, Value=value))
        return Export(self.name, name, type)

    def use(self, value: Export | DeployParameter) -> Ref:
        """Take a value of another component, or of the deploy, as a parameter of this stack."""
        if value.parameter not in self.inputs:
            self.inputs[value.parameter] = value
            properties: dict[str, Any] = {"Type": value.type}
            if isinstance(value, DeployParameter):
                properties |= {"Description": value.description, **dict(value.properties)}
            self.template.add_parameter(Parameter(value.parameter, **properties))
        return Ref(value.parameter)

    def _tag(self, resource: AWSObject) -> None:
        kind = resource.props.get("Tags", (None, False))[0]
        if kind is None:
            return
        own = resource.properties.pop("Tags", None)
        tags = dict(self._tags) | (_as_mapping(own) if own is not None else {})
        resource.Tags = tags if kind is dict else Tags(**dict(sorted(tags.items())))


def title(resource: AWSObject) -> str:
    """Return a resource's logical id, which troposphere's types leave open.

    Raises:
        ValueError: it has none.
    """
    if resource.title is None:
        raise ValueError(f"a {type(resource).__name__} of a template has no logical id")
    return resource.title


def _as_mapping(tags: Tags | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(tags, Tags):
        return {tag["Key"]: tag["Value"] for tag in tags.to_dict()}
    return dict(tags)
