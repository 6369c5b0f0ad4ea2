"""One request of one client: sent, repeated under the same key until it is answered or patience ends."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.load.resolver import Api, Resolvers
from paymig.rehearsal.workload import Request

_TIMEOUT = 15.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_WORTH_A_RETRY = frozenset({0, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Endpoint:
    """Where an API is: an address, and the name that clients ask for."""

    address: str
    host: str


class Sender:
    """Sends requests over kept connections; one thread has one.

    Args:
        endpoints: of both APIs.
        resolvers: tell which of them a client uses.
        patience: seconds after which a client gives up.
        stopped: tells that nobody waits any more.
    """

    def __init__(
        self, endpoints: Mapping[Api, Endpoint], resolvers: Resolvers, patience: float, stopped: Callable[[], bool]
    ) -> None:
        self._endpoints = endpoints
        self._resolvers = resolvers
        self._patience = patience
        self._stopped = stopped
        self._kept: dict[Api, http.client.HTTPConnection] = {}

    def send(self, request: Request, client: int, planned: float) -> tuple[Outcome, dict[str, Any] | None]:
        """Send a request until it is answered; return what became of it, and the JSON of a success."""
        sent = time.time()
        errors: list[str] = []
        pause, uncertain = _FIRST_PAUSE, False
        while True:
            api = self._resolvers.resolve(client, time.time())
            status, answer, why = self._try(api, request)
            if 200 <= status < 300:
                return self._outcome(request, planned, sent, errors, api, status), answer
            errors.append(f"{api} {status}")
            # Without an answer, or with one that speaks of an accident, the write may have been made all the same.
            uncertain = uncertain or status in (0, 500, 502, 503, 504)
            self._resolvers.failed(client)
            over = time.time() - sent > self._patience or self._stopped()
            if status not in _WORTH_A_RETRY or over:
                failed = self._outcome(request, planned, sent, errors, api, status, uncertain and request.writes, why)
                return failed, None
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    @staticmethod
    def _outcome(
        request: Request,
        planned: float,
        sent: float,
        errors: Sequence[str],
        api: Api,
        status: int,
        uncertain: bool = False,
        why: str = "",
    ) -> Outcome:
        ok = 200 <= status < 300
        attempts = len(errors) + ok
        return Outcome(
            request, planned, sent, time.time(), attempts, api, status, ok, uncertain, why, errors=tuple(errors)
        )

    def _try(self, api: Api, request: Request) -> tuple[int, dict[str, Any] | None, str]:
        where = self._endpoints[api]
        connection = self._kept.get(api) or http.client.HTTPConnection(where.address, timeout=_TIMEOUT)
        self._kept[api] = connection
        headers = {"Host": where.host, "Content-Type": "application/json"}
        if request.key is not None:
            headers["Idempotency-Key"] = request.key
        try:
            connection.request(request.method, request.path, request.body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            del self._kept[api]
            return 0, None, f"{type(error).__name__}: {error}"
        if response.will_close:
            connection.close()
            del self._kept[api]
        answer = None
        with suppress(ValueError):
            answer = json.loads(content)
        if 200 <= response.status < 300 and not isinstance(answer, dict):
            return 502, None, f"{response.status} without a JSON object"
        return response.status, answer, "" if response.status < 300 else content[:200].decode(errors="replace")
