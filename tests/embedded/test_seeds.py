"""What a specification names by id exists before the first request."""

import json
import re

import pytest

from paymig.embedded.process import EmbeddedAws
from paymig.embedded.seed import DatabaseEndpoint, HostedZone, Secret, Seed
from tests.embedded.contract import CLUSTER, PROXY, att, ref, resource
from tests.embedded.stack import Stack

ARN = "arn:aws:secretsmanager:us-east-2:111122223333:secret:onprem/payments-AbCdEf"
SEED = Seed(
    hosted_zones=(HostedZone("Z0123456789ABCDEFGHIJ", "payments.example.com"),),
    transit_gateways=("tgw-0123456789abcdef0",),
    direct_connect_gateways=("11112222-3333-4444-5555-666677778888",),
    secrets=(Secret(ARN, {"username": "app", "password": "p"}),),
    database_endpoint=DatabaseEndpoint("127.0.0.1", 5433, "postgres", "superuser"),
)


@pytest.fixture(scope="module")
def seeded():
    with EmbeddedAws(region="us-east-2", seed=SEED) as running:
        yield running


def test_seeds_survive_their_file(tmp_path) -> None:
    (tmp_path / "seed.json").write_text(SEED.to_json())
    assert Seed.from_file(tmp_path / "seed.json") == SEED


@pytest.mark.parametrize("text", ["", "[]", '{"secrets": [{"name": "x"}]}', '{"transit_gateways": 5}'])
def test_a_file_that_is_no_seed_is_named(tmp_path, text: str) -> None:
    path = tmp_path / "seed.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        Seed.from_file(path)


def test_zone_by_id(seeded) -> None:
    zone = seeded.client("route53").get_hosted_zone(Id="Z0123456789ABCDEFGHIJ")["HostedZone"]
    assert zone["Name"] == "payments.example.com."


def test_secret_by_arn(seeded) -> None:
    found = seeded.client("secretsmanager").get_secret_value(SecretId=ARN)
    assert json.loads(found["SecretString"]) == {"username": "app", "password": "p"}
    assert found["ARN"] == ARN


def test_gateway_by_id(seeded) -> None:
    found = seeded.client("ec2").describe_transit_gateways(TransitGatewayIds=["tgw-0123456789abcdef0"])
    assert found["TransitGateways"][0]["State"] == "available"


def test_direct_connect_gateway_by_id(seeded) -> None:
    found = seeded.client("directconnect").describe_direct_connect_gateways()
    assert found["directConnectGateways"][0]["directConnectGatewayId"] == SEED.direct_connect_gateways[0]


def test_database_endpoints_are_the_real_server(seeded) -> None:
    instance = resource(
        "RDS::DBInstance",
        Engine="aurora-postgresql",
        DBInstanceClass="db.serverless",
        DBClusterIdentifier=ref("Cluster"),
    )
    stack = Stack(seeded, "databases")
    outputs = {
        "Cluster": att("Cluster", "Endpoint.Address"),
        "Port": att("Cluster", "Endpoint.Port"),
        "Reader": att("Cluster", "ReadEndpoint.Address"),
        "Instance": att("Instance", "Endpoint.Address"),
        "InstancePort": att("Instance", "Endpoint.Port"),
        "Proxy": att("Proxy", "Endpoint"),
        "Master": att("Cluster", "MasterUserSecret.SecretArn"),
    }
    assert stack.apply({**CLUSTER, **PROXY, "Instance": instance}, outputs) == "CREATE_COMPLETE", stack.failures()
    shown = stack.outputs
    master = seeded.client("secretsmanager").get_secret_value(SecretId=shown.pop("Master"))["SecretString"]
    assert json.loads(master) == {"username": "postgres", "password": "superuser"}
    assert shown == {
        "Cluster": "127.0.0.1",
        "Port": "5433",
        "Reader": "127.0.0.1",
        "Instance": "127.0.0.1",
        "InstancePort": "5433",
        "Proxy": "127.0.0.1",
    }
    cluster = seeded.client("rds").describe_db_clusters()["DBClusters"][0]
    assert (cluster["Endpoint"], cluster["Port"]) == ("127.0.0.1", 5433)
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
