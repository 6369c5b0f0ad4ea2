"""What can go wrong during a step of a rehearsal, by name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import psycopg2
from psycopg2 import sql

from paymig.aws import stack
from paymig.embedded.postgres import Postgres
from paymig.rehearsal import mishaps
from paymig.rehearsal.play import BrokenPromise, Play
from runtime_lambdas.runtime.waiting import paces
from runtime_lambdas.runtime.writer import SIDES

Fault = Callable[[Play], AbstractContextManager[None]]

_LOST, _DELAY = 0.2, 0.03
_SOON = 0.9
"""Seconds after which something strikes a step."""
_AWAY = 2.0
"""Seconds for which a server that died stays away."""
_PATIENCE = 30


@contextmanager
def _new_api_fails(play: Play) -> Iterator[None]:
    """A fifth of what clients send to the new API breaks on its way, before or after it was carried out."""
    play.clients.network.lost = _LOST
    try:
        yield
    finally:
        play.clients.network.lost = 0.0


@contextmanager
def _slow_network(play: Play) -> Iterator[None]:
    """Everything between clients and the new API takes 30 ms longer, each way."""
    play.clients.network.delay = _DELAY
    try:
        yield
    finally:
        play.clients.network.delay = 0.0


@contextmanager
def _new_api_gone(play: Play) -> Iterator[None]:
    """Nobody reaches the new API."""
    play.clients.network.down = True
    play.clients.network.break_all()
    try:
        yield
    finally:
        play.clients.network.down = False


@contextmanager
def _source_dies(play: Play) -> Iterator[None]:
    """The source's server is killed with all its processes, is away for 2 s, and recovers from its log."""
    with _soon(lambda: _die(play.stage.source)):
        yield


@contextmanager
def _target_dies(play: Play) -> Iterator[None]:
    """The target's server is killed with all its processes, is away for 2 s, and recovers from its log."""
    with _soon(lambda: _die(play.stage.target)):
        yield


@contextmanager
def _target_dies_in_the_pause(play: Play) -> Iterator[None]:
    """The target's server dies for 2 s as soon as the source is fenced: the move cannot go on, and the source opens."""
    striking = _Strike(lambda: _die(play.stage.target))
    with striking.awaited(), mishaps.once_fenced(play, striking.once):
        yield


def _die(server: Postgres) -> None:
    server.kill()
    time.sleep(_AWAY)
    server.restart()


@contextmanager
def _replication_stalls(play: Play) -> Iterator[None]:
    """Replication stands still both ways while the step lasts, and catches up afterwards."""
    _subscriptions(play, "DISABLE")
    try:
        yield
    finally:
        _subscriptions(play, "ENABLE")


def _subscriptions(play: Play, verb: str) -> None:
    for side in SIDES:
        with closing(psycopg2.connect(play.dsn(side))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT quote_ident(subname) FROM pg_subscription JOIN pg_database d ON d.oid = subdbid"
                    " WHERE d.datname = current_database()"
                )
                for (name,) in cursor.fetchall():
                    cursor.execute(f"ALTER SUBSCRIPTION {name} {verb}")


@contextmanager
def _long_transaction(play: Play) -> Iterator[None]:
    """A batch of the old application has written and does not end its transaction while the step lasts."""
    with closing(psycopg2.connect(play.stage.application_dsn)) as connection, connection.cursor() as cursor:
        for table in play.tables("source"):
            # What every writing transaction holds.
            cursor.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(table))
        try:
            yield
        finally:
            connection.rollback()


@contextmanager
def _alarm_fires(play: Play) -> Iterator[None]:
    """The alarm of the error rate goes off: the rollback function takes the traffic back by itself."""
    with _soon(lambda: _alarm(play, "ALARM")):
        yield
    for _ in paces(_PATIENCE):
        if play.writer() == "target" or not play.weights().share:
            break
    _alarm(play, "OK")


def _alarm(play: Play, state: str) -> None:
    root = stack.describe(play.stage.aws, play.migration.full_name)
    names = root.outputs["AlarmNames"].split(",") if root else []
    name = next(name for name in names if "ErrorRateAlarm" in name)
    play.stage.aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason="rehearsed")


@contextmanager
def _dns_by_hand(play: Play) -> Iterator[None]:
    """Somebody sets the weights in the console of Route 53."""
    with _soon(lambda: _set_by_hand(play)):
        yield


def _set_by_hand(play: Play) -> None:
    client = play.stage.aws.client("route53")
    zone = play.record.hosted_zone
    found = client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    pair = [r for r in found if r["Name"].rstrip(".") == play.record.name and "SetIdentifier" in r]
    changes = [{"Action": "UPSERT", "ResourceRecordSet": {**record, "Weight": 7}} for record in pair]
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


@contextmanager
def _soon(act: Callable[[], None]) -> Iterator[None]:
    """Act a moment after the step has begun; what goes wrong then fails the step."""
    striking = _Strike(act, _SOON)
    striking.once()
    with striking.awaited():
        yield


class _Strike(threading.Thread):
    """Something that happens while a step goes on, some seconds after it was told to."""

    def __init__(self, act: Callable[[], None], after: float = 0.0) -> None:
        super().__init__()
        self._act, self._after = act, after
        self._failed: Exception | None = None

    def once(self) -> None:
        """Begin, unless it has begun."""
        if self.ident is None:
            self.start()

    def run(self) -> None:
        """Wait and act."""
        time.sleep(self._after)
        try:
            self._act()
        except Exception as error:
            self._failed = error

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Wait for the end of it, if it began, when the block is over.

        Raises:
            BrokenPromise: it could not be done.
        """
        try:
            yield
        finally:
            if self.ident is not None:
                self.join()
        if self._failed is not None:
            raise BrokenPromise(f"the fault could not be injected: {self._failed}") from self._failed


FAULTS: dict[str, Fault] = {
    "new-api-fails": _new_api_fails,
    "new-api-gone": _new_api_gone,
    "slow-network": _slow_network,
    "source-dies": _source_dies,
    "target-dies": _target_dies,
    "target-dies-in-the-pause": _target_dies_in_the_pause,
    "replication-stalls": _replication_stalls,
    "long-transaction": _long_transaction,
    "operator-killed": mishaps.operator_killed,
    "operator-killed-in-the-pause": mishaps.operator_killed_in_the_pause,
    "two-operators": mishaps.two_operators,
    "alarm-fires": _alarm_fires,
    "dns-by-hand": _dns_by_hand,
    "clock-skew": mishaps.clock_skew,
}


def sentence(name: str) -> str:
    """Say what a fault does."""
    return (FAULTS[name].__doc__ or name).strip()
