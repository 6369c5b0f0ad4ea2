"""Clients of the payments API, and the API itself: the real handler, in a process of its own, given events.

Each client pays, and refunds every tenth payment, one request after the other. A request that is told to come again
does so under its key until its outcome is known, and every answer is kept before the next request is made.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from runtime_lambdas.payment_api.handler import handler
from runtime_lambdas.runtime import writer
from tests.runtime_lambdas.replication.pair import until

ROOT = Path(__file__).parents[3]
_REFUND_EVERY = 10

_FOUND = """
SELECT 'payments', idempotency_key, id::text FROM payments WHERE idempotency_key = ANY (%s)
UNION ALL SELECT 'refunds', idempotency_key, id::text FROM refunds WHERE idempotency_key = ANY (%s)
"""
_UNBALANCED = """
SELECT p.idempotency_key, lines.count, lines.sum FROM payments p CROSS JOIN LATERAL (
    SELECT count(*), sum(t.amount) FROM transactions t WHERE t.payment_id = p.id
) lines CROSS JOIN LATERAL (SELECT count(*) FROM refunds r WHERE r.payment_id = p.id) refunds
WHERE p.idempotency_key = ANY (%s) AND (lines.count <> 2 * (1 + refunds.count) OR lines.sum <> 0)
"""


class Answer(NamedTuple):
    """What the API answered to one request; `began` and `ended` by the machine's monotonic clock."""

    client: int
    table: str
    key: str
    id: str | None
    status: int
    retry_after: str | None
    began: float
    ended: float

    @property
    def done(self) -> bool:
        """Whether the payment or refund is there, as far as its client knows."""
        return self.status in (200, 201)

    @property
    def clean(self) -> bool:
        """Whether the client knows what to do: it is done, or to be asked for again."""
        return self.done or (self.status == 503 and self.retry_after is not None)


class Api:
    """The process, for one stage after the other: to start it takes half a second."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
        )

    def begin(self, order: dict) -> None:
        """Let the clients begin."""
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Let them complete what they began, and end."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "ended\n"

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Clients:
    """The clients, from outside.

    Args:
        stage: whose API it is.
        number: of clients.
        pause: seconds between a client's requests.
        budget: seconds that the API holds a request while writes are refused.
        api: the process; its own without one.

    Attributes:
        promised: of every request that was acknowledged: its table and key, and the id that the client was told.
        refused: requests that were told to come again.
        failures: answers that tell a client nothing.
        gaps: seconds between two acknowledged requests of one client.
    """

    def __init__(
        self, stage, number: int = 2, pause: float = 0.002, budget: float = 10.0, api: Api | None = None
    ) -> None:
        self.promised: dict[tuple[str, str], str] = {}
        self.refused = 0
        self.failures: list[Answer] = []
        self.gaps: list[float] = []
        self._stage = stage
        self._order = {"number": number, "pause": pause, "budget": budget}
        self._latest: dict[int, float] = {}
        self._unproved: list[tuple[str, str]] = []
        self._given, self._stack = api, ExitStack()

    def __enter__(self):
        self._file = self._stack.enter_context(tempfile.NamedTemporaryFile(prefix="paymig-answers-"))
        self._api = self._given or self._stack.enter_context(Api())
        environment = self._stage.api_environment() | {"PAYMIG_PAUSE_BUDGET": str(self._order.pop("budget"))}
        self._api.begin({**self._order, "environment": environment, "file": self._file.name})
        self.served()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            self._api.end()
            self.read()

    def served(self, seconds: float = 60.0) -> None:
        """Wait until somebody is served whose request began after this call."""
        asked = time.monotonic()

        def seen() -> bool:
            assert self._api.alive
            return any(answer.done and answer.began > asked for answer in self.read())

        until(seen, seconds)

    def read(self) -> list[Answer]:
        """Take in the answers since the last call."""
        found, line = [], b""
        while (line := self._file.readline()).endswith(b"\n"):
            answer = Answer(*json.loads(line))
            found.append(answer)
            if answer.done:
                self.promised[answer.table, answer.key] = answer.id
                self._unproved.append((answer.table, answer.key))
                self.gaps.append(answer.ended - self._latest.get(answer.client, answer.ended))
                self._latest[answer.client] = answer.ended
            elif answer.clean:
                self.refused += 1
            else:
                self.failures.append(answer)
        self._file.seek(-len(line), os.SEEK_CUR)  # a line that was half written
        return found

    def prove(self, side: str, everything: bool = True) -> None:
        """Look acknowledged requests up at the writer: each there once, as it was told, with its lines in balance.

        Args:
            side: the writer.
            everything: look all of them up, or those alone that no earlier call has.
        """
        if not self._file.closed:
            self.read()
        base = getattr(self._stage.pair, side)
        wanted = list(self.promised) if everything else self._unproved
        self._unproved = []
        keys = [key for _, key in wanted]
        found = sorted(base.run(_FOUND, keys, keys))
        assert found == sorted((table, key, self.promised[table, key]) for table, key in wanted)
        assert base.run(_UNBALANCED, keys) == []
        assert self.failures == []


def main() -> None:
    """Be the clients of one stage after the other: a line of standard input begins, an empty one ends."""
    told = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the API logs every request
    for line in sys.stdin:
        order = json.loads(line)
        os.environ.update(order["environment"])
        writer.forget()
        answers = os.open(order["file"], os.O_WRONLY | os.O_APPEND)
        ended = threading.Event()
        threads = [
            threading.Thread(target=_live, args=(client, order["pause"], answers, ended))
            for client in range(order["number"])
        ]
        for thread in threads:
            thread.start()
        if not sys.stdin.readline():
            os._exit(1)  # who began this is gone
        ended.set()
        for thread in threads:
            thread.join()
        os.close(answers)
        print("ended", file=told, flush=True)


def _live(client: int, pause: float, answers: int, ended: threading.Event) -> None:
    made, latest = 0, ""
    while not ended.is_set():
        if latest and made % _REFUND_EVERY == 0:
            _insist(client, answers, "refunds", f"/payments/{latest}/refunds", {"amount": 100})
            latest = ""
        else:
            order = {"amount": 1250, "currency": "EUR", "merchant": f"shop {client}"}
            latest = _insist(client, answers, "payments", "/payments", order)
            made += 1
        time.sleep(pause)


def _insist(client: int, answers: int, table: str, path: str, body: dict) -> str:
    """Send a request until it is answered with more than "come again"; return the id of what was made."""
    key = str(uuid.uuid4())
    event = {"httpMethod": "POST", "path": path, "headers": {"Idempotency-Key": key}, "body": json.dumps(body)}
    while True:
        began = time.monotonic()
        response = handler(event, None)
        status, again = response["statusCode"], response["headers"].get("Retry-After")
        id_ = json.loads(response["body"]).get("id")
        answer = Answer(client, table, key, id_, status, again, began, time.monotonic())
        os.write(answers, json.dumps(answer).encode() + b"\n")  # in one piece, whoever else writes
        if status != 503:
            return id_ or ""
        time.sleep(0.05)


if __name__ == "__main__":
    main()
