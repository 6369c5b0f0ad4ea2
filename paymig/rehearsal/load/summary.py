"""What the load looks like now: the requests since the last look."""

from __future__ import annotations

import threading
import time
from typing import Any

from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.percentiles import percentile


class Summary:
    """Counts outcomes, and gives the counts away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: list[Outcome] = []
        self._last_write = time.time()

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        with self._lock:
            self._since.append(outcome)
            if outcome.ok and outcome.request.writes:
                self._last_write = max(self._last_write, outcome.done)

    def take(self, waiting: int, weights: tuple[int, int]) -> dict[str, Any]:
        """Return the counts since the last call.

        Args:
            waiting: requests that are due and not sent.
            weights: old and new, as the clients know them.
        """
        with self._lock:
            since, self._since = self._since, []
            last_write = self._last_write
        latencies = sorted(outcome.latency for outcome in since if outcome.ok)
        return {
            "at": time.time(),
            "requests": len(since),
            "failed": sum(not outcome.ok for outcome in since),
            "retried": sum(outcome.attempts > 1 for outcome in since),
            "old": sum(outcome.side == "old" for outcome in since),
            "new": sum(outcome.side == "new" for outcome in since),
            "p50": percentile(latencies, 50),
            "p99": percentile(latencies, 99),
            "waiting": waiting,
            "weights": list(weights),
            "last_write": last_write,
        }
