"""What is wrong with a direction of logical replication, in words that say what to do."""

from __future__ import annotations

from collections.abc import Mapping

from runtime_lambdas.runtime.replication import heartbeat, loading, slot
from runtime_lambdas.runtime.replication.slot import Slot
from runtime_lambdas.runtime.replication.stream import Stream
from runtime_lambdas.runtime.replication.subscription import Subscription

_COUNTS_ERRORS = 15
_PROOF_SECONDS = 2.0  # how long a beat may take that proves, after an error, that changes are applied again


def problems(stream: Stream, found: Subscription | None) -> list[str]:
    """Say what is wrong, one sentence each.

    Args:
        stream: which direction.
        found: its subscription, as of a moment ago.
    """
    name, origin, destination = stream.name, stream.origin, stream.destination
    if found is None:
        return [f"The {destination} has no subscription {name}."]
    said = []
    place = stream.slot()
    if place is None:
        said.append(f"The {origin} has no slot {name} any more: {stream.mends}.")
    elif place.lost:
        said.append(f"The slot {name} on the {origin} was invalidated: {stream.mends}.")
    ran_into = _errors(stream, found)
    counted = ", ".join(f"{count} {words}" for words, count in ran_into.items()) or "no errors counted"
    if not found.enabled and not found.paused:
        said.append(
            f"The subscription {name} was disabled ({counted}), and not by paymig: the log of the {destination}'s "
            f"server may say why. {_goes_on(stream)} goes on where it stopped."
        )
    elif found.enabled and place is not None and not place.lost:
        if _halts(stream, found, place, ran_into):
            said.append(
                f"The subscription {name} has no worker at this moment ({counted}); it is started again every few "
                f"seconds. If that lasts, the {destination} does not reach the {origin}, or has rows that keep a "
                "change from being applied: the log of its server says which. Once that is mended, it goes on by "
                "itself where it stopped."
            )
        # First which slots there are: a load that ends drops its own, and then is none that broke off.
        kept = stream.connections.peer(origin, lambda running: slot.tables_of_loads(running, found.oid))
        stopped = stream.connections.admin(destination, lambda running: loading.broken_off(running, found.oid))
        if lost := [one.table for one in stopped if one.copied and one.oid not in kept]:
            said.append(
                f"The load of {', '.join(lost)} can't be ended: the {destination}'s server died just then, and its "
                f"slot on the {origin} is gone: {stream.mends}."
            )
        elif stopped:
            names = ", ".join(one.table for one in stopped)
            said.append(
                f"The load of {names} broke off ({counted}); it is tried again every few seconds. If that lasts, the "
                f"log of the {destination}'s server says why."
            )
    return said


def _halts(stream: Stream, found: Subscription, place: Slot, errors: Mapping[str, int]) -> bool:
    """Whether the worker is away, also where it was back for the moment of the look, to run into the same error."""
    if not found.working and not place.active:
        return True
    uncounted = stream.connections.major(stream.destination) < _COUNTS_ERRORS
    if not (errors or uncounted or not found.working) or not stream.follows_the_heartbeat():
        return False
    if heartbeat.wait(stream.beats.arrived, stream.beats.write().number, _PROOF_SECONDS) is not None:
        return False
    # With a worker it may be behind a large transaction.
    now = stream.subscription()
    return now is not None and now.enabled and (not now.working or _errors(stream, now) != errors)


def _errors(stream: Stream, found: Subscription) -> dict[str, int]:
    return stream.connections.admin(stream.destination, lambda running: loading.errors(running, found.oid))


def _goes_on(stream: Stream) -> str:
    if stream.copies:
        return "`paymig replicate start`"
    return f"`ALTER SUBSCRIPTION {stream.name} ENABLE` on the {stream.destination}"
