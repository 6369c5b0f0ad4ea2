"""EC2: addresses, NAT gateways, flow logs, security-group rules and network ACLs."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from paymig.embedded.plugin import host
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import call, call_with


def put_tags(resource_id: str, props: Properties) -> None:
    """Give an EC2 resource the tags of its template and its stack."""
    if props.get("Tags"):
        call("ec2", "CreateTags", Resources=[resource_id], Tags=props["Tags"])


class TaggedEc2Resource(ResourceType):
    """An EC2 resource whose tags alone change in place."""

    tagged = True
    id_attribute: ClassVar[str]

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the resource and tag it."""
        resource_id = self.make(props)
        put_tags(resource_id, props)
        return resource_id, {self.id_attribute: resource_id}

    def make(self, props: Properties) -> str:
        """Create the resource; gives its id."""
        raise NotImplementedError

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Replace the tags."""
        if old.get("Tags"):
            call("ec2", "DeleteTags", Resources=[physical_id], Tags=[{"Key": tag["Key"]} for tag in old["Tags"]])
        put_tags(physical_id, new)
        return physical_id, {self.id_attribute: physical_id}


class ElasticIp(ResourceType):
    """Its `Ref` is the address, not the allocation."""

    type_name = "AWS::EC2::EIP"
    tagged = True

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Allocate an address, and associate it where an instance is given."""
        address = call("ec2", "AllocateAddress", Domain=props.get("Domain", "vpc"))
        put_tags(address["AllocationId"], props)
        if props.get("InstanceId"):
            call("ec2", "AssociateAddress", AllocationId=address["AllocationId"], InstanceId=props["InstanceId"])
        return address["PublicIp"], {key: address[key] for key in ("AllocationId", "PublicIp")}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Replace the tags."""
        allocation = self._allocation(physical_id)
        put_tags(allocation, new)
        return physical_id, {"AllocationId": allocation, "PublicIp": physical_id}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Release the address."""
        call("ec2", "ReleaseAddress", AllocationId=self._allocation(physical_id))

    @staticmethod
    def _allocation(public_ip: str) -> str:
        addresses = call("ec2", "DescribeAddresses", PublicIps=[public_ip])["Addresses"]
        return str(addresses[0]["AllocationId"])


class NatGateway(TaggedEc2Resource):
    """A NAT gateway."""

    type_name = "AWS::EC2::NatGateway"
    id_attribute = "NatGatewayId"

    def make(self, props: Properties) -> str:
        """Create the gateway in its subnet."""
        made = call_with("ec2", "CreateNatGateway", {key: props[key] for key in props if key != "Tags"})
        return str(made["NatGateway"]["NatGatewayId"])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the gateway; its address stays allocated."""
        call("ec2", "DeleteNatGateway", NatGatewayId=physical_id)


class FlowLog(TaggedEc2Resource):
    """The flow log of a VPC, a subnet or an interface."""

    type_name = "AWS::EC2::FlowLog"
    id_attribute = "Id"

    def make(self, props: Properties) -> str:
        """Create the log for the one resource of the template."""
        made = call_with("ec2", "CreateFlowLogs", props, ResourceIds=[props["ResourceId"]])
        return str(made["FlowLogIds"][0])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the log."""
        call("ec2", "DeleteFlowLogs", FlowLogIds=[physical_id])


