"""CloudFormation resource types: the shape every type of this plugin has, and their registration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from paymig.embedded.plugin import host, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Result = TypeVar("_Result")
Properties = dict[str, Any]
Provisioned = tuple[str, dict[str, Any]]
"""What `Ref` gives and what `Fn::GetAtt` gives, by attribute name."""


@dataclass(frozen=True)
class Place:
    """Where a resource stands: the names CloudFormation generates come from it."""

    stack_name: str
    logical_id: str

    def name(self, limit: int = 128) -> str:
        """A generated physical name of at most `limit` characters."""
        return str(
            host.module("services.cloudformation.provisioners")._physical_name(
                self.stack_name, self.logical_id, max_len=limit
            )
        )


class ResourceType:
    """One CloudFormation resource type, carried out by the service's own operations.

    A change of a property in `immutable`, or where that is not given of any property outside `updatable`,
    replaces the resource, as in the CloudFormation reference.
    """

    type_name: ClassVar[str]
    updatable: ClassVar[frozenset[str]] = frozenset()
    immutable: ClassVar[frozenset[str] | None] = None
    tagged: ClassVar[bool] = False

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the resource."""
        raise NotImplementedError

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change the updatable properties in place; only types that have some are asked."""
        raise NotImplementedError(f"{self.type_name} has no property that can change in place")

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the resource."""
        raise NotImplementedError


class _AllBut:
    """The properties whose change replaces a resource: all but the updatable ones."""

    def __init__(self, updatable: Iterable[str]) -> None:
        self._updatable = frozenset(updatable)

    def __contains__(self, name: object) -> bool:
        return name not in self._updatable


def register(*types: ResourceType) -> None:
    """Make these types known to the server's CloudFormation."""
    provisioners = host.module("services.cloudformation.provisioners")
    for kind in types:
        updatable = set(kind.updatable)
        if kind.tagged:
            updatable.add("Tags")
            provisioners._STACK_TAG_PROPERTY[kind.type_name] = ("Tags", "list")
        replacing = _AllBut(updatable) if kind.immutable is None else kind.immutable
        provisioners._REPLACING_PROPERTIES[kind.type_name] = replacing
        provisioners._RESOURCE_HANDLERS[kind.type_name] = _handlers(kind)


def amend(
    type_name: str,
    finish: Callable[[str, dict[str, Any], Properties], Provisioned],
    stock_id: Callable[[str], str] = str,
    cleanup: Callable[[str], None] | None = None,
) -> None:
    """Keep ministack's own handlers of a type and correct what they leave behind.

    Args:
        type_name: A type ministack has.
        finish: Called after create and update with the physical id, the attributes and the properties;
            gives the id and attributes the template sees.
        stock_id: From the id the template sees to the one ministack's handlers know.
        cleanup: Called with the physical id before the resource is deleted.
    """
    handlers = host.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS[type_name]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def amended_create(logical_id: str, props: Properties, stack_name: str) -> Provisioned:
        return _explained(finish, *create(logical_id, props, stack_name), props)

    def amended_update(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Provisioned:
        return _explained(finish, *update(stock_id(physical_id), old, new, *rest), new)

    def amended_delete(physical_id: str, *rest: Any) -> None:
        if cleanup is not None:
            cleanup(physical_id)
        delete(stock_id(physical_id), *rest)

    handlers.update(create=amended_create, update=amended_update, delete=amended_delete)


def _handlers(kind: ResourceType) -> dict[str, Any]:
    def create(logical_id: str, props: Properties, stack_name: str) -> Provisioned:
        return _explained(kind.create, Place(stack_name, logical_id), props)

    def update(physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Provisioned:
        return _explained(kind.update, physical_id, old, new)

    def delete(physical_id: str, props: Properties) -> None:
        try:
            _explained(kind.delete, physical_id, props)
        except _GoneError:
            # Deleted outside the stack: CloudFormation counts that as done.
            return

    return {"create": create, "update": update, "delete": delete}


class _GoneError(RuntimeError):
    """The resource does not exist (any more)."""


def _explained(operation: Callable[..., _Result], *arguments: Any) -> _Result:
    try:
        return operation(*arguments)
    except wire.AwsError as problem:
        sentence = f"{problem.message} (Service: {problem.code}; Status Code: {problem.status})"
        gone = problem.status == 404 or any(word in problem.code for word in ("NotFound", "NonexistentItem"))
        raise (_GoneError if gone else RuntimeError)(sentence) from problem
    except KeyError as missing:
        raise RuntimeError(f"Encountered unsupported or missing property {missing}") from missing
