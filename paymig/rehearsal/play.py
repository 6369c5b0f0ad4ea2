"""What the steps of a rehearsal act on: the stage, the load, and an operator who types."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from paymig.aws import weights
from paymig.aws.weights import Record, Weights
from paymig.deploy import record_of
from paymig.errors import PaymigError
from paymig.journal.opening import open_journal
from paymig.rehearsal.child import Child, child
from paymig.rehearsal.load.record import Outcome, read
from paymig.rehearsal.older import Older, fill
from paymig.rehearsal.operator import Operator, Typed
from paymig.rehearsal.options import Options
from paymig.rehearsal.proxy import Proxy, proxy
from paymig.rehearsal.stage import Stage
from schemas.load import Spec

HTTPS = 443
_CLIENTS, _OVERSTAYING, _TOO_LONG = 40, 0.1, 5.0
_THREADS = 16
_PATIENCE = 30.0
_DRAIN_SECONDS = 90.0
_WARM = 4


class BrokenPromise(PaymigError):
    """Something did not keep what a rehearsal must be able to rely on."""


@dataclass
class Now:
    """What the load looks like now; written by the thread that listens to it."""

    summaries: list[dict[str, Any]] = field(default_factory=list)
    last: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=6))


class Play:
    """One rehearsal that is going on.

    Args:
        spec: the operator's, or what a scenario made of it.
        stage: where.
        options: size and speed.
        workplace: the folder in which the operator types.
        hear: gets every line that a command prints.
        pulse: gets every summary of the load.
        faulty: whether a proxy stands between clients and the new API, for faults of the network.
    """

    def __init__(
        self,
        spec: Spec,
        stage: Stage,
        options: Options,
        workplace: Path,
        hear: Callable[[str], None],
        pulse: Callable[[dict[str, Any]], None],
        faulty: bool = False,
    ) -> None:
        self.spec = spec
        self.migration = spec.migration
        self.stage = stage
        self.options = options
        self.workplace = workplace
        self.now = Now()
        self.typed: list[Typed] = []
        self.operator = Operator(workplace, stage.embedded.environment(), hear)
        self.load_file = workplace.parent / "load.jsonl"
        self.older = Older({})
        self.comparison: dict[str, Any] | None = None
        self.replicating = False
        self.allowed: tuple[int, ...] = ()
        self.rival: Callable[..., None] | None = None
        self._network: Proxy | None = None
        self._pulse = pulse
        self.faulty = faulty
        self._load: Child | None = None

    @property
    def record(self) -> Record:
        """The weighted record."""
        return record_of(self.migration)

    @property
    def network(self) -> Proxy:
        """What lies between clients and the new API."""
        if self._network is None:
            raise AssertionError("the network is there while the load runs")
        return self._network

    @property
    def builtin(self) -> bool:
        """Whether clients know how to use this spec's API."""
        return self.migration.api.code == "builtin:payment_api"

    def type(self, command: str, *options: str, exits: Sequence[int] = (0,)) -> Typed:
        """Type a command.

        Raises:
            BrokenPromise: it ended with another code than one of `exits`, or of `allowed` where the step says so.
        """
        arguments = (*command.split(), self.spec.file, *options)
        other = threading.Thread(target=self.rival, args=arguments) if self.rival is not None else None
        if other is not None:
            other.start()
        done = self.operator.type(*arguments)
        if other is not None:
            other.join()
        self.typed.append(done)
        accepted = self.allowed or exits
        if done.exit_code not in accepted:
            wanted = " or ".join(str(code) for code in accepted)
            end = "\n".join(done.output.splitlines()[-12:])
            raise BrokenPromise(f"{done.command} ended with {done.exit_code}, not {wanted}:\n{end}")
        return done

    def weights(self) -> Weights:
        """Read the live weights; before there is a pair, everybody goes to the old side."""
        return weights.look(self.stage.aws, self.record) or Weights.to_new(0)

    def writer(self) -> str:
        """Read who the writer is."""
        return str(open_journal(self.stage.aws, self.migration.full_name).writer().side)

    def fill(self) -> None:
        """Put the older payments into the source."""
        connection = psycopg2.connect(self.stage.source_dsn)
        try:
            with connection, connection.cursor() as cursor:
                fill(cursor, self.options.rows)
                self.older = Older.read(cursor)
                cursor.execute("ANALYZE")
        finally:
            connection.close()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the old API serve and clients come, for as long as the block runs; an API of one's own has no clients."""
        if not self.builtin:
            self.load_file.touch()
            yield
            return
        logs = self.workplace.parent
        embedded = self.stage.embedded
        with ExitStack() as stack:
            old = stack.enter_context(
                child("paymig.rehearsal.old_api", {"dsn": self.stage.application_dsn}, logs, embedded.environment())
            )
            host, _, port = embedded.endpoint_url.removeprefix("http://").partition(":")
            if self.faulty:
                self._network = stack.enter_context(proxy(host, int(port), self.options.seed))
                port = str(self._network.port)
            address = f"127.0.0.1:{old.ready['port']}"
            order = {
                "rate": self.options.rate,
                "seed": self.options.seed,
                "clients": _CLIENTS,
                "ttl": self.options.ttl(self.migration.routing.ttl.total_seconds()),
                "overstaying": _OVERSTAYING,
                "too_long": _TOO_LONG,
                "patience": _PATIENCE,
                "threads": _THREADS,
                "file": str(self.load_file),
                "workload": None,
                "old": {"address": address, "host": address},
                "new": {"address": f"{host}:{port}", "host": ""},
                "route53": {
                    "region": self.migration.region,
                    "endpoint_url": embedded.endpoint_url,
                    "account": embedded.account_id,
                    "hosted_zone": self.record.hosted_zone,
                    "name": self.record.name,
                },
            }
            load = stack.enter_context(child("paymig.rehearsal.load", order, logs, embedded.environment()))
            self._load = load
            listener = threading.Thread(target=self._listen, args=(load,), daemon=True)
            listener.start()
            yield

    def open_new_api(self, host: str) -> None:
        """Tell clients the new API's name, once its execution environments are warm, as provisioned ones are."""
        if not self.builtin:
            return
        with ThreadPoolExecutor(_WARM) as pool:
            answers = list(pool.map(lambda _: self._health(host), range(_WARM)))
        if any(status != 200 for status in answers):
            raise BrokenPromise(f"GET /health answered {answers}")
        self._tell(f"new {host}:{HTTPS}")

    def _health(self, host: str) -> int:
        with self.stage.embedded.alb_request("GET", host, "/health", port=HTTPS) as response:
            response.read()
            return int(response.status)

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
        return list(read(self.load_file))

    def bake(self, seconds: float) -> None:
        """Let time pass while clients come and go."""
        time.sleep(seconds)

    def _tell(self, line: str) -> None:
        if self._load is not None:
            self._load.tell(line)

    def _listen(self, load: Child) -> None:
        for summary in load.heard():
            self.now.summaries.append(summary)
            self.now.last.append(summary)
            self._pulse(summary)
