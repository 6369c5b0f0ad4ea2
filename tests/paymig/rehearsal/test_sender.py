"""A request is repeated under its key until it succeeds, and what each attempt met is kept."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest

from paymig.rehearsal.load.record import Outcome
from paymig.rehearsal.load.resolver import Resolvers
from paymig.rehearsal.load.sender import Endpoint, Sender
from paymig.rehearsal.measure import errors
from paymig.rehearsal.workload import Request

PAY = Request("payment", "POST", "/payments", "{}", "the key", {})
GONE = "127.0.0.1:9"


@contextmanager
def api(*statuses):
    """An API that answers with these statuses, one after the other; 0 closes the connection without an answer."""
    left, keys = list(statuses), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            if status := left.pop(0):
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", keys
        server.shutdown()


def send(address, patience=60.0):
    resolvers = Resolvers(1, 60.0, 0.0, 1.0, Random(1))
    endpoints = {"old": Endpoint(address, address), "new": Endpoint(GONE, GONE)}
    return Sender(endpoints, resolvers, patience, lambda: False).send(PAY, 0, 0.0)


def test_it_is_repeated_under_the_same_key_and_told_what_it_met():
    with api(503, 0, 500, 201) as (address, keys):
        outcome, answer = send(address)
    assert (outcome.ok, outcome.attempts, answer) == (True, 4, {})
    assert outcome.errors == ("old 503", "old 0", "old 500")
    assert keys == ["the key"] * 4
    assert errors([outcome, Outcome.from_line(outcome.to_line())]) == {"old 503": 2, "old 0": 2, "old 500": 2}


@pytest.mark.parametrize(("status", "uncertain"), [(503, True), (404, False)])
def test_one_that_gives_up_says_whether_the_write_may_have_been_made(status, uncertain):
    with api(status) as (address, _):
        outcome, answer = send(address, patience=0.0)
    assert (outcome.ok, outcome.attempts, answer) == (False, 1, None)
    assert (outcome.uncertain, outcome.errors) == (uncertain, (f"old {status}",))
