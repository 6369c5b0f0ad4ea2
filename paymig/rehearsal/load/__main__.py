"""The load's process: an open loop of requests, a line for each in a file, and a summary every half second."""

from __future__ import annotations

import queue
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

from paymig.aws import weights
from paymig.aws.session import Aws
from paymig.aws.weights import Record
from paymig.rehearsal.child import orders, say
from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.load.resolver import Api, Resolvers
from paymig.rehearsal.load.sender import Endpoint, Sender
from paymig.rehearsal.load.summary import Summary
from paymig.rehearsal.workload import Workload, open_workload

_ASK_ROUTE53 = 0.25
_SUMMARY = 0.5
_SWITCH = 0.001  # threads that wait for a socket get their turn sooner than Python's 5 ms
_DRAIN = 60.0


class Load:
    """Everything one load needs.

    Args:
        order: rate (a second), seed, clients, ttl, overstaying, too_long, patience, threads, file, workload, old and
            new ({address, host}), route53 ({region, endpoint_url, account, hosted_zone, name}).
    """

    def __init__(self, order: dict[str, Any], workload: Workload) -> None:
        self._random = Random(order["seed"])  # noqa: S311 - a plan that can be repeated, no secret
        self._rate = float(order["rate"])
        self._workload = workload
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[float | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._leaving = threading.Event()
        self._resolvers = Resolvers(
            order["clients"],
            order["ttl"],
            order["overstaying"],
            order["too_long"],
            Random(order["seed"] + 1),  # noqa: S311
        )
        self._endpoints: dict[Api, Endpoint] = {"old": Endpoint(**order["old"]), "new": Endpoint(**order["new"])}
        self._patience = float(order["patience"])
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(order["threads"])]
        self._file = Path(order["file"]).open("a", buffering=1)  # noqa: SIM115 - closed by `run`
        self._summary = Summary()
        where = order["route53"]
        self._record = Record(where["hosted_zone"], where["name"])
        self._aws = Aws(where["region"], endpoint_url=where["endpoint_url"], credentials=(where["account"], "embedded"))

    def hear(self, line: str) -> None:
        """Obey a line: `rate N` from now on, `new HOST` is the new API's name, or `drain`: send nothing new and end."""
        word, _, value = line.partition(" ")
        match word:
            case "drain":
                self._closing.set()
            case "rate":
                self._rate = float(value)
            case "new":
                self._endpoints["new"] = Endpoint(self._endpoints["new"].address, value)

    def run(self) -> None:
        """Send until told to drain, then wait for what is under way."""
        self._ask()
        threading.Thread(target=self._resolve, daemon=True).start()
        threading.Thread(target=self._report, daemon=True).start()
        for thread in self._threads:
            thread.start()
        say({"ready": True})
        self._plan()
        for _ in self._threads:
            self._waiting.put(None)
        deadline = time.monotonic() + _DRAIN
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._leaving.set()
        say(self._summary.take(self._waiting.qsize(), self._resolvers.weights))
        self._file.close()

    def _plan(self) -> None:
        """Put each request's planned time into the queue when it has come; arrivals are independent of answers."""
        planned = time.time()
        while not self._closing.is_set():
            planned += self._random.expovariate(max(self._rate, 0.01))
            if self._closing.wait(max(0.0, planned - time.time())):
                return
            self._waiting.put(planned)

    def _work(self) -> None:
        sender = Sender(self._endpoints, self._resolvers, self._patience, self._leaving.is_set)
        while (planned := self._waiting.get()) is not None:
            with self._lock:
                request = self._workload.next(self._random)
            outcome, answer = sender.send(request, self._resolvers.some_client(), planned)
            complaint = None
            with self._lock:
                if answer is not None:
                    complaint = self._workload.answered(request, answer)
                self._write(outcome, answer if request.writes else None, complaint)

    def _write(self, outcome: Outcome, answer: dict[str, Any] | None, complaint: str | None) -> None:
        full = Outcome(**{**vars(outcome), "answer": answer, "why": complaint or outcome.why})
        self._file.write(full.to_line() + "\n")
        self._summary.add(full)

    def _resolve(self) -> None:
        while not self._leaving.wait(_ASK_ROUTE53):
            self._ask()

    def _ask(self) -> None:
        try:
            live = weights.look(self._aws, self._record)
        except Exception:  # a name server that is out of reach leaves resolvers with what they have
            return
        if live is not None:
            self._resolvers.publish(live.old, live.new)

    def _report(self) -> None:
        while not self._leaving.wait(_SUMMARY):
            say(self._summary.take(self._waiting.qsize(), self._resolvers.weights))


def main() -> None:
    """Run the load that standard input describes."""
    sys.setswitchinterval(_SWITCH)
    started: list[Load] = []
    order = orders(lambda line: started[0].hear(line))
    started.append(Load(order, open_workload(order["workload"] and Path(order["workload"]))))
    started[0].run()


if __name__ == "__main__":
    main()
