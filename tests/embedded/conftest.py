"""A running embedded AWS, and stacks that are gone when their test ends."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paymig.embedded.process import EmbeddedAws
from paymig.embedded.seed import HostedZone, Seed
from tests.embedded.stack import Stack

SEED = Seed(
    hosted_zones=(HostedZone("Z0123456789ABCDEFGHIJ", "payments.example.com"),),
    transit_gateways=("tgw-0123456789abcdef0",),
    direct_connect_gateways=("11112222-3333-4444-5555-666677778888",),
)


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(region="us-east-2", seed=SEED) as running:
        yield running


@pytest.fixture
def deploy(aws: EmbeddedAws) -> Iterator[Callable[..., Stack]]:
    """Deploy resources as a new stack; whatever is left of it is deleted afterwards."""
    stacks: list[Stack] = []

    def run(resources: dict[str, Any], **outputs: Any) -> Stack:
        stack = Stack(aws, f"s{uuid.uuid4().hex[:8]}")
        stacks.append(stack)
        stack.apply(resources, outputs)
        return stack

    yield run
    aws.faults()
    for stack in stacks:
        stack.delete()


@pytest.fixture
def put_template(aws: EmbeddedAws) -> Callable[[dict[str, Any]], str]:
    """Upload a child template; gives the URL a nested stack names."""
    s3 = aws.client("s3")
    bucket = f"templates-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})

    def put(template: dict[str, Any]) -> str:
        key = f"{uuid.uuid4().hex}.json"
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(template).encode())
        return f"https://s3.{aws.region}.amazonaws.com/{bucket}/{key}"

    return put
