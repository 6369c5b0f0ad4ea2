"""Settings of which exactly one, or none, may be given."""

from collections.abc import Iterator, Mapping

from schemas.diagnostics import Diagnostic, SpecPath
from schemas.spec import Spec
from schemas.words import dotted


def _exactly_one(spec: Spec, path: SpecPath, given: Mapping[str, object]) -> Iterator[Diagnostic]:
    chosen = [key for key, value in given.items() if value]
    if len(chosen) == 1:
        return
    count = f"{' and '.join(chosen)} are" if chosen else "none is"
    message = f"{dotted(path)} takes exactly one of {', '.join(given)}; {count} given"
    place = (*path, chosen[-1]) if chosen else path
    hint = f"delete all but one of {', '.join(chosen)}" if chosen else f"write one of {', '.join(given)}"
    yield spec.finding("PMG201", place, message, hint)


def source_api(spec: Spec) -> Iterator[Diagnostic]:
    """The old API is known by its addresses or by its name."""
    api = spec.migration.source.api
    yield from _exactly_one(spec, ("source", "api"), {"ip_addresses": api.ip_addresses, "hostname": api.hostname})


def source_authority(spec: Spec) -> Iterator[Diagnostic]:
    """Whoever verifies needs an authority to verify with."""
    tls = spec.migration.source.database.tls
    if tls.mode != "require" and tls.ca is None:
        message = f"{tls.mode} needs the authority that signed the source's certificate"
        hint = "add its PEM file: tls: {ca: onprem-ca.pem}"
        yield spec.finding("PMG221", "source.database.tls", message, hint)


def source_network(spec: Spec) -> Iterator[Diagnostic]:
    """One way leads to the data centre."""
    network = spec.migration.source.network
    given = {key: getattr(network, key) for key in ("transit_gateway", "vpn", "direct_connect_gateway")}
    yield from _exactly_one(spec, ("source", "network"), given)


def recipients(spec: Spec) -> Iterator[Diagnostic]:
    """Each recipient is told in one way."""
    for index, recipient in enumerate(spec.migration.monitoring.notify):
        given = {"email": recipient.email, "https": recipient.https, "sms": recipient.sms}
        yield from _exactly_one(spec, ("monitoring", "notify", index), given)


def extensions(spec: Spec) -> Iterator[Diagnostic]:
    """An extension patches a component or is a stack."""
    for name, extension in spec.migration.extensions.items():
        given = {"patch": extension.patch, "stack": extension.stack}
        yield from _exactly_one(spec, ("extensions", name), given)


def replication_engine(spec: Spec) -> Iterator[Diagnostic]:
    """A DMS instance and DMS Serverless exclude each other, and logical replication needs neither."""
    replication = spec.migration.replication
    given = [key for key in ("instance", "serverless") if getattr(replication, key) is not None]
    if replication.engine == "logical":
        for key in given:
            message = f"replication.{key} belongs to the engine dms; the engine is logical"
            hint = f"delete {key}, or write engine: dms"
            yield spec.finding("PMG216", ("replication", key), message, hint)
    elif len(given) > 1:
        message = "replication takes one of instance, serverless; both are given"
        yield spec.finding("PMG201", "replication.serverless", message, "delete one of them")
