"""The DNS record whose two weights move the traffic."""

from datetime import timedelta
from typing import Any, NamedTuple

from troposphere.route53 import RecordSet, RecordSetGroup
from troposphere.validators.route53 import AliasTarget

from compiler import names
from compiler.component import Component, Export
from compiler.components.load_balancer import LoadBalancerExports
from compiler.parameters import NEW_WEIGHT, OLD_WEIGHT
from schemas.migration import Migration

OLD = "old"
NEW = "new"


class RoutingExports(NamedTuple):
    """The record, as Route 53 knows it."""

    record: Export
    record_type: str


def routing(migration: Migration, load_balancer: LoadBalancerExports) -> tuple[Component, RoutingExports]:
    """Build the weighted pair of records."""
    component = Component("Routing", "The weighted DNS record.", names.tags(migration))
    spec = migration.routing
    ttl = str(spec.ttl // timedelta(seconds=1))
    hostname = migration.source.api.hostname
    dns_name = component.use(load_balancer.dns_name)
    old: dict[str, Any]
    new: dict[str, Any]
    if hostname is not None:
        record_type = "CNAME"
        old = {"TTL": ttl, "ResourceRecords": [hostname]}
        new = {"TTL": ttl, "ResourceRecords": [dns_name]}
    else:
        record_type = "A"
        old = {"TTL": ttl, "ResourceRecords": [str(address) for address in migration.source.api.ip_addresses]}
        new = {
            "AliasTarget": AliasTarget(  # type: ignore[no-untyped-call]  # the one class of troposphere without types
                DNSName=dns_name,
                # A target without health would send everybody to the other side, unasked.
                EvaluateTargetHealth=False,
                HostedZoneId=component.use(load_balancer.hosted_zone),
            )
        }
    component.add(
        RecordSetGroup(
            "Records",
            # One group is one change to Route 53: both weights move together or not at all.
            Comment="Both weights change in one batch.",
            HostedZoneId=spec.hosted_zone,
            RecordSets=[
                RecordSet(Name=f"{spec.record}.", Type=record_type, SetIdentifier=identifier, Weight=weight, **target)
                for identifier, weight, target in (
                    (OLD, component.use(OLD_WEIGHT), old),
                    (NEW, component.use(NEW_WEIGHT), new),
                )
            ],
        ),
        "routing",
        HostedZoneId="routing.hosted_zone",
        RecordSets="source.api",
        **{f"RecordSets.{index}.Name": "routing.record" for index in range(2)},
        **{f"RecordSets.{index}.TTL": "routing.ttl source.api" for index in range(2)},
    )
    return component, RoutingExports(component.offer("RecordName", spec.record), record_type)
