"""The DNS record and its zone."""

from collections.abc import Iterator

from schemas.diagnostics import Diagnostic
from schemas.spec import Spec

_HINT = "write source.api.ip_addresses instead of hostname, or move the API to a name below this one"
_LIST = "write the id of one that `aws route53 list-hosted-zones` shows, or use the account that has this one"


def cname_at_apex(spec: Spec) -> Iterator[Diagnostic]:
    """A name of two labels is the apex of its zone, where DNS allows no CNAME."""
    record = spec.migration.routing.record
    if spec.migration.source.api.hostname is not None and record.count(".") == 1:
        message = f"{record} is the apex of its zone and cannot be a CNAME to {spec.migration.source.api.hostname}"
        yield spec.finding("PMG219", "routing.record", message, _HINT)


def against_zone(spec: Spec, zone: str | None) -> Iterator[Diagnostic]:
    """Check the record against the hosted zone's name, which only AWS knows.

    Args:
        spec: the spec.
        zone: the zone's name, with or without its last dot; None where there is no zone of the spec's id.
    """
    record, hosted_zone = spec.migration.routing.record, spec.migration.routing.hosted_zone
    if zone is None:
        message = f"this account has no hosted zone {hosted_zone}"
        yield spec.finding("PMG224", "routing.hosted_zone", message, _LIST)
        return
    zone = zone.rstrip(".")
    if record != zone and not record.endswith(f".{zone}"):
        message = f"{record} is not in the zone {zone} of {hosted_zone}"
        yield spec.finding("PMG220", "routing.record", message, f"write a name that ends with .{zone}, or another zone")
    elif record == zone and spec.migration.source.api.hostname is not None:
        message = f"{record} is the apex of its zone and cannot be a CNAME to {spec.migration.source.api.hostname}"
        yield spec.finding("PMG219", "routing.record", message, _HINT)
