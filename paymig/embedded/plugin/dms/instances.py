"""DMS: replication instances, their subnet groups, certificates and event subscriptions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.dms.records import Records, Status, new_arn, not_found, shown, wrong_state

_ROLE = "dms-vpc-role"


class Instances:
    """Operations on subnet groups and replication instances."""

    def __init__(self) -> None:
        self.groups = Records(
            "Replication Subnet Group",
            "ReplicationSubnetGroupIdentifier",
            {"replication-subnet-group-id": "ReplicationSubnetGroupIdentifier"},
        )
        self.instances = Records(
            "Replication Instance",
            "ReplicationInstanceArn",
            {
                "replication-instance-arn": "ReplicationInstanceArn",
                "replication-instance-id": "ReplicationInstanceIdentifier",
                "replication-instance-class": "ReplicationInstanceClass",
                "engine-version": "EngineVersion",
            },
            identifier="ReplicationInstanceIdentifier",
        )

    def create_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateReplicationSubnetGroup: needs the role dms-vpc-role and subnets in two zones."""
        if _ROLE not in host.module("services.iam")._roles:
            raise wire.AwsError(
                "AccessDeniedFault",
                f"The IAM Role arn:aws:iam::{host.account_id()}:role/{_ROLE} is not configured properly.",
            )
        record = {
            "ReplicationSubnetGroupIdentifier": request["ReplicationSubnetGroupIdentifier"].lower(),
            "ReplicationSubnetGroupDescription": request["ReplicationSubnetGroupDescription"],
            "SubnetGroupStatus": "Complete",
            **_subnets(request["SubnetIds"]),
        }
        return {"ReplicationSubnetGroup": self.groups.add(record)}

    def modify_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """ModifyReplicationSubnetGroup."""
        record = self.groups.get(request["ReplicationSubnetGroupIdentifier"])
        if "ReplicationSubnetGroupDescription" in request:
            record["ReplicationSubnetGroupDescription"] = request["ReplicationSubnetGroupDescription"]
        record.update(_subnets(request["SubnetIds"]))
        return {"ReplicationSubnetGroup": shown(record)}

    def delete_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteReplicationSubnetGroup; refused while an instance is in it."""
        name = request["ReplicationSubnetGroupIdentifier"]
        for instance in self.instances.all():
            if instance["_Group"] == name:
                raise wrong_state(f"Subnet group {name} is in use by {instance['ReplicationInstanceIdentifier']}")
        self.groups.remove(name)
        return {}

    def describe_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeReplicationSubnetGroups."""
        return {"ReplicationSubnetGroups": self.groups.select(request)}

    def create_instance(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateReplicationInstance: creating, then available."""
        group = request.get("ReplicationSubnetGroupIdentifier", "default")
        if group != "default":
            self.groups.get(group)
        settings = {name: value for name, value in request.items() if name not in _NOT_SHOWN}
        arn = new_arn("rep")
        record = {
            "AllocatedStorage": 50,
            "MultiAZ": False,
            "EngineVersion": "3.6.1",
            "AutoMinorVersionUpgrade": True,
            "PubliclyAccessible": True,
            **settings,
            "ReplicationInstanceIdentifier": request["ReplicationInstanceIdentifier"].lower(),
            "ReplicationInstanceArn": arn,
            "ReplicationInstanceStatus": Status("creating", "available"),
            "InstanceCreateTime": datetime.now(UTC),
            "VpcSecurityGroups": _groups(request),
            "ReplicationInstancePrivateIpAddress": "10.0.0.10",
            "ReplicationInstancePrivateIpAddresses": ["10.0.0.10"],
            "ReplicationSubnetGroup": shown(self.groups.get(group)) if group != "default" else None,
            "_Group": group,
        }
        return {"ReplicationInstance": self.instances.add(record)}

    def modify_instance(self, request: dict[str, Any]) -> dict[str, Any]:
        """ModifyReplicationInstance: modifying, then available."""
        record = self.instances.get(request["ReplicationInstanceArn"])
        record.update({name: value for name, value in request.items() if name not in _NOT_SHOWN})
        if "VpcSecurityGroupIds" in request:
            record["VpcSecurityGroups"] = _groups(request)
        record["ReplicationInstanceStatus"] = Status("modifying", "available")
        return {"ReplicationInstance": shown(record)}

    def delete_instance(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteReplicationInstance."""
        return {"ReplicationInstance": self.instances.remove(request["ReplicationInstanceArn"])}

    def describe_instances(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeReplicationInstances."""
        return {"ReplicationInstances": self.instances.select(request)}


_NOT_SHOWN = frozenset(
    {
        "ApplyImmediately",
        "AllowMajorVersionUpgrade",
        "ReplicationSubnetGroupIdentifier",
        "ResourceIdentifier",
        "Tags",
        "VpcSecurityGroupIds",
    }
)


def _groups(request: dict[str, Any]) -> list[dict[str, str]]:
    return [{"VpcSecurityGroupId": group, "Status": "active"} for group in request.get("VpcSecurityGroupIds", [])]


def _subnets(ids: list[str]) -> dict[str, Any]:
    known = host.module("services.ec2")._subnets
    for subnet in ids:
        if subnet not in known:
            raise wire.AwsError("InvalidSubnet", f"Invalid subnet: {subnet}")
    zones = {known[subnet]["AvailabilityZone"] for subnet in ids}
    if len(zones) < 2:
        raise wire.AwsError(
            "ReplicationSubnetGroupDoesNotCoverEnoughAZs",
            "The subnet group must contain subnets in at least two Availability Zones in the same Region.",
        )
    return {
        "VpcId": known[ids[0]]["VpcId"],
        "Subnets": [
            {
                "SubnetIdentifier": subnet,
                "SubnetAvailabilityZone": {"Name": known[subnet]["AvailabilityZone"]},
                "SubnetStatus": "Active",
            }
            for subnet in ids
        ],
    }


class Certificates:
    """Operations on imported certificates."""

    def __init__(self) -> None:
        self.certificates = Records(
            "Certificate",
            "CertificateArn",
            {"certificate-arn": "CertificateArn", "certificate-id": "CertificateIdentifier"},
            identifier="CertificateIdentifier",
        )

    def import_one(self, request: dict[str, Any]) -> dict[str, Any]:
        """ImportCertificate; what is not PEM is InvalidCertificateFault."""
        pem = request.get("CertificatePem", "")
        if "CertificateWallet" not in request and "-----BEGIN CERTIFICATE-----" not in pem:
            raise wire.AwsError("InvalidCertificateFault", "The certificate was not valid.")
        now = datetime.now(UTC)
        record = {
            "CertificateIdentifier": request["CertificateIdentifier"].lower(),
            "CertificateArn": new_arn("cert"),
            "CertificateCreationDate": now,
            "CertificatePem": pem,
            "CertificateOwner": host.account_id(),
            "ValidFromDate": now,
            "ValidToDate": now + timedelta(days=365),
        }
        return {"Certificate": self.certificates.add(record)}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteCertificate."""
        return {"Certificate": self.certificates.remove(request["CertificateArn"])}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeCertificates."""
        return {"Certificates": self.certificates.select(request)}


class Subscriptions:
    """Operations on event subscriptions."""

    def __init__(self) -> None:
        self.subscriptions = Records("Event Subscription", "CustSubscriptionId", {})

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateEventSubscription; the topic must exist."""
        topic = request["SnsTopicArn"]
        if topic not in host.module("services.sns")._topics:
            raise wire.AwsError("SNSNoAuthorizationFault", f"Unable to access the SNS topic {topic}")
        record = {
            "CustomerAwsId": host.account_id(),
            "CustSubscriptionId": request["SubscriptionName"],
            "SubscriptionCreationTime": datetime.now(UTC).isoformat(),
            **_subscribed(request),
            "Status": Status("creating", "active"),
        }
        return {"EventSubscription": self.subscriptions.add(record)}

    def modify(self, request: dict[str, Any]) -> dict[str, Any]:
        """ModifyEventSubscription."""
        record = self.subscriptions.get(request["SubscriptionName"])
        record.update(_subscribed({**record, **request}))
        record["Status"] = Status("modifying", "active")
        return {"EventSubscription": shown(record)}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteEventSubscription."""
        return {"EventSubscription": self.subscriptions.remove(request["SubscriptionName"])}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeEventSubscriptions, all or one by name."""
        found = self.subscriptions.select(request)
        name = request.get("SubscriptionName")
        if name:
            found = [record for record in found if record["CustSubscriptionId"] == name]
            if not found:
                raise not_found(f"Event Subscription {name} not found.")
        return {"EventSubscriptionsList": found}


def _subscribed(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "SnsTopicArn": request["SnsTopicArn"],
        "SourceType": request.get("SourceType"),
        "SourceIdsList": request.get("SourceIds", request.get("SourceIdsList", [])),
        "EventCategoriesList": request.get("EventCategories", request.get("EventCategoriesList", [])),
        "Enabled": request.get("Enabled", True),
    }