class _SecurityGroupRule(ResourceType):
    updatable = frozenset({"Description"})
    authorize: ClassVar[str]
    revoke: ClassVar[str]
    peer: ClassVar[str]

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Add the rule to its group."""
        made = call("ec2", self.authorize, GroupId=props["GroupId"], IpPermissions=[self._permission(props)])
        rule_id = str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])
        return rule_id, {"Id": rule_id}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change the description, the one thing about a rule that can."""
        call("ec2", self.revoke, GroupId=old["GroupId"], IpPermissions=[self._permission(old)])
        return self.create(Place("", ""), new)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Take the rule out of its group."""
        call("ec2", self.revoke, GroupId=props["GroupId"], IpPermissions=[self._permission(props)])

    def _permission(self, props: Properties) -> dict[str, Any]:
        note = {"Description": props["Description"]} if props.get("Description") else {}
        permission: dict[str, Any] = {key: props[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in props}
        if props.get("CidrIp"):
            permission["IpRanges"] = [{"CidrIp": props["CidrIp"], **note}]
        if props.get("CidrIpv6"):
            permission["Ipv6Ranges"] = [{"CidrIpv6": props["CidrIpv6"], **note}]
        if props.get(f"{self.peer}SecurityGroupId"):
            permission["UserIdGroupPairs"] = [{"GroupId": props[f"{self.peer}SecurityGroupId"], **note}]
        if props.get(f"{self.peer}PrefixListId"):
            permission["PrefixListIds"] = [{"PrefixListId": props[f"{self.peer}PrefixListId"], **note}]
        return permission


class SecurityGroupIngress(_SecurityGroupRule):
    """A stand-alone rule for what may come in."""

    type_name = "AWS::EC2::SecurityGroupIngress"
    authorize = "AuthorizeSecurityGroupIngress"
    revoke = "RevokeSecurityGroupIngress"
    peer = "Source"


class SecurityGroupEgress(_SecurityGroupRule):
    """A stand-alone rule for what may go out."""

    type_name = "AWS::EC2::SecurityGroupEgress"
    authorize = "AuthorizeSecurityGroupEgress"
    revoke = "RevokeSecurityGroupEgress"
    peer = "Destination"


class NetworkAcl(TaggedEc2Resource):
    """A network ACL; it denies everything until it has entries."""

    type_name = "AWS::EC2::NetworkAcl"
    id_attribute = "Id"

    def make(self, props: Properties) -> str:
        """Create the list in its VPC."""
        return str(call("ec2", "CreateNetworkAcl", VpcId=props["VpcId"])["NetworkAcl"]["NetworkAclId"])

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the list."""
        call("ec2", "DeleteNetworkAcl", NetworkAclId=physical_id)


class NetworkAclEntry(ResourceType):
    """One numbered entry of a network ACL."""

    type_name = "AWS::EC2::NetworkAclEntry"
    updatable = frozenset({"CidrBlock", "Icmp", "Ipv6CidrBlock", "PortRange", "Protocol", "RuleAction"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Add the entry."""
        call_with("ec2", "CreateNetworkAclEntry", props, **self._extra(props))
        entry_id = place.name()
        return entry_id, {"Id": entry_id}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Replace what the entry says, under its number."""
        call_with("ec2", "ReplaceNetworkAclEntry", new, **self._extra(new))
        return physical_id, {"Id": physical_id}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Remove the entry."""
        call_with("ec2", "DeleteNetworkAclEntry", props, Egress=props.get("Egress", False))

    @staticmethod
    def _extra(props: Properties) -> dict[str, Any]:
        extra = {"Egress": props.get("Egress", False)}
        return {**extra, "IcmpTypeCode": props["Icmp"]} if "Icmp" in props else extra


class SubnetNetworkAclAssociation(ResourceType):
    """Which ACL a subnet has: creating it replaces the former one, deleting it restores the VPC's default.

    ministack's own ReplaceNetworkAclAssociation forgets the subnet, so this writes the records it describes.
    """

    type_name = "AWS::EC2::SubnetNetworkAclAssociation"

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Give the subnet this ACL."""
        acls = host.module("services.ec2")._network_acls
        if props["NetworkAclId"] not in acls:
            raise RuntimeError(f"The networkAcl ID '{props['NetworkAclId']}' does not exist")
        association = _associate(props["SubnetId"], acls[props["NetworkAclId"]])
        return association, {"AssociationId": association}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Give the subnet its VPC's default ACL again."""
        service = host.module("services.ec2")
        subnet = service._subnets.get(props["SubnetId"])
        if subnet is None:
            return
        defaults = [
            acl for acl in service._network_acls.values() if acl["VpcId"] == subnet["VpcId"] and acl.get("IsDefault")
        ]
        _associate(props["SubnetId"], defaults[0] if defaults else {"Associations": []})


def _associate(subnet_id: str, acl: dict[str, Any]) -> str:
    for other in host.module("services.ec2")._network_acls.values():
        other["Associations"] = [entry for entry in other["Associations"] if entry["SubnetId"] != subnet_id]
    association = f"aclassoc-{uuid.uuid4().hex[:17]}"
    acl["Associations"].append({"NetworkAclAssociationId": association, "SubnetId": subnet_id})
    return association


TYPES: tuple[ResourceType, ...] = (
    ElasticIp(),
    NatGateway(),
    FlowLog(),
    SecurityGroupIngress(),
    SecurityGroupEgress(),
    NetworkAcl(),
    NetworkAclEntry(),
    SubnetNetworkAclAssociation(),
)
