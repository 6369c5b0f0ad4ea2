"""AWS clients, made once and kept between invocations."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

# Short and few: a payment waits for these calls, so a lost packet must not cost it botocore's default of a minute.
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


@cache
def client(service: str) -> Any:
    """Return the client of a service, as "dynamodb"."""
    return boto3.session.Session().client(service, config=_CONFIG)  # type: ignore[call-overload]  # any service
