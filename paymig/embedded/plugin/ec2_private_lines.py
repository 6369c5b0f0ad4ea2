"""EC2: the ways to the old data centre, that is transit gateways and site-to-site VPN."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.ec2_network import TaggedEc2Resource
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import add_operations, call, call_with

if TYPE_CHECKING:
    from collections.abc import Iterable


class TransitGateways:
    """The transit-gateway part of EC2: gateways the account owns and the VPCs attached to them."""

    def __init__(self, gateways: Iterable[str]) -> None:
        self._gateways = frozenset(gateways)
        self._attachments = host.store()

    def install(self) -> None:
        """Answer the operations."""
        add_operations(
            "ec2",
            {
                "DescribeTransitGateways": self.describe_gateways,
                "CreateTransitGatewayVpcAttachment": self.create_attachment,
                "ModifyTransitGatewayVpcAttachment": self.modify_attachment,
                "DeleteTransitGatewayVpcAttachment": self.delete_attachment,
                "DescribeTransitGatewayVpcAttachments": self.describe_vpc_attachments,
                "DescribeTransitGatewayAttachments": self.describe_attachments,
            },
        )

    def describe_gateways(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeTransitGateways, by id."""
        ids = request.get("TransitGatewayIds") or sorted(self._gateways)
        for gateway in ids:
            self._require_gateway(gateway)
        return {
            "TransitGateways": [
                {
                    "TransitGatewayId": gateway,
                    "TransitGatewayArn": host.arn("ec2", f"transit-gateway/{gateway}"),
                    "State": "available",
                    "OwnerId": host.account_id(),
                }
                for gateway in ids
            ]
        }

    def create_attachment(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateTransitGatewayVpcAttachment; the gateway must exist."""
        self._require_gateway(request["TransitGatewayId"])
        attachment_id = f"tgw-attach-{uuid.uuid4().hex[:17]}"
        record = {
            "TransitGatewayAttachmentId": attachment_id,
            "TransitGatewayId": request["TransitGatewayId"],
            "VpcId": request["VpcId"],
            "VpcOwnerId": host.account_id(),
            "State": "available",
            "SubnetIds": request["SubnetIds"],
            "CreationTime": datetime.now(UTC),
            "Options": {"DnsSupport": "enable", "Ipv6Support": "disable", **request.get("Options", {})},
            "Tags": [tag for spec in request.get("TagSpecifications", []) for tag in spec.get("Tags", [])],
        }
        self._attachments[attachment_id] = record
        return {"TransitGatewayVpcAttachment": record}

    def modify_attachment(self, request: dict[str, Any]) -> dict[str, Any]:
        """ModifyTransitGatewayVpcAttachment: subnets and options."""
        record = self._attachment(request["TransitGatewayAttachmentId"])
        removed = set(request.get("RemoveSubnetIds", []))
        kept = [subnet for subnet in record["SubnetIds"] if subnet not in removed]
        record["SubnetIds"] = kept + request.get("AddSubnetIds", [])
        record["Options"] = {**record["Options"], **request.get("Options", {})}
        return {"TransitGatewayVpcAttachment": record}

    def delete_attachment(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteTransitGatewayVpcAttachment."""
        record = self._attachment(request["TransitGatewayAttachmentId"])
        del self._attachments[record["TransitGatewayAttachmentId"]]
        return {"TransitGatewayVpcAttachment": {**record, "State": "deleted"}}

    def describe_vpc_attachments(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeTransitGatewayVpcAttachments, by id or filter."""
        return {"TransitGatewayVpcAttachments": self._selected(request)}

    def describe_attachments(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeTransitGatewayAttachments, by id or filter."""
        return {
            "TransitGatewayAttachments": [
                {
                    **{key: record[key] for key in ("TransitGatewayAttachmentId", "TransitGatewayId", "State")},
                    "ResourceType": "vpc",
                    "ResourceId": record["VpcId"],
                    "Tags": record["Tags"],
                }
                for record in self._selected(request)
            ]
        }

    def _selected(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        ids = request.get("TransitGatewayAttachmentIds")
        records = [self._attachment(one) for one in ids] if ids else list(self._attachments.values())
        for criterion in request.get("Filters", []):
            field = {
                "vpc-id": "VpcId",
                "resource-id": "VpcId",
                "transit-gateway-id": "TransitGatewayId",
                "transit-gateway-attachment-id": "TransitGatewayAttachmentId",
                "state": "State",
            }.get(criterion["Name"])
            if field is None:
                raise wire.AwsError("InvalidParameterValue", f"The filter '{criterion['Name']}' is invalid")
            records = [record for record in records if record[field] in criterion["Values"]]
        return records

    def _attachment(self, attachment_id: str) -> dict[str, Any]:
        if attachment_id not in self._attachments:
            raise wire.AwsError(
                "InvalidTransitGatewayAttachmentID.NotFound",
                f"Transit Gateway Attachment {attachment_id} was deleted or does not exist.",
            )
        record: dict[str, Any] = self._attachments[attachment_id]
        return record

    def _require_gateway(self, gateway: str) -> None:
        if gateway not in self._gateways:
            raise wire.AwsError(
                "InvalidTransitGatewayID.NotFound", f"Transit Gateway {gateway} was deleted or does not exist."
            )


class TransitGatewayAttachment(ResourceType):
    """A VPC on a transit gateway."""

    type_name = "AWS::EC2::TransitGatewayAttachment"
    tagged = True
    updatable = frozenset({"SubnetIds", "Options"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Attach the VPC."""
        tags = [{"ResourceType": "transit-gateway-attachment", "Tags": props.get("Tags", [])}]
        made = call_with("ec2", "CreateTransitGatewayVpcAttachment", props, TagSpecifications=tags)
        return self._result(made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change subnets and options."""
        before, after = set(old["SubnetIds"]), set(new["SubnetIds"])
        call(
            "ec2",
            "ModifyTransitGatewayVpcAttachment",
            TransitGatewayAttachmentId=physical_id,
            AddSubnetIds=sorted(after - before),
            RemoveSubnetIds=sorted(before - after),
            Options=new.get("Options", {}),
        )
        return self._result(physical_id)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Detach the VPC."""
        call("ec2", "DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=physical_id)

    @staticmethod
    def _result(attachment_id: str) -> Provisioned:
        return attachment_id, {"Id": attachment_id}


class TransitGatewayVpcAttachment(TransitGatewayAttachment):
    """The newer name of the same thing."""

    type_name = "AWS::EC2::TransitGatewayVpcAttachment"


class CustomerGateway(TaggedEc2Resource):
    """The data centre's end of a VPN."""

    type_name = "AWS::EC2::CustomerGateway"
    id_attribute = "CustomerGatewayId"

    def make(self, props: Properties) -> str:
        """Create the gateway."""
        made = call_with("ec2", "CreateCustomerGateway", props)
        return str(made["CustomerGateway"]["CustomerGatewayId"])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the gateway."""
        call("ec2", "DeleteCustomerGateway", CustomerGatewayId=physical_id)


class VpnGateway(TaggedEc2Resource):
    """The VPC's end of a VPN."""

    type_name = "AWS::EC2::VPNGateway"
    id_attribute = "VPNGatewayId"

    def make(self, props: Properties) -> str:
        """Create the gateway; AWS::EC2::VPCGatewayAttachment attaches it."""
        return str(call_with("ec2", "CreateVpnGateway", props)["VpnGateway"]["VpnGatewayId"])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the gateway."""
        call("ec2", "DeleteVpnGateway", VpnGatewayId=physical_id)


class VpnConnection(TaggedEc2Resource):
    """A site-to-site VPN."""

    type_name = "AWS::EC2::VPNConnection"
    id_attribute = "VpnConnectionId"

    def make(self, props: Properties) -> str:
        """Create the connection."""
        static = {"StaticRoutesOnly": props["StaticRoutesOnly"]} if "StaticRoutesOnly" in props else {}
        made = call_with("ec2", "CreateVpnConnection", props, Options=static)
        return str(made["VpnConnection"]["VpnConnectionId"])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the connection."""
        call("ec2", "DeleteVpnConnection", VpnConnectionId=physical_id)


class VpnConnectionRoute(ResourceType):
    """A static route of a VPN connection."""

    type_name = "AWS::EC2::VPNConnectionRoute"

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Add the route."""
        call_with("ec2", "CreateVpnConnectionRoute", props)
        return f"{props['DestinationCidrBlock']}|{props['VpnConnectionId']}", {}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Remove the route."""
        call_with("ec2", "DeleteVpnConnectionRoute", props)


class VpnGatewayRoutePropagation(ResourceType):
    """Route tables that learn their routes from a VPN gateway."""

    type_name = "AWS::EC2::VPNGatewayRoutePropagation"

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Switch propagation on for each table."""
        self._each("EnableVgwRoutePropagation", props)
        propagation_id = place.name()
        return propagation_id, {"Id": propagation_id}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Switch propagation off for each table."""
        self._each("DisableVgwRoutePropagation", props)

    @staticmethod
    def _each(operation: str, props: Properties) -> None:
        for table in props["RouteTableIds"]:
            call("ec2", operation, RouteTableId=table, GatewayId=props["VpnGatewayId"])


TYPES: tuple[ResourceType, ...] = (
    TransitGatewayAttachment(),
    TransitGatewayVpcAttachment(),
    CustomerGateway(),
    VpnGateway(),
    VpnConnection(),
    VpnConnectionRoute(),
    VpnGatewayRoutePropagation(),
)
