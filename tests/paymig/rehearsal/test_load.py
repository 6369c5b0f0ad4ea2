"""The load's process follows the record's weights as resolvers do: after the TTL, and who overstays not even then."""

import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from paymig.aws.session import Aws
from paymig.aws.weights import Record, Weights, write
from paymig.embedded.process import EmbeddedAws
from paymig.embedded.seed import HostedZone, Seed
from paymig.rehearsal.child import child
from tests.paymig.operators import until

ZONE = HostedZone("Z0123456789ABCDEFGHIJ", "payments.example.com")
RECORD = Record(ZONE.id, f"api.{ZONE.name}")
OWN = Path(__file__).with_name("own")
FOR_EVER = 1e6
ENOUGH = 100
"""Requests: with so many, each of the eight clients has very likely sent one."""


@pytest.fixture
def embedded():
    with EmbeddedAws(region="us-east-2", seed=Seed(hosted_zones=(ZONE,))) as running:
        pair = [
            {"SetIdentifier": side, "Weight": weight, "TTL": 30, "ResourceRecords": [{"Value": address}]}
            for side, weight, address in (("old", 100, "198.51.100.10"), ("new", 0, "198.51.100.11"))
        ]
        changes = [
            {"Action": "CREATE", "ResourceRecordSet": {"Name": RECORD.name, "Type": "A", **record}} for record in pair
        ]
        running.client("route53").change_resource_record_sets(HostedZoneId=ZONE.id, ChangeBatch={"Changes": changes})
        yield running


@contextmanager
def api(side, served):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer waits for an acknowledgement of its head

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            served[side] += 1
            self.send_response(201)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"address": f"127.0.0.1:{server.server_port}", "host": side}
        server.shutdown()


@pytest.mark.parametrize(
    ("ttl", "overstaying", "follow"),
    [
        (0.2, 0.0, True),
        (FOR_EVER, 0.0, False),  # a cached answer is used until it is too old
        (0.2, 1.0, False),  # and by those who overstay far longer
    ],
)
def test_clients_follow_the_weights_when_what_they_keep_is_too_old(embedded, tmp_path, ttl, overstaying, follow):
    served, told = Counter(), []
    with ExitStack() as stack:
        order = {
            "rate": 200, "seed": 1, "clients": 8, "ttl": ttl, "overstaying": overstaying, "too_long": FOR_EVER,
            "patience": 30, "threads": 4, "file": str(tmp_path / "load.jsonl"), "workload": str(OWN / "load.py"),
            "old": stack.enter_context(api("old", served)),
            "new": stack.enter_context(api("new", served)),
            "route53": {
                "region": embedded.region, "endpoint_url": embedded.endpoint_url, "account": embedded.account_id,
                "hosted_zone": ZONE.id, "name": RECORD.name,
            },
        }  # fmt: skip
        load = stack.enter_context(child("paymig.rehearsal.load", order, tmp_path, embedded.environment()))
        listening = threading.Thread(target=lambda: told.extend(load.heard()), daemon=True)
        listening.start()
        until(lambda: served["old"] >= ENOUGH, "nobody pays")
        assert not served["new"]
        aws = Aws(embedded.region, endpoint_url=embedded.endpoint_url, credentials=(embedded.account_id, "embedded"))
        write(aws, RECORD, Weights.to_new(100))
        until(lambda: told[-1:] and told[-1]["weights"] == [0, 100], "the load does not look at the weights")
        before = Counter(served)
        until(lambda: served["new"] + served["old"] >= sum(before.values()) + 3 * ENOUGH, "nobody pays")
        load.tell("drain")
        load.wait(60)
    assert bool(served["new"]) == follow
    if follow:
        assert sum(told_["old"] for told_ in told[-2:]) == 0  # nobody is left at the old one
