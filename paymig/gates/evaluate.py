"""Judging what was read: a value that is missing, stale or too small a sample never passes."""

from collections.abc import Callable
from datetime import datetime, timedelta

from paymig.gates.gate import Gate, Position, Readings
from schemas.migration import Gates
from schemas.units import format_duration, format_percentage

WINDOW = timedelta(hours=1)
"""Requests are judged over this time at most, so that a long good past does not outvote a bad present."""

SILENCE = timedelta(minutes=10)
"""No request counted for so long means that nothing is known of the present."""

_MINUTE = timedelta(minutes=1)  # how finely CloudWatch keeps time

_MISSING = "missing"


def evaluate(
    limits: Gates, compared_every: timedelta, readings: Readings, position: Position, now: datetime
) -> tuple[Gate, ...]:
    """Judge every gate of the spec, and the bake.

    Error rate, number of requests and bake concern the share that the traffic has now: at 0 % there is nothing to
    judge, and they pass. While it bakes, too few requests are waited for.

    Args:
        limits: the spec's.
        compared_every: how often the databases are compared and the lag is measured, as the spec says.
        readings: what was read.
        position: where the traffic stands.
        now: when it was read.
    """

    def age(at: datetime) -> timedelta:
        return max(timedelta(0), now - at)  # another machine's clock may be ahead

    return (
        _lag(limits, 2 * compared_every + _MINUTE, readings, age),
        _comparison(limits, readings, age),
        _alarms(limits, readings),
        _error_rate(limits, readings, position, age),
        _requests(limits, readings, position, age),
        _bake(position, now),
    )


def failed(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Give the gates that stand in the way."""
    return tuple(gate for gate in gates if gate.failed)


Age = Callable[[datetime], timedelta]


def _lag(limits: Gates, stale: timedelta, readings: Readings, age: Age) -> Gate:
    name, limit = "replication_lag", f"at most {format_duration(limits.replication_lag)}"
    if readings.lag is None:
        return Gate(name, _MISSING, limit, False)
    old = age(readings.lag.at)
    value = f"{readings.lag.value:g} s"
    if old > stale:
        return Gate(name, f"{value}, stale", f"{limit}, measured within {format_duration(stale)}", False, old)
    return Gate(name, value, limit, timedelta(seconds=readings.lag.value) <= limits.replication_lag, old)


def _comparison(limits: Gates, readings: Readings, age: Age) -> Gate:
    name, limit = "validation_age", f"equal within {format_duration(limits.validation_age)}"
    differing, equal = readings.differing, readings.equal
    if differing is not None and differing.value > 0 and (equal is None or equal <= differing.at):
        return Gate(name, f"{differing.value:g} differences", limit, False, age(differing.at))
    if equal is None:
        return Gate(name, _MISSING, limit, False)
    old = age(equal)
    return Gate(name, "equal", limit, old <= limits.validation_age, old)


def _alarms(limits: Gates, readings: Readings) -> Gate:
    name = "alarms"
    if limits.alarms == "any":
        return Gate(name, "not looked at", "any", True)
    if not readings.expected:
        return Gate(name, _MISSING, "none firing", False)
    firing = sorted(alarm for alarm, state in readings.alarms.items() if state == "ALARM")
    gone = sorted(readings.expected - readings.alarms.keys())
    value = "; ".join(f"{what}: {', '.join(alarms)}" for what, alarms in (("firing", firing), ("gone", gone)) if alarms)
    return Gate(name, value or f"none of {len(readings.expected)}", "none firing", not value)


def _error_rate(limits: Gates, readings: Readings, position: Position, age: Age) -> Gate:
    name, limit = "error_rate", f"at most {format_percentage(limits.error_rate)}"
    if not position.share:
        return Gate(name, "no traffic yet", limit, True)
    if not readings.requests or readings.last_request is None:
        return Gate(name, _MISSING, limit, False, waiting=position.baking)
    old = age(readings.last_request)
    rate = 100 * readings.failures / readings.requests
    value = f"{rate:.3g} % of {readings.requests}"
    if old > SILENCE:
        return Gate(name, f"{value}, stale", limit, False, old)
    enough = readings.requests >= limits.minimum_requests
    # Until there are enough, one failure is no rate; but more than the limit allows of enough is one already.
    tolerable = readings.failures <= float(limits.error_rate) * limits.minimum_requests / 100
    passed = enough and rate <= limits.error_rate
    return Gate(name, value, limit, passed, old, waiting=position.baking and not enough and tolerable)


def _requests(limits: Gates, readings: Readings, position: Position, age: Age) -> Gate:
    name, limit = "minimum_requests", f"at least {limits.minimum_requests}"
    if not position.share:
        return Gate(name, "no traffic yet", limit, True)
    enough = readings.requests >= limits.minimum_requests
    old = None if readings.last_request is None else age(readings.last_request)
    return Gate(name, str(readings.requests), limit, enough, old, waiting=not enough and position.baking)


def _bake(position: Position, now: datetime) -> Gate:
    name = "bake"
    if not position.share or not position.bake:
        return Gate(name, "nothing to bake", "none", True)
    limit = f"at least {format_duration(position.bake)} at {position.share:g} %"
    if position.since is None:
        return Gate(name, "not known", limit, False)
    stayed = max(timedelta(0), now - position.since)
    done = stayed >= position.bake
    return Gate(name, _rounded(stayed), limit, done, waiting=not done and position.baking)


def _rounded(duration: timedelta) -> str:
    return format_duration(timedelta(seconds=int(duration.total_seconds())))
