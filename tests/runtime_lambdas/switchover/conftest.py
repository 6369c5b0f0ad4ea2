"""Two servers with replication between them, a journal, and operators who move the writer."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from paymig.embedded.postgres import Postgres
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


def make_stage(servers, aws, older: int, newer: int) -> Iterator[Stage]:
    pair = Pair(servers[older], servers[newer])
    stage = Stage(pair, aws)
    yield stage
    stage.close()
    pair.end()


@pytest.fixture
def stage(servers, aws) -> Iterator[Stage]:
    yield from make_stage(servers, aws, 16, 18)


@pytest.fixture(params=[(16, 18), (15, 18)], ids=["16-18", "15-18"])
def any_stage(request, servers, aws) -> Iterator[Stage]:
    yield from make_stage(servers, aws, *request.param)
