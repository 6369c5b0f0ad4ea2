"""Direct Connect, which ministack lacks: gateways the account owns, and what is associated with them."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import add_service, call

if TYPE_CHECKING:
    from collections.abc import Iterable

_SERVICE = "directconnect"
_LISTED = "directConnectGatewayAssociations"


class DirectConnect:
    """The part of the service that concerns gateways."""

    def __init__(self, gateways: Iterable[str]) -> None:
        self._gateways = frozenset(gateways)
        self._associations = host.store()

    def install(self) -> None:
        """Add the service."""
        add_service(
            _SERVICE,
            {
                "DescribeDirectConnectGateways": self.describe_gateways,
                "CreateDirectConnectGatewayAssociation": self.create,
                "UpdateDirectConnectGatewayAssociation": self.update,
                "DeleteDirectConnectGatewayAssociation": self.delete,
                "DescribeDirectConnectGatewayAssociations": self.describe,
            },
        )

    def describe_gateways(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeDirectConnectGateways, one or all."""
        wanted = request.get("directConnectGatewayId")
        return {
            "directConnectGateways": [
                {
                    "directConnectGatewayId": gateway,
                    "ownerAccount": host.account_id(),
                    "directConnectGatewayState": "available",
                }
                for gateway in sorted(self._gateways)
                if wanted in (None, gateway)
            ]
        }

    async def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateDirectConnectGatewayAssociation, with a private gateway that is attached to a VPC."""
        gateway, private = request["directConnectGatewayId"], request["gatewayId"]
        if gateway not in self._gateways:
            raise _refused(f"Direct Connect Gateway {gateway} does not exist.")
        # Another service is asked, which must not wait for the loop that this runs on.
        answer = await asyncio.to_thread(call, "ec2", "DescribeVpnGateways", VpnGatewayIds=[private])
        [found] = answer["VpnGateways"]
        if not any(one["State"] == "attached" for one in found.get("VpcAttachments", [])):
            raise _refused(f"Virtual gateway {private} is not attached to a VPC.")
        if any(one["associatedGateway"]["id"] == private for one in self._associations.values()):
            raise _refused(f"Virtual gateway {private} is associated with a Direct Connect gateway already.")
        name = str(uuid.uuid4())
        self._associations[name] = {
            "associationId": name,
            "associationState": "associated",
            "directConnectGatewayId": gateway,
            "directConnectGatewayOwnerAccount": host.account_id(),
            "associatedGateway": {
                "id": private,
                "type": "virtualPrivateGateway",
                "ownerAccount": host.account_id(),
                "region": host.region(),
            },
            "allowedPrefixesToDirectConnectGateway": request.get("addAllowedPrefixesToDirectConnectGateway", []),
        }
        return {"directConnectGatewayAssociation": self._associations[name]}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """UpdateDirectConnectGatewayAssociation: which prefixes are announced."""
        found = self._found(request)
        removed = request.get("removeAllowedPrefixesToDirectConnectGateway", [])
        kept = [prefix for prefix in found["allowedPrefixesToDirectConnectGateway"] if prefix not in removed]
        added = request.get("addAllowedPrefixesToDirectConnectGateway", [])
        found["allowedPrefixesToDirectConnectGateway"] = kept + added
        return {"directConnectGatewayAssociation": found}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteDirectConnectGatewayAssociation."""
        found = self._found(request)
        del self._associations[found["associationId"]]
        return {"directConnectGatewayAssociation": {**found, "associationState": "disassociated"}}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeDirectConnectGatewayAssociations, by its own id or an end's; what is gone gives an empty list."""
        keys = ("associationId", "directConnectGatewayId")
        found = [one for one in self._associations.values() if all(request.get(k) in (None, one[k]) for k in keys)]
        private = request.get("associatedGatewayId")
        return {_LISTED: [one for one in found if private in (None, one["associatedGateway"]["id"])]}

    def _found(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["associationId"]
        if name not in self._associations:
            raise _refused(f"Direct Connect Gateway Association {name} does not exist.", 404)
        found: dict[str, Any] = self._associations[name]
        return found


def _refused(sentence: str, status: int = 400) -> wire.AwsError:
    return wire.AwsError("DirectConnectClientException", sentence, status)


class Association(ResourceType):
    """A private gateway of a VPC, on a Direct Connect gateway."""

    type_name = "AWS::DirectConnect::DirectConnectGatewayAssociation"
    updatable = frozenset({"AllowedPrefixesToDirectConnectGateway"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Associate the two."""
        made = call(
            _SERVICE,
            "CreateDirectConnectGatewayAssociation",
            directConnectGatewayId=props["DirectConnectGatewayId"],
            gatewayId=props["AssociatedGatewayId"],
            addAllowedPrefixesToDirectConnectGateway=_prefixes(props),
        )
        return self._result(made["directConnectGatewayAssociation"]["associationId"])

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Announce other prefixes."""
        before, after = _prefixes(old), _prefixes(new)
        call(
            _SERVICE,
            "UpdateDirectConnectGatewayAssociation",
            associationId=physical_id,
            addAllowedPrefixesToDirectConnectGateway=[one for one in after if one not in before],
            removeAllowedPrefixesToDirectConnectGateway=[one for one in before if one not in after],
        )
        return self._result(physical_id)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Take them apart."""
        call(_SERVICE, "DeleteDirectConnectGatewayAssociation", associationId=physical_id)

    @staticmethod
    def _result(association: str) -> Provisioned:
        return association, {"AssociationId": association}


def _prefixes(props: Properties) -> list[dict[str, str]]:
    return [{"cidr": cidr} for cidr in props.get("AllowedPrefixesToDirectConnectGateway", [])]


TYPES: tuple[ResourceType, ...] = (Association(),)
