"""The system that runs today: the same API as an ordinary server in front of the source, which knows no other database.

A process of its own, as the data centre's would be; a spec may name a file with another. It does not look for the
writer and holds nothing: once the source is fenced it answers 503, which is what stragglers of the DNS get.
"""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import connection, cursor

from paymig.rehearsal.child import orders, say
from paymig.rehearsal.own import class_of
from runtime_lambdas.payment_api import ledger, refunds
from runtime_lambdas.payment_api.order import Invalid, read_key, read_order, read_refund

Answer = tuple[HTTPStatus, dict[str, Any]]

_LONGEST = 16 * 1024


class Api(Protocol):
    """What a file for `rehearsal.old_api` has as its class `OldApi`."""

    def __init__(self, dsn: str) -> None:
        """Get the application's login to the source; every thread of the server calls the one that is made."""
        ...

    def answer(self, method: str, path: str, key: str | None, body: bytes) -> tuple[int, dict[str, Any]]:
        """Answer one request with a status and JSON; `key` is its idempotency key."""
        ...


class OldApi:
    """Answers requests out of one database.

    Args:
        dsn: the application's login to it.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._kept = threading.local()

    def answer(self, method: str, path: str, key: str | None, body: bytes) -> Answer:
        """Answer one request; whatever goes wrong becomes a status."""
        try:
            with self._transaction() as running:
                return self._route(running, method, path, key, body)
        except Invalid as error:
            return _problem(HTTPStatus.BAD_REQUEST, str(error))
        except ValueError:
            return _problem(HTTPStatus.BAD_REQUEST, "The path or the body is not valid.")
        except refunds.NoSuchPayment:
            return _problem(HTTPStatus.NOT_FOUND, "There is no such payment.")
        except (ledger.KeyReused, refunds.TooMuch) as error:
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"Refused: {type(error).__name__} {error}")
        except errors.InsufficientPrivilege:
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "The database does not accept writes.")
        except psycopg2.Error as error:
            self._forget()
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, f"The database failed: {type(error).__name__}.")

    def _route(self, running: cursor, method: str, path: str, key: str | None, body: bytes) -> Answer:
        match method, path.split("/")[1:]:
            case "POST", ["payments"]:
                payment, made = ledger.pay(running, read_key(key), read_order(json.loads(body)))
                return (HTTPStatus.CREATED if made else HTTPStatus.OK), payment.as_json()
            case "POST", ["payments", name, "refunds"]:
                order = read_refund(json.loads(body))
                refund, made = refunds.refund(running, UUID(name), read_key(key), order)
                return (HTTPStatus.CREATED if made else HTTPStatus.OK), refund.as_json()
            case "GET", ["payments", name]:
                found = ledger.find(running, UUID(name))
                if found is None:
                    return _problem(HTTPStatus.NOT_FOUND, "There is no such payment.")
                return HTTPStatus.OK, found.as_json()
            case "GET", ["health"]:
                running.execute("SELECT 1")
                return HTTPStatus.OK, {"status": "ok", "writer": "source", "epoch": 0}
        return _problem(HTTPStatus.NOT_FOUND, "There is no such resource.")

    def _transaction(self) -> _Transaction:
        if not hasattr(self._kept, "connection"):
            self._kept.connection = psycopg2.connect(
                self._dsn, application_name="old-api", connect_timeout=5, tcp_user_timeout=10_000
            )
        return _Transaction(self._kept.connection)

    def _forget(self) -> None:
        if hasattr(self._kept, "connection"):
            self._kept.connection.close()
            del self._kept.connection


class _Transaction:
    """One transaction of a kept connection, with its cursor."""

    def __init__(self, kept: connection) -> None:
        self._kept = kept

    def __enter__(self) -> cursor:
        self._cursor: cursor = self._kept.cursor()
        return self._cursor

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._cursor.close()
        if not self._kept.closed:
            if kind is None:
                self._kept.commit()
            else:
                self._kept.rollback()


def _problem(status: HTTPStatus, detail: str) -> Answer:
    return status, {"title": status.phrase, "status": int(status), "detail": detail}


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # one packet for head and body

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _LONGEST)))

        def _answer(self, body: bytes) -> None:
            status, content = api.answer(self.command, self.path, self.headers.get("Idempotency-Key"), body)
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serve until the rehearsal ends."""
    order = orders()
    api: type[Api] = OldApi if order["file"] is None else class_of(Path(order["file"]), "OldApi", ("answer",))
    with _Server(("127.0.0.1", 0), _handler(api(order["dsn"]))) as server:
        say({"port": server.server_port})
        server.serve_forever()


if __name__ == "__main__":
    main()
