"""Route 53: health checks, groups of record sets, and what it answers to a resolver."""

from __future__ import annotations

import random
import uuid
from typing import Any
from xml.sax.saxutils import escape

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import call

_RECORD_MEMBERS = (
    "Name",
    "Type",
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "TTL",
    "AliasTarget",
    "HealthCheckId",
)
_FIXED = ("Type", "MeasureLatency", "RequestInterval")


class HealthCheck(ResourceType):
    """Its `Ref` is the health check's id."""

    type_name = "AWS::Route53::HealthCheck"
    updatable = frozenset({"HealthCheckConfig", "HealthCheckTags"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the check and tag it."""
        made = call(
            "route53",
            "CreateHealthCheck",
            CallerReference=str(uuid.uuid4()),
            HealthCheckConfig=props["HealthCheckConfig"],
        )
        return self._tagged(made["HealthCheck"]["Id"], props)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change what may change; a check of another type or interval is another check."""
        before, after = old["HealthCheckConfig"], new["HealthCheckConfig"]
        if any(before.get(name) != after.get(name) for name in _FIXED):
            return self.create(Place("", ""), new)
        changes = {name: value for name, value in after.items() if name not in _FIXED}
        call("route53", "UpdateHealthCheck", HealthCheckId=physical_id, **changes)
        return self._tagged(physical_id, new)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the check."""
        call("route53", "DeleteHealthCheck", HealthCheckId=physical_id)

    @staticmethod
    def _tagged(check_id: str, props: Properties) -> Provisioned:
        if props.get("HealthCheckTags"):
            call(
                "route53",
                "ChangeTagsForResource",
                ResourceType="healthcheck",
                ResourceId=check_id,
                AddTags=props["HealthCheckTags"],
            )
        return check_id, {"HealthCheckId": check_id}


class RecordSetGroup(ResourceType):
    """Records that change together, in one batch."""

    type_name = "AWS::Route53::RecordSetGroup"
    updatable = frozenset({"Comment", "RecordSets"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create all records; one that exists already fails the batch."""
        self._change(props, [("CREATE", _record(entry)) for entry in props["RecordSets"]])
        group = place.name()
        return group, {"Id": group}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Put the records of the template and delete those it no longer has."""
        kept = {_identity(_record(entry)) for entry in new["RecordSets"]}
        gone = [record for record in self._existing(old) if _identity(record) not in kept]
        puts = [("UPSERT", _record(entry)) for entry in new["RecordSets"]]
        self._change(new, [("DELETE", record) for record in gone] + puts)
        return physical_id, {"Id": physical_id}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the records as they are now, which may not be as the template left them."""
        self._change(props, [("DELETE", record) for record in self._existing(props)])

    def _existing(self, props: Properties) -> list[dict[str, Any]]:
        ours = {_identity(_record(entry)) for entry in props["RecordSets"]}
        listed = call("route53", "ListResourceRecordSets", HostedZoneId=_zone(props), MaxItems="300")
        return [record for record in listed["ResourceRecordSets"] if _identity(record) in ours]

    @staticmethod
    def _change(props: Properties, changes: list[tuple[str, dict[str, Any]]]) -> None:
        if changes:
            batch = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
            call("route53", "ChangeResourceRecordSets", HostedZoneId=_zone(props), ChangeBatch={"Changes": batch})


def install() -> None:
    """Answer TestDNSAnswer, which ministack does not have."""
    handlers = host.module("app").SERVICE_HANDLERS
    stock = handlers["route53"]

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        if method != "GET" or not path.endswith("/testdnsanswer"):
            return await stock(method, path, headers, body, query)
        asked = {name: values[0] if isinstance(values, list) else values for name, values in query.items()}
        return _answer(asked["hostedzoneid"], asked["recordname"], asked["recordtype"])

    handlers["route53"] = handle


def _answer(zone: str, name: str, kind: str) -> wire.Response:
    """Draw one of the records by their weights; all zero counts as all alike, as in Route 53."""
    module = host.module("services.route53")
    if zone not in module._zones:
        return wire.error("route53", wire.AwsError("NoSuchHostedZone", f"No hosted zone found with ID: {zone}", 404))
    wanted = name.rstrip(".").lower()
    found = [
        record
        for record in module._records.get(zone, [])
        if record["Name"].rstrip(".").lower() == wanted and record["Type"] == kind
    ]
    entries = []
    if found:
        weights = [int(record.get("Weight") or 0) for record in found]
        [drawn] = random.choices(found, weights if any(weights) else None)  # noqa: S311 - a load, no secret
        entries = _values(drawn)
    listed = "".join(f"<RecordDataEntry>{escape(value)}</RecordDataEntry>" for value in entries)
    text = (
        f'<TestDNSAnswerResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
        f"<Nameserver>ns-1.awsdns-01.example</Nameserver><RecordName>{escape(wanted)}.</RecordName>"
        f"<RecordType>{escape(kind)}</RecordType><RecordData>{listed}</RecordData>"
        f"<ResponseCode>{'NOERROR' if found else 'NXDOMAIN'}</ResponseCode><Protocol>UDP</Protocol>"
        "</TestDNSAnswerResponse>"
    )
    return 200, {"Content-Type": "text/xml"}, text.encode()


def _values(record: dict[str, Any]) -> list[str]:
    """What a record answers; of an alias the name, since nothing here has addresses."""
    if alias := record.get("AliasTarget"):
        return [str(alias["DNSName"])]
    return [str(one["Value"] if isinstance(one, dict) else one) for one in record.get("ResourceRecords", [])]


def _zone(props: Properties) -> str:
    if props.get("HostedZoneId"):
        return str(props["HostedZoneId"])
    wanted = props["HostedZoneName"]
    for zone in call("route53", "ListHostedZones")["HostedZones"]:
        if zone["Name"] == wanted:
            return str(zone["Id"]).removeprefix("/hostedzone/")
    raise wire.AwsError("NoSuchHostedZone", f"No hosted zone called {wanted}", 404)


def _record(entry: Properties) -> dict[str, Any]:
    record = {name: entry[name] for name in _RECORD_MEMBERS if name in entry}
    if "ResourceRecords" in entry:
        record["ResourceRecords"] = [{"Value": value} for value in entry["ResourceRecords"]]
    return record


def _identity(record: dict[str, Any]) -> tuple[str, str, str]:
    return record["Name"].rstrip(".").lower(), record["Type"], record.get("SetIdentifier", "")


TYPES: tuple[ResourceType, ...] = (HealthCheck(), RecordSetGroup())
