"""Servers of two versions, and a pair of databases on them."""

from collections.abc import Iterator

import pytest

from paymig.embedded.postgres import VOLATILE, Postgres
from tests.paymig.preflight.pairs import BASE, Pair, fresh, run


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Postgres]]:
    with Postgres.start(16, VOLATILE) as source, Postgres.start(18, VOLATILE) as target:
        for server in (source, target):
            server.create_role("mover", "secret", "REPLICATION")
            server.create_role("app", "secret")
            server.create_database("base", owner="mover")
            run(server, "base", "GRANT pg_create_subscription TO mover")
            run(server, "base", "GRANT ALL ON SCHEMA public TO mover, app", f"SET ROLE mover; {BASE}")
        yield {"source": source, "target": target}


@pytest.fixture
def pair(servers) -> Pair:
    return Pair(servers, fresh("payments"))
