"""A journal's table in an embedded AWS, and operators of it."""

import uuid

import pytest

from paymig.aws.session import Aws
from paymig.embedded.process import EmbeddedAws
from runtime_lambdas.runtime.journal.journal import Journal

NAME = "journal"


@pytest.fixture(scope="session")
def embedded():
    with EmbeddedAws(region="us-east-2") as running:
        running.client("dynamodb").create_table(
            TableName=NAME,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("migration", "item")],
            KeySchema=[
                {"AttributeName": "migration", "KeyType": "HASH"},
                {"AttributeName": "item", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield running


@pytest.fixture
def operator(embedded):
    """Make operators of one new migration; each has an AWS session of its own, at `journal.aws`."""
    migration = f"m-{uuid.uuid4().hex[:12]}"

    def make(name: str) -> Journal:
        aws = Aws("us-east-2", endpoint_url=embedded.endpoint_url, credentials=(embedded.account_id, "x"))
        journal = Journal(aws.client("dynamodb"), NAME, migration, f"arn:aws:iam::111122223333:user/{name}")
        journal.aws = aws
        return journal

    return make
