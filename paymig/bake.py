"""Watching a share of the traffic for as long as the spec says, with every gate judged again and again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Group
from rich.live import Live
from rich.text import Text

from paymig.console import Console
from paymig.failures import from_botocore
from paymig.gates import show
from paymig.gates.evaluate import failed
from paymig.gates.gate import Gate, Position
from paymig.gates.judge import Judge
from schemas.units import format_duration

INTERVAL = 15.0
"""Seconds between two judgements: CloudWatch's values change once a minute."""

SHORTEST = 0.5
"""The same in a rehearsal, where time passes faster and everything shares a machine."""

BLIND = 120.0
"""Seconds for which the gates may be unreadable before that counts as a gate that failed."""

_TICK = 1.0


@dataclass(frozen=True)
class Bake:
    """One bake.

    Attributes:
        position: where the traffic is, and since when.
        judge: judges the gates.
        check: called before each judgement; raises when the traffic is not where it should be, or not ours to watch.
        speed: how much faster than as written time passes, for a rehearsal.
    """

    position: Position
    judge: Judge
    check: Callable[[], None]
    console: Console
    speed: float = 1.0

    def watch(self) -> tuple[Gate, ...]:
        """Watch until the time is over and every gate passes, or until one fails.

        Too small a sample does not pass: the bake goes on until there is enough.

        Returns:
            The gates as they were last judged.
        """
        readable = time.monotonic()
        with self._shown() as tell:
            while True:
                self.check()
                try:
                    gates = self.judge(self.position)
                    readable = time.monotonic()
                except (BotoCoreError, ClientError) as error:
                    if time.monotonic() - readable > BLIND / self.speed:
                        worded = from_botocore(error)
                        return (Gate("gates", f"unreadable: {worded.message if worded else error}", "readable", False),)
                    gates = ()
                if gates:
                    tell(gates)
                    if failed(gates) or all(gate.passed for gate in gates):
                        return gates
                self._rest(tell, gates)

    def left(self) -> timedelta:
        """How long the bake still takes."""
        since = self.position.since or datetime.now(UTC)
        return max(timedelta(0), since + self.position.bake - datetime.now(UTC))

    def _rest(self, tell: "Tell", gates: tuple[Gate, ...]) -> None:
        """Sleep until the next judgement, which is due when the bake is over, too."""
        left = self.left().total_seconds()
        rest = max(INTERVAL / self.speed, SHORTEST)
        ends = time.monotonic() + (min(rest, left) if left else rest)
        while (seconds := ends - time.monotonic()) > 0:
            time.sleep(min(_TICK, seconds))
            if gates and self.console.err.is_terminal:
                tell(gates)

    @contextmanager
    def _shown(self) -> Iterator["Tell"]:
        if self.console.err.is_terminal and not self.console.json:
            with Live(console=self.console.err, auto_refresh=False) as live:
                yield lambda gates: live.update(Group(show.table(gates), self._line(gates)), refresh=True)
        else:
            yield _Lines(self).tell

    def _line(self, gates: tuple[Gate, ...]) -> Text:
        left = format_duration(timedelta(seconds=int(self.left().total_seconds())))
        text = f"{left} left" if self.left() else "the time is over"
        waits = [f"{gate.name} ({gate.value})" for gate in gates if gate.waiting and gate.name != "bake"]
        waiting = f", waiting for {', '.join(waits)}" if waits else ""
        return Text(f"baking {self.position.share:g} %: {text}{waiting} (Ctrl-C is safe)")


Tell = Callable[[tuple[Gate, ...]], None]


class _Lines:
    """Plain lines, where there is no terminal: when a verdict changes, and once a minute; events to programs."""

    def __init__(self, bake: Bake) -> None:
        self._bake = bake
        self._said: tuple[object, int] | None = None

    def tell(self, gates: tuple[Gate, ...]) -> None:
        left = self._bake.left().total_seconds()
        self._bake.console.event({"event": "bake", "left": round(left, 1), "gates": [gate.to_json() for gate in gates]})
        verdicts = [(gate.name, gate.passed, gate.waiting) for gate in gates]
        now = (verdicts, int(left // 60))
        if now != self._said:
            self._said = now
            self._bake.console.say(self._bake._line(gates))
