"""Clients that resolve the weighted record as resolvers do: each keeps its answer, and some keep it too long."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from random import Random
from typing import Literal

Api = Literal["old", "new"]


@dataclass
class _Kept:
    api: Api
    until: float


class Resolvers:
    """Many clients, each with the answer it got last.

    Args:
        clients: how many.
        ttl: seconds for which an answer may be kept.
        overstaying: the share of clients that keep it `too_long` times as long, whatever happens.
        too_long: how many times.
        random: decides as Route 53 does, in proportion to the weights.
    """

    def __init__(self, clients: int, ttl: float, overstaying: float, too_long: float, random: Random) -> None:
        self._ttl = ttl
        self._too_long = too_long
        self._random = random
        self._kept: list[_Kept | None] = [None] * clients
        self._stubborn = [number < clients * overstaying for number in range(clients)]
        self._weights = (100, 0)
        self._lock = threading.Lock()

    def publish(self, old: int, new: int) -> None:
        """Take the weights that Route 53 has now."""
        with self._lock:
            self._weights = (old, new)

    @property
    def weights(self) -> tuple[int, int]:
        """Old and new, as they were published last."""
        return self._weights

    def some_client(self) -> int:
        """Choose a client."""
        with self._lock:
            return self._random.randrange(len(self._kept))

    def resolve(self, client: int, now: float) -> Api:
        """Return where a client sends a request: where it sent the last one, for as long as it keeps the answer."""
        with self._lock:
            kept = self._kept[client]
            if kept is None or kept.until <= now:
                age = self._ttl * (self._too_long if self._stubborn[client] else 1)
                # A first answer is half spent on average: clients do not all resolve at the same moment.
                kept = _Kept(self._draw(), now + age * (self._random.random() if kept is None else 1))
                self._kept[client] = kept
            return kept.api

    def failed(self, client: int) -> None:
        """A request of the client failed: it asks again, unless it is one that overstays."""
        with self._lock:
            if not self._stubborn[client]:
                self._kept[client] = None

    def _draw(self) -> Api:
        old, new = self._weights
        if old + new == 0:
            return "new" if self._random.random() < 0.5 else "old"  # as Route 53 treats a pair of zeros
        return "new" if self._random.random() * (old + new) < new else "old"
