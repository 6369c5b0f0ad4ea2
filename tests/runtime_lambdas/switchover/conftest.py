"""Two servers with replication between them, a journal, and operators who move the writer."""

from collections.abc import Iterator
from contextlib import ExitStack

import boto3
import pytest

from paymig.embedded.postgres import Postgres
from paymig.embedded.process import EmbeddedAws
from tests.runtime_lambdas.replication.pair import SETTINGS, Pair
from tests.runtime_lambdas.switchover.stage import Stage


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[int, Postgres]]:
    settings = {
        **SETTINGS,
        "max_prepared_transactions": "5",
        "max_wal_senders": "20",
        "max_logical_replication_workers": "20",
        "max_replication_slots": "20",
    }
    with ExitStack() as stack:
        yield {major: stack.enter_context(Postgres.start(major, settings)) for major in (15, 16, 18)}


@pytest.fixture(scope="session")
def dynamodb() -> Iterator:
    with EmbeddedAws() as running:
        variables = running.environment()
        yield lambda: boto3.client(
            "dynamodb",
            endpoint_url=running.endpoint_url,
            region_name=variables["AWS_DEFAULT_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )


def make_stage(servers, dynamodb, older: int, newer: int) -> Iterator[Stage]:
    pair = Pair(servers[older], servers[newer])
    stage = Stage(pair, dynamodb)
    yield stage
    stage.close()
    pair.end()


@pytest.fixture
def stage(servers, dynamodb) -> Iterator[Stage]:
    yield from make_stage(servers, dynamodb, 16, 18)


@pytest.fixture(params=[(16, 18), (15, 18)], ids=["16-18", "15-18"])
def any_stage(request, servers, dynamodb) -> Iterator[Stage]:
    yield from make_stage(servers, dynamodb, *request.param)
