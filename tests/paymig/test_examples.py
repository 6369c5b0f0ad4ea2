"""Every example spec, deployed to the embedded AWS, answering requests, and deleted again."""

import json

import psycopg2
import pytest

from compiler.compile import compile_spec
from paymig.aws import stack, weights
from paymig.console import Console
from paymig.deploy import Deployer, record_of
from paymig.destroy import destroy
from paymig.plan import against_deployed
from paymig.rehearsal.stage import open_stage
from paymig.status import look
from schemas.load import load
from tests.examples import EXAMPLES, SPECS
from tests.paymig.operators import shift


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_deploys_serves_and_goes(name: str) -> None:
    spec = load(SPECS / f"{name}.yaml")
    migration = spec.migration
    with open_stage(migration) as stage:
        deployer = Deployer(stage.aws, spec, compile_spec(spec), Console())
        done = deployer.run(yes=True)
        assert done.outcome == "created"
        assert look(stage.aws, migration).healthy
        host = done.outputs["LoadBalancerDnsName"]
        assert json.loads(stage.embedded.alb_request("GET", host, "/health", port=443).read())["writer"] == "source"
        assert against_deployed(stage.aws, deployer.compiled).changes == ()
        assert deployer.run(yes=True).outcome == "unchanged"
        share = int(migration.cutover.steps[0].to)
        if migration.cutover.steps[0].approval == "none":
            shift(stage.aws, spec, share)
            assert weights.read(stage.aws, record_of(migration)) == weights.Weights.to_new(share)
        if name == "own-api":
            check_statements(stage, host)
        if name == "together":
            check_host_names(stage, migration, done.outputs["LoadBalancerDnsName"])
        shift(stage.aws, spec, 0)
        assert destroy(stage.aws, migration, Console(), yes=True)
        assert stack.describe(stage.aws, migration.full_name) is None


def check_statements(stage, host: str) -> None:
    """The zip file of one's own runs, and reads what is in the source."""
    connection = psycopg2.connect(stage.source_dsn)
    with connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
            " VALUES (%s, '', 'acme', %s, 'EUR', 'captured')",
            [("a", 1250), ("b", 750)],
        )
    connection.close()
    response = stage.embedded.alb_request("GET", host, "/statements/acme", port=443)
    assert json.loads(response.read()) == {
        "merchant": "acme",
        "totals": [{"currency": "EUR", "payments": 2, "amount": 2000}],
    }
    routed = stage.embedded.alb_request("GET", host, "/exports/acme", port=443)
    assert routed.read() == b"currency,payments,amount\r\nEUR,2,2000\r\n", "a route's function answers its paths"


def check_host_names(stage, migration, dns_name: str) -> None:
    """Both records are CNAMEs: one of the old API, one of the load balancer."""
    found = stage.aws.client("route53").list_resource_record_sets(HostedZoneId=migration.routing.hosted_zone)
    pair = {one["SetIdentifier"]: one for one in found["ResourceRecordSets"] if "SetIdentifier" in one}
    values = {side: (one["Type"], one["ResourceRecords"][0]["Value"]) for side, one in pair.items()}
    assert values == {"old": ("CNAME", "legacy-api.example.com"), "new": ("CNAME", dns_name)}
