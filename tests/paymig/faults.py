"""API calls that fail, one at a time: hooks of the AWS SDK around the real call to the embedded AWS."""

import os
import signal
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from paymig.aws.session import Aws

REPEATED = ("throttled", "broken", "lost", "late")
"""The SDK repeats the call. `lost` and `late`: it takes effect, but its answer does not arrive."""

MODES = (*REPEATED, "expired", "denied")

DEATHS = ("before", "after")
"""The process is killed right before a call is sent, or right after it took effect."""

_ANSWERS = {
    "throttled": (400, "Throttling", "ThrottlingException", "Rate exceeded"),
    "broken": (500, "InternalFailure", "InternalServerError", "An internal error occurred"),
    "expired": (400, "ExpiredToken", "ExpiredTokenException", "The security token included in the request is expired"),
    "denied": (403, "AccessDenied", "AccessDeniedException", "User is not authorized to perform this action"),
}


class Faults:
    """Counts the calls of an `Aws` and makes one of them fail."""

    def __init__(self, aws: Aws) -> None:
        self.calls: list[str] = []
        self._strike: tuple[int | None, str, Callable[[], object]] | None = None
        self._http = URLLib3Session()
        make: Callable[[str], Any] = aws.client
        hooked: dict[str, Any] = {}

        def client(service: str) -> Any:
            if service not in hooked:
                hooked[service] = make(service)
                hooked[service].meta.events.register("before-send", self._before_send)
            return hooked[service]

        aws.client = client

    def arm(self, index: int | None, mode: str, hit: Callable[[], object] = lambda: None) -> None:
        """Make call number `index`, counted from 0 from now on, fail once; call `hit` right before.

        Without an index every call fails once: the first of each two that are sent, since it is repeated.
        """
        self.calls.clear()
        self._strike = (index, mode, hit)

    def disarm(self) -> None:
        self.calls.clear()
        self._strike = None

    def _before_send(self, request: Any, event_name: str, **_: Any) -> Any:
        index = len(self.calls)
        self.calls.append(event_name.partition(".")[2])
        if self._strike is None:
            return None
        at, mode, hit = self._strike
        if index % 2 if at is None else index != at:
            return None
        hit()
        if mode == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if mode in _ANSWERS:
            return _answer(request, event_name, *_ANSWERS[mode])
        self._http.send(request)
        if mode == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "lost":
            raise ConnectionClosedError(endpoint_url=request.url)
        raise ReadTimeoutError(endpoint_url=request.url)


def _answer(request: Any, event_name: str, status: int, code: str, json_code: str, message: str) -> AWSResponse:
    if "dynamodb" in event_name:
        body = f'{{"__type": "{json_code}", "message": "{message}"}}'
    elif "s3" in event_name:
        if code == "Throttling":
            status, code = 503, "SlowDown"
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    else:
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            "<RequestId>r</RequestId></ErrorResponse>"
        )
    return AWSResponse(request.url, status, {}, _Body(b"" if request.method == "HEAD" else body.encode()))


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Any:
        yield self._content
