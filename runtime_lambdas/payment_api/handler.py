"""Entry point of the payments API: from a load balancer's event to a response, whatever happens on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

from psycopg2.extensions import cursor

from runtime_lambdas.runtime import log, writer
from runtime_lambdas.runtime.at_writer import Paused, Unreachable, at_writer

from .ledger import KeyReused, find, find_by_key, pay
from .order import Invalid, read_key, read_order, read_refund
from .refunds import NoSuchPayment, TooMuch, find_refund, refund
from .web import Problem, Request, read_event, read_json, respond, respond_problem

Response = dict[str, Any]
Result = TypeVar("Result")

_RETRY = {"Retry-After": "1"}


def handler(event: Mapping[str, Any], context: object) -> Response:
    """Answer one request of the load balancer; failures become responses, so a client always gets an explanation."""
    started = time.monotonic()
    try:
        response = _route(read_event(event))
    except Problem as problem:
        response = respond_problem(problem)
    except Exception as error:
        log.error("request.failed", error, request_id=getattr(context, "aws_request_id", None))
        detail = "The payment system failed. Repeat the request with the same Idempotency-Key."
        response = respond_problem(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail))
    log.info(
        "request.answered",
        request_id=getattr(context, "aws_request_id", None),
        method=event.get("httpMethod"),
        route="/" + event.get("path", "").lstrip("/").partition("/")[0],  # no more: a path may carry a card number
        status=response["statusCode"],
        milliseconds=round((time.monotonic() - started) * 1000, 1),
    )
    return response


def _route(request: Request) -> Response:
    allowed: Mapping[str, Callable[[Request], Response]]
    match request.path.split("/")[1:]:
        case ["payments"]:
            allowed = {"POST": _pay}
        case ["payments", name]:
            allowed = {"GET": partial(_show, name)}
        case ["payments", name, "refunds"]:
            allowed = {"POST": partial(_refund, name)}
        case ["health"]:
            allowed = {"GET": _health}
        case _:
            detail = "There is POST /payments, GET /payments/{id}, POST /payments/{id}/refunds and GET /health."
            raise Problem(HTTPStatus.NOT_FOUND, detail)
    if request.method not in allowed:
        methods = ", ".join(allowed)
        raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, f"Use {methods} here.", {"Allow": methods})
    return allowed[request.method](request)


def _pay(request: Request) -> Response:
    try:
        key = read_key(request.headers.get("idempotency-key"))
        order = read_order(read_json(request))
    except Invalid as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error)) from None
    try:
        payment, made = _at_the_writer(
            lambda running: pay(running, key, order), lambda running: find_by_key(running, key, order)
        )
    except KeyReused:
        detail = "This Idempotency-Key was used for a different payment. Use a new key for a new payment."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
    status = HTTPStatus.CREATED if made else HTTPStatus.OK
    return respond(status, payment.as_json(), {"Location": f"/payments/{payment.id}"})


def _refund(name: str, request: Request) -> Response:
    payment = _id(name)
    try:
        key = read_key(request.headers.get("idempotency-key"))
        order = read_refund(read_json(request))
    except Invalid as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error)) from None
    try:
        refunded, made = _at_the_writer(
            lambda running: refund(running, payment, key, order),
            lambda running: find_refund(running, payment, key, order),
        )
    except NoSuchPayment:
        raise _unknown() from None
    except KeyReused:
        detail = "This Idempotency-Key was used for a different refund. Use a new key for a new refund."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
    except TooMuch as error:
        detail = f"Of this payment, {error.left} can still be refunded."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
    return respond(HTTPStatus.CREATED if made else HTTPStatus.OK, refunded.as_json())


def _show(name: str, _: Request) -> Response:
    wanted = _id(name)
    payment = _at_the_writer(lambda running: find(running, wanted))
    if payment is None:
        raise _unknown()
    return respond(HTTPStatus.OK, payment.as_json())


def _id(name: str) -> UUID:
    try:
        wanted = UUID(name)
    except ValueError:
        raise _unknown() from None
    if str(wanted) != name.lower():  # UUID() takes other ways of writing one, and a resource has one name
        raise _unknown()
    return wanted


def _unknown() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "There is no payment with this id.")


def _health(_: Request) -> Response:
    _at_the_writer(lambda running: running.execute("SELECT 1"))
    now = writer.current()
    return respond(HTTPStatus.OK, {"status": "ok", "writer": now.side, "epoch": now.epoch})


def _at_the_writer(work: Callable[[cursor], Result], settle: Callable[[cursor], Result | None] | None = None) -> Result:
    """Run `work` in a transaction of the database that accepts writes; being unable to is a 503, worth a retry."""
    try:
        return at_writer(work, settle=settle)
    except Paused:
        detail = "Payments are paused for a moment. Repeat the request with the same Idempotency-Key."
    except Unreachable:
        detail = "The database can't be reached. Repeat the request with the same Idempotency-Key."
    raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, _RETRY)
