"""The clients of a rehearsal and the old API they begin with: processes of their own, for as long as a block runs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paymig.aws.weights import Record
from paymig.rehearsal.child import Child, child
from paymig.rehearsal.load.record import Outcome, read
from paymig.rehearsal.options import Options
from paymig.rehearsal.proxy import Proxy, proxy
from paymig.rehearsal.stage import Stage
from schemas.migration import Migration

_CLIENTS, _OVERSTAYING, _TOO_LONG = 40, 0.1, 5.0
_THREADS = 16
_PATIENCE = 30.0
_DRAIN_SECONDS = 90.0


@dataclass
class Clients:
    """Everybody who pays.

    Attributes:
        file: where each request's outcome is written.
        pulse: gets every summary of the load.
        faulty: whether a proxy stands between clients and the new API, for faults of the network.
        workload: the file that says what they do; None for the built-in one.
        old_api: the file that answers for the API of today; None for the built-in one.
        summaries: what the load looked like, about every half second; written by the thread that listens to it.
    """

    file: Path
    pulse: Callable[[dict[str, Any]], None]
    faulty: bool
    workload: Path | None = None
    old_api: Path | None = None
    summaries: list[dict[str, Any]] = field(default_factory=list)
    last: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=6))
    _load: Child | None = None
    _network: Proxy | None = None

    @property
    def network(self) -> Proxy:
        """What lies between clients and the new API."""
        if self._network is None:
            raise AssertionError("the network is there while the load runs")
        return self._network

    @contextmanager
    def coming(self, stage: Stage, migration: Migration, record: Record, options: Options) -> Iterator[None]:
        """Let the old API serve and clients come, for as long as the block runs."""
        logs, environment = self.file.parent, stage.embedded.environment()
        with ExitStack() as stack:
            answering = {"dsn": stage.application_dsn, "file": self.old_api and str(self.old_api)}
            old = stack.enter_context(child("paymig.rehearsal.old_api", answering, logs, environment))
            host, _, port = stage.embedded.endpoint_url.removeprefix("http://").partition(":")
            if self.faulty:
                self._network = stack.enter_context(proxy(host, int(port), options.seed))
                port = str(self._network.port)
            address = f"127.0.0.1:{old.ready['port']}"
            order = {
                "rate": options.rate,
                "seed": options.seed,
                "clients": _CLIENTS,
                "ttl": options.ttl(migration.routing.ttl.total_seconds()),
                "overstaying": _OVERSTAYING,
                "too_long": _TOO_LONG,
                "patience": _PATIENCE,
                "threads": _THREADS,
                "file": str(self.file),
                "workload": None if self.workload is None else str(self.workload),
                "old": {"address": address, "host": address},
                "new": {"address": f"{host}:{port}", "host": ""},
                "route53": {
                    "region": migration.region,
                    "endpoint_url": stage.embedded.endpoint_url,
                    "account": stage.embedded.account_id,
                    "hosted_zone": record.hosted_zone,
                    "name": record.name,
                },
            }
            self._load = stack.enter_context(child("paymig.rehearsal.load", order, logs, environment))
            threading.Thread(target=self._listen, args=(self._load,), daemon=True).start()
            yield

    def learn(self, name: str) -> None:
        """Tell clients the new API's name."""
        self._tell(f"new {name}")

    def drain(self) -> None:
        """Send nothing new, and wait for the answers that are due.

        Raises:
            EmbeddedError: the load did not end.
        """
        if self._load is not None:
            self._tell("drain")
            self._load.wait(_DRAIN_SECONDS)

    def outcomes(self) -> list[Outcome]:
        """Return what became of each request so far."""
        return list(read(self.file))

    def _tell(self, line: str) -> None:
        if self._load is not None:
            self._load.tell(line)

    def _listen(self, load: Child) -> None:
        for summary in load.heard():
            self.summaries.append(summary)
            self.last.append(summary)
            self.pulse(summary)
