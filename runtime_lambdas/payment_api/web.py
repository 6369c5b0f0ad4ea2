"""Requests and responses as an Application Load Balancer exchanges them with a function."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

MAX_BODY = 16 * 1024
"""Bytes; a payment takes a few hundred."""

_HEADERS = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Problem(Exception):
    """A request that gets an error response (RFC 9457): the status, what is wrong, and what to send instead."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


@dataclass(frozen=True)
class Request:
    """What a client sent; the names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def read_event(event: Mapping[str, Any]) -> Request:
    """Return the request in a load balancer's event.

    Raises:
        Problem: The body is too long or not what its encoding flag says.
    """
    body = (event.get("body") or "").encode("utf-8", "surrogatepass")
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error:
            raise Problem(HTTPStatus.BAD_REQUEST, "The body is marked as base64 and is not.") from None
    if len(body) > MAX_BODY:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is longer than {MAX_BODY} bytes.")
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    return Request(event["httpMethod"], event["path"], headers, body)


def read_json(request: Request) -> Any:
    """Return the JSON value in the body.

    Raises:
        Problem: It is not JSON, or not JSON that has one meaning (a repeated key, a number without a value).
    """
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send application/json, not {media_type!r}.")
    try:
        return json.loads(
            request.body.decode("utf-8"), object_pairs_hook=_without_repeats, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise Problem(HTTPStatus.BAD_REQUEST, "The body is nested too deeply.") from None
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body is not valid JSON: {error}.") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def respond(status: HTTPStatus, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the event that makes the load balancer answer with a JSON body."""
    return _response(status, body, {"Content-Type": "application/json", **(headers or {})})


def respond_problem(problem: Problem) -> dict[str, Any]:
    """Return the event for an error, as `application/problem+json`."""
    body = {"type": "about:blank", "title": problem.status.phrase, "status": problem.status, "detail": problem.detail}
    return _response(problem.status, body, {"Content-Type": "application/problem+json", **problem.headers})


def _response(status: HTTPStatus, body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "statusCode": int(status),
        "statusDescription": f"{status.value} {status.phrase}",
        "isBase64Encoded": False,
        "headers": {**_HEADERS, **headers},
        "body": json.dumps(body),
    }
