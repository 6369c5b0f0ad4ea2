"""Bounds that carry a unit, and pairs of a least and a most."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from schemas.diagnostics import Diagnostic, Severity
from schemas.migration import Api, Migration, Route
from schemas.spec import Spec, parse_path
from schemas.units import format_duration, format_percentage, format_size


class _Range(NamedTuple):
    path: str
    value: Callable[[Migration], Any]
    least: Any
    most: Any
    step: Any
    unit: str


_SECOND, _MINUTE, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
_KIB, _MIB, _GIB = 2**10, 2**20, 2**30

_RANGES = (
    _Range("database.backup_retention", lambda m: m.database.backup_retention, _DAY, 35 * _DAY, _DAY, "days"),
    # CloudWatch Logs and S3 lifecycle rules count in days; ten years is where a duration ends.
    _Range("load_balancer.access_logs", lambda m: m.load_balancer.access_logs, _DAY, 3653 * _DAY, _DAY, "days"),
    _Range("security.secret_rotation", lambda m: m.security.secret_rotation, _DAY, 365 * _DAY, _DAY, "days"),
    _Range("routing.ttl", lambda m: m.routing.ttl, _SECOND, _DAY, _SECOND, "seconds"),
    _Range("validation.every", lambda m: m.validation.every, _MINUTE, _DAY, _MINUTE, "minutes"),
    _Range(
        "monitoring.alarms.slot_size", lambda m: m.monitoring.alarms.slot_size, 64 * _MIB, 65536 * _GIB, _MIB, "MiB"
    ),
    _Range("replication.large_objects.max", lambda m: m.replication.large_objects.max, _KIB, 100 * _MIB, _KIB, "KiB"),
    _Range(
        "replication.instance.storage",
        lambda m: m.replication.instance.storage if m.replication.instance else None,
        5 * _GIB,
        6144 * _GIB,
        _GIB,
        "GiB",
    ),
)
_WINDOWS = tuple(minutes * _MINUTE for minutes in (1, 2, 5, 10))
_YEAR = 365 * _DAY

_Pair = tuple[str, str, Callable[[Migration], tuple[float, float] | None]]

_PAIRS: tuple[_Pair, ...] = (
    (
        "database.capacity.min",
        "database.capacity.max",
        lambda m: (m.database.capacity.min, m.database.capacity.max),
    ),
    (
        "replication.serverless.min",
        "replication.serverless.max",
        lambda m: (m.replication.serverless.min, m.replication.serverless.max) if m.replication.serverless else None,
    ),
)


def _functions(migration: Migration) -> Iterator[tuple[str, Api | Route]]:
    """Yield each function behind the load balancer, with its path in the spec."""
    yield "api", migration.api
    for name, route in migration.api.routes.items():
        yield f"api.routes.{name}", route


def _ranges_of(path: str, function: Api | Route) -> tuple[_Range, ...]:
    target = function.scaling.provisioned.target
    return (
        _Range(f"{path}.memory", lambda _: function.memory, 128 * _MIB, 10240 * _MIB, _MIB, "MiB"),
        _Range(f"{path}.timeout", lambda _: function.timeout, _SECOND, 15 * _MINUTE, _SECOND, "seconds"),
        # Application Auto Scaling takes a utilisation from 0.1 to 0.9.
        _Range(f"{path}.scaling.provisioned.target", lambda _: target, Decimal(10), Decimal(90), None, "percent"),
    )


def _pairs_of(path: str, function: Api | Route) -> tuple[_Pair, ...]:
    scaling = function.scaling
    least, most = scaling.provisioned.min, scaling.provisioned.max
    return (
        (f"{path}.scaling.provisioned.min", f"{path}.scaling.provisioned.max", lambda _: (least, most)),
        (f"{path}.scaling.provisioned.max", f"{path}.scaling.reserved", lambda _: (most, scaling.reserved)),
    )


def _written(value: object) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    return format_percentage(value) if isinstance(value, Decimal) else format_size(int(str(value)))


def bounds(spec: Spec) -> Iterator[Diagnostic]:
    """Each quantity lies within what AWS takes, in whole units of AWS's."""
    functions = [one for path, function in _functions(spec.migration) for one in _ranges_of(path, function)]
    for path, value_of, least, most, step, unit in (*_RANGES, *functions):
        value = value_of(spec.migration)
        if value is None or (least <= value <= most and (step is None or not value % step)):
            continue
        hint = f"write a value from {_written(least)} to {_written(most)}" + (f" in whole {unit}" if step else "")
        yield spec.finding("PMG209", path, f"{path} cannot be {_written(value)}", hint)


def order(spec: Spec) -> Iterator[Diagnostic]:
    """The least is not above the most."""
    functions = [one for path, function in _functions(spec.migration) for one in _pairs_of(path, function)]
    for low_path, high_path, values in (*_PAIRS, *functions):
        pair = values(spec.migration)
        if pair is not None and pair[0] > pair[1]:
            path = low_path if parse_path(low_path) in spec.positions else high_path
            message = f"{low_path} is {pair[0]:g}, above {high_path}, which is {pair[1]:g}"
            yield spec.finding("PMG208", path, message, f"write at most {pair[1]:g}, or raise {high_path}")


def database_capacity(spec: Spec) -> Iterator[Diagnostic]:
    """Aurora Serverless v2 can be started small, but takes no ceiling under 1."""
    most = spec.migration.database.capacity.max
    if most < 1:
        message = f"database.capacity.max cannot be {most:g}"
        yield spec.finding("PMG209", "database.capacity.max", message, "write 1 or more")


def rate_window(spec: Spec) -> Iterator[Diagnostic]:
    """AWS WAF counts over four windows."""
    window = spec.migration.security.waf.rate_limit.window
    if window not in _WINDOWS:
        hint = f"write one of {', '.join(format_duration(known) for known in _WINDOWS)}"
        path = "security.waf.rate_limit.window"
        yield spec.finding("PMG209", path, f"{path} cannot be {format_duration(window)}", hint)


def access_logs(spec: Spec) -> Iterator[Diagnostic]:
    """PCI DSS asks for a year of audit logs."""
    kept = spec.migration.load_balancer.access_logs
    if _DAY <= kept < _YEAR:
        message = f"access logs are kept {format_duration(kept)}; PCI DSS asks for a year"
        hint = "write 365d or more"
        yield spec.finding("PMG218", "load_balancer.access_logs", message, hint, Severity.WARNING)
