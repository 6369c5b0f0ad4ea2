"""Servers that stay up, and a migration between two of them for each test."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from paymig.embedded.postgres import Postgres
from tests.runtime_lambdas.replication.pair import PAIRS, SETTINGS, Pair


@contextmanager
def _server(major: int) -> Iterator[Postgres]:
    with Postgres.start(major, SETTINGS) as server:
        yield server


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[int, Postgres]]:
    with _server(15) as fifteen, _server(16) as sixteen, _server(18) as eighteen:
        yield {15: fifteen, 16: sixteen, 18: eighteen}


@pytest.fixture(params=PAIRS.values(), ids=PAIRS.keys())
def pair(request, servers) -> Iterator[Pair]:
    """A migration between each pair of versions."""
    older, newer = request.param
    made = Pair(servers[older], servers[newer])
    yield made
    made.end()


@pytest.fixture
def modern(servers) -> Iterator[Pair]:
    """A migration between servers that tell origins apart."""
    made = Pair(servers[16], servers[18])
    yield made
    made.end()
