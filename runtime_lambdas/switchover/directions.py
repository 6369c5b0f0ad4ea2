"""Replication between the two sides, as a move of the writer uses it: checked, proved, turned round, ended."""

from __future__ import annotations

from contextlib import suppress

import psycopg2

from runtime_lambdas.runtime.replication.engine import Broken, Engine, Marker, ReplicationError
from runtime_lambdas.runtime.writer import Side

from .actions import Evidence, NotReady
from .pause import Pause
from .phases import Way
from .settings import Settings

_PROOF_SECONDS = 120.0  # for the first beat of a replication that has just been started


class Directions:
    """Both directions: the one that a move follows, and the one by which it can be taken back.

    Args:
        forward: from source to target.
        settings: how far the other side may be behind, and how long a pause may last.
    """

    def __init__(self, forward: Engine, settings: Settings) -> None:
        self._settings = settings
        self._engines: dict[Side, Engine] = {"source": forward, "target": forward.reverse()}

    def ahead(self, way: Way) -> Engine:
        """Return what brings the changes of the old writer to the new one."""
        return self._engines[way.old]

    def back(self, way: Way) -> Engine:
        """Return what brings the changes of the new writer to the old one."""
        return self._engines[way.new]

    def lag(self, way: Way) -> float | None:
        """Return the seconds that the new writer is behind; None where a beat of the old one does not arrive."""
        try:
            lag = self.ahead(way).lag(self._settings.lag)
        except ReplicationError:
            return None
        return lag.seconds if lag.arrived else None

    def check(self, way: Way) -> Evidence:
        """Make sure that the new writer is loaded, and follows the old one closely.

        Raises:
            NotReady: it is not, or does not.
        """
        engine = self.ahead(way)
        progress = engine.progress()
        if not progress.loaded or progress.state != "replicating":
            problems = " ".join(progress.problems) or "It has to be loaded and running."
            raise NotReady(
                f"replication from the {way.old} to the {way.new} is {progress.state}: {problems}",
                "paymig replicate status says more",
            )
        lag = engine.lag(self._settings.lag)
        if not lag.arrived:
            raise NotReady(
                f"the {way.new} is more than {self._settings.lag:g} s behind the {way.old}",
                "wait until it has caught up: paymig replicate status shows it",
            )
        return {"lag": round(lag.seconds, 4)}

    def prepare(self, way: Way) -> None:
        """Prepare the way back; where it may work already, have it prove that it does before the pause."""
        back = self.back(way)
        back.prepare()
        if back.told_apart:
            if back.progress().state == "paused":
                back.resume()
            back.marker(self._settings.pause_budget)

    def drain(self, way: Way, pause: Pause) -> Evidence:
        """Wait until everything that the old writer has committed is on the new one, proved by a beat that arrives."""
        return _arrived(self.ahead(way).marker(pause.left))

    def turn(self, way: Way, pause: Pause) -> Evidence:
        """Have what the new writer will write replicated to the old one, and prove it by a beat that arrives.

        An engine that takes minutes to start keeps its place in the new writer's log instead. From there on nothing is
        lost that is written, and replication starts when writes are open again.
        """
        back = self.back(way)
        if not back.quick:
            back.position(pause.left)
            return {"replication": f"kept its place on the {way.new}, from which it starts after the pause"}
        if not back.told_apart:
            # What the old writer sent here must not be sent back to it: that part of the log is passed over.
            self.ahead(way).pause()
            back.position()
            back.resume()
        arrived = _arrived(back.marker(pause.left))
        return {**arrived, "identity": back.identity().to_json()}

    def turn_back(self, way: Way) -> Evidence:
        """Take `turn` back, whether it was done, begun, or not even that."""
        ahead, back = self.ahead(way), self.back(way)
        if not back.quick:
            back.retire()
            return {"replication": f"from the {way.old} goes on as before"}
        if back.told_apart or ahead.progress().state != "paused":
            return {"replication": "goes on as before"}
        back.pause()
        ahead.position()
        ahead.resume()
        return {"replication": f"from the {way.old} to the {way.new} again"}

    def settle(self, way: Way) -> Evidence:
        """Leave running what a completed move needs: the way back."""
        if not self.back(way).quick:
            return self._start_back(way)
        if self.back(way).told_apart:
            return {"replication": "goes on both ways, each passing its own changes only"}
        self.ahead(way).pause()
        return {"replication": f"from the {way.old} is paused"}

    def part(self) -> Evidence:
        """Pass no change any more after a loss was accepted: the sides differ until everything was loaded anew."""
        with suppress(psycopg2.OperationalError):
            self._engines["target"].retire()
        self._engines["source"].retire()
        return {"replication": "ended both ways"}

    def end(self) -> Evidence:
        """End replication both ways for good."""
        for engine in self._engines.values():
            engine.retire()
        return {"replication": "ended both ways"}

    def close(self) -> None:
        """Close the connections."""
        for engine in self._engines.values():
            engine.close()

    def _start_back(self, way: Way) -> Evidence:
        """End replication from the old writer, start it from the kept place, and prove it by a beat that arrives."""
        self.ahead(way).retire()
        back = self.back(way)
        try:
            back.start()
            arrived = _arrived(back.marker(_PROOF_SECONDS))
        except Broken as error:  # nothing mends it, and the move is over: what it means is said where it matters
            return {"replication": f"from the {way.new} to the {way.old} is broken: {error}"}
        return {"replication": f"from the {way.new} to the {way.old}", **arrived}


def _arrived(marker: Marker) -> Evidence:
    return {"beat": marker.beat, "arrived after": round(marker.seconds, 4)}
