"""The typed scalars as the models declare them: how each is read, and what an editor is told of it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from schemas import units


def _written(
    parse: Callable[[object], object], pattern: str, examples: list[str]
) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(parse), WithJsonSchema({"type": "string", "pattern": pattern, "examples": examples})


Duration = Annotated[timedelta, *_written(units.parse_duration, f"^{units.DURATION.pattern}$", ["30s", "5m", "1h30m"])]
"""A `timedelta`, written `30s`, `5m`, `1h30m`, `35d`, `800ms`."""

Size = Annotated[int, *_written(units.parse_size, f"^{units.SIZE.pattern}$", ["512MiB", "100GiB"])]
"""Bytes, written `512MiB`, `100GiB`."""

Percentage = Annotated[Decimal, *_written(units.parse_percentage, f"^{units.PERCENTAGE.pattern}$", ["10%", "0.5%"])]
"""A `Decimal` from 0 to 100, written `10%`, `0.5%`."""

Cidr = Annotated[
    IPv4Network, *_written(units.parse_network, r"^[0-9.]+/[0-9]{1,2}$", ["10.20.0.0/16", "192.168.0.0/16"])
]
"""An IPv4 network, written `10.20.0.0/16`, without host bits."""

IpAddress = Annotated[IPv4Address, *_written(units.parse_address, r"^[0-9.]+$", ["198.51.100.10"])]
"""An IPv4 address."""
