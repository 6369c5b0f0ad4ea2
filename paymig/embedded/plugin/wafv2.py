"""WAFv2: address sets, the association of a web ACL, and its logging."""

from __future__ import annotations

from typing import Any

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import add_operations, call, call_with


class IpSet(ResourceType):
    """Its `Ref` is "name|id|scope"."""

    type_name = "AWS::WAFv2::IPSet"
    tagged = True
    immutable = frozenset({"Name", "Scope"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the set."""
        name = props.get("Name") or place.name()
        made = call_with("wafv2", "CreateIPSet", props, Name=name)["Summary"]
        return self._result(name, made["Id"], props["Scope"], made["ARN"])

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Replace addresses and description."""
        name, set_id, scope = physical_id.split("|")
        key = {"Name": name, "Id": set_id, "Scope": scope}
        current = call("wafv2", "GetIPSet", **key)
        call_with("wafv2", "UpdateIPSet", new, **key, LockToken=current["LockToken"])
        return self._result(name, set_id, scope, current["IPSet"]["ARN"])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the set."""
        name, set_id, scope = physical_id.split("|")
        key = {"Name": name, "Id": set_id, "Scope": scope}
        call("wafv2", "DeleteIPSet", **key, LockToken=call("wafv2", "GetIPSet", **key)["LockToken"])

    @staticmethod
    def _result(name: str, set_id: str, scope: str, arn: str) -> Provisioned:
        return f"{name}|{set_id}|{scope}", {"Arn": arn, "Id": set_id}


class WebAclAssociation(ResourceType):
    """The web ACL in front of a load balancer."""

    type_name = "AWS::WAFv2::WebACLAssociation"

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Associate the two."""
        call_with("wafv2", "AssociateWebACL", props)
        return f"{props['ResourceArn']}|{props['WebACLArn']}", {}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Take the web ACL away."""
        call("wafv2", "DisassociateWebACL", ResourceArn=props["ResourceArn"])


class LoggingConfiguration(ResourceType):
    """Where a web ACL logs, and what it leaves out."""

    type_name = "AWS::WAFv2::LoggingConfiguration"
    immutable = frozenset({"ResourceArn"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Switch logging on."""
        call("wafv2", "PutLoggingConfiguration", LoggingConfiguration=props)
        return str(props["ResourceArn"]), {"ManagedByFirewallManager": "false"}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Replace the configuration."""
        return self.create(Place("", ""), new)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Switch logging off."""
        call("wafv2", "DeleteLoggingConfiguration", ResourceArn=physical_id)


class _Logging:
    def __init__(self) -> None:
        self._by_acl = host.store()

    def put(self, request: dict[str, Any]) -> dict[str, Any]:
        configuration = request["LoggingConfiguration"]
        for destination in configuration["LogDestinationConfigs"]:
            resource = destination.split(":", 5)[5]
            name = resource.removeprefix("log-group:").removeprefix("deliverystream/")
            if not name.startswith("aws-waf-logs-"):
                raise wire.AwsError(
                    "WAFInvalidParameterException",
                    "Error reason: The ARN isn't valid. A valid ARN begins with arn: and includes other "
                    "information separated by colons or slashes., field: LOG_DESTINATION, "
                    f"parameter: {destination}",
                )
        self._by_acl[configuration["ResourceArn"]] = configuration
        return {"LoggingConfiguration": configuration}

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["ResourceArn"] not in self._by_acl:
            raise wire.AwsError(
                "WAFNonexistentItemException",
                "AWS WAF couldn't perform the operation because your resource doesn't exist.",
            )
        return {"LoggingConfiguration": self._by_acl[request["ResourceArn"]]}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        self.get(request)
        del self._by_acl[request["ResourceArn"]]
        return {}

    def list(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"LoggingConfigurations": list(self._by_acl.values())}


def install() -> None:
    """Add the logging operations to the service."""
    logging = _Logging()
    add_operations(
        "wafv2",
        {
            "PutLoggingConfiguration": logging.put,
            "GetLoggingConfiguration": logging.get,
            "DeleteLoggingConfiguration": logging.delete,
            "ListLoggingConfigurations": logging.list,
        },
    )


TYPES: tuple[ResourceType, ...] = (IpSet(), WebAclAssociation(), LoggingConfiguration())
