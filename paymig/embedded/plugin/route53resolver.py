"""Route 53 Resolver, which ministack lacks: query logs and forwarding, the service and its resource types."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import add_service, call, call_with

if TYPE_CHECKING:
    from collections.abc import Callable

_SERVICE = "route53resolver"


class _Things:
    """Things of one kind: the operations that create, show, list and delete them."""

    def __init__(self, kind: str, prefix: str, path: str, status: str) -> None:
        self.kind, self._prefix, self._path, self._status = kind, prefix, path, status
        self._store = host.store()

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = f"{self._prefix}-{uuid.uuid4().hex[:17]}"
        given = {key: value for key, value in request.items() if key not in ("Tags", "IpAddresses")}
        self._store[name] = {
            **given,
            "Id": name,
            "Arn": host.arn(_SERVICE, f"{self._path}/{name}"),
            "Status": self._status,
        }
        return {self.kind: self._store[name]}

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request[f"{self.kind}Id"]
        if name not in self._store:
            raise wire.AwsError("ResourceNotFoundException", f"{self.kind} with ID '{name}' does not exist", 400)
        return {self.kind: self._store[name]}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        return {f"{self.kind}s": list(self._store.values())}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        gone = self.get(request)
        del self._store[request[f"{self.kind}Id"]]
        return gone

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        found = self.get(request)
        found[self.kind].update(request.get("Config") or {"Name": request.get("Name")})
        return found

    def delete_pair(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete an association by its two ends, as its service wants them named."""
        for name, found in self._store.items():
            if all(found[key] == value for key, value in request.items()):
                del self._store[name]
                return {self.kind: found}
        raise wire.AwsError("ResourceNotFoundException", f"no {self.kind} of {request}", 400)


class QueryLoggingConfig(ResourceType):
    """Where the names that a VPC asks for are written down."""

    type_name = "AWS::Route53Resolver::ResolverQueryLoggingConfig"
    tagged = True

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the configuration."""
        given = {"Name": place.name(64), **props}
        made = call_with(_SERVICE, "CreateResolverQueryLogConfig", given, CreatorRequestId=uuid.uuid4().hex)
        return _with_attributes(made["ResolverQueryLogConfig"])

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Tags alone change in place, and nothing here reads them."""
        found = call(_SERVICE, "GetResolverQueryLogConfig", ResolverQueryLogConfigId=physical_id)
        return _with_attributes(found["ResolverQueryLogConfig"])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the configuration."""
        call(_SERVICE, "DeleteResolverQueryLogConfig", ResolverQueryLogConfigId=physical_id)


class _Association(ResourceType):
    associate: ClassVar[str]
    disassociate: ClassVar[str]
    kind: ClassVar[str]
    ends: ClassVar[dict[str, str]]  # by the property's name, the parameter's

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Associate the two."""
        made = call(_SERVICE, self.associate, **self._ends(props))
        return _with_attributes(made[self.kind])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Take them apart."""
        call(_SERVICE, self.disassociate, **self._ends(props))

    def _ends(self, props: Properties) -> dict[str, Any]:
        return {parameter: props[name] for name, parameter in self.ends.items()}


class QueryLoggingConfigAssociation(_Association):
    """The VPC whose names are written down."""

    type_name = "AWS::Route53Resolver::ResolverQueryLoggingConfigAssociation"
    associate = "AssociateResolverQueryLogConfig"
    disassociate = "DisassociateResolverQueryLogConfig"
    kind = "ResolverQueryLogConfigAssociation"
    ends: ClassVar = {name: name for name in ("ResolverQueryLogConfigId", "ResourceId")}


class RuleAssociation(_Association):
    """The VPC that forwards by a rule."""

    type_name = "AWS::Route53Resolver::ResolverRuleAssociation"
    associate = "AssociateResolverRule"
    disassociate = "DisassociateResolverRule"
    kind = "ResolverRuleAssociation"
    ends: ClassVar = {"ResolverRuleId": "ResolverRuleId", "VPCId": "VPCId"}


class Endpoint(ResourceType):
    """The way out for questions that other name servers answer."""

    type_name = "AWS::Route53Resolver::ResolverEndpoint"
    tagged = True
    updatable = frozenset({"Name"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the endpoint."""
        made = call_with(_SERVICE, "CreateResolverEndpoint", props, CreatorRequestId=uuid.uuid4().hex)
        return _with_attributes(made["ResolverEndpoint"], "ResolverEndpointId")

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Rename the endpoint."""
        made = call(_SERVICE, "UpdateResolverEndpoint", ResolverEndpointId=physical_id, Name=new.get("Name", ""))
        return _with_attributes(made["ResolverEndpoint"], "ResolverEndpointId")

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the endpoint."""
        call(_SERVICE, "DeleteResolverEndpoint", ResolverEndpointId=physical_id)


class Rule(ResourceType):
    """Which names are asked of which servers."""

    type_name = "AWS::Route53Resolver::ResolverRule"
    tagged = True
    updatable = frozenset({"Name", "ResolverEndpointId", "TargetIps"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the rule."""
        made = call_with(_SERVICE, "CreateResolverRule", props, CreatorRequestId=uuid.uuid4().hex)
        return _with_attributes(made["ResolverRule"], "ResolverRuleId")

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change the servers or the endpoint."""
        config = {name: new[name] for name in self.updatable if name in new}
        made = call(_SERVICE, "UpdateResolverRule", ResolverRuleId=physical_id, Config=config)
        return _with_attributes(made["ResolverRule"], "ResolverRuleId")

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the rule."""
        call(_SERVICE, "DeleteResolverRule", ResolverRuleId=physical_id)


def _with_attributes(made: dict[str, Any], id_attribute: str = "Id") -> Provisioned:
    return made["Id"], {"Arn": made.get("Arn", ""), id_attribute: made["Id"]}


def install() -> None:
    """Add the service."""
    logs = _Things("ResolverQueryLogConfig", "rqlc", "resolver-query-log-config", "CREATED")
    logged = _Things("ResolverQueryLogConfigAssociation", "rqlca", "resolver-query-log-config-association", "ACTIVE")
    endpoints = _Things("ResolverEndpoint", "rslvr-out", "resolver-endpoint", "OPERATIONAL")
    rules = _Things("ResolverRule", "rslvr-rr", "resolver-rule", "COMPLETE")
    ruled = _Things("ResolverRuleAssociation", "rslvr-rrassoc", "resolver-rule-association", "COMPLETE")
    operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
    for things in (logs, endpoints, rules):
        operations |= {f"Create{things.kind}": things.create, f"Delete{things.kind}": things.delete}
    for things in (endpoints, rules):
        operations[f"Update{things.kind}"] = things.update
    for things in (logs, logged, endpoints, rules, ruled):
        operations |= {f"Get{things.kind}": things.get, f"List{things.kind}s": things.list}
    add_service(
        _SERVICE,
        {
            **operations,
            "AssociateResolverQueryLogConfig": logged.create,
            "DisassociateResolverQueryLogConfig": logged.delete_pair,
            "AssociateResolverRule": ruled.create,
            "DisassociateResolverRule": ruled.delete_pair,
        },
    )


TYPES: tuple[ResourceType, ...] = (
    QueryLoggingConfig(),
    QueryLoggingConfigAssociation(),
    Endpoint(),
    Rule(),
    RuleAssociation(),
)
