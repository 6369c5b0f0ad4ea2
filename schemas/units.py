"""The typed scalars of a spec: durations, sizes, percentages, addresses.

Each is written as text with its unit (`30m`, `100GiB`, `1%`) and never as a bare
number, so that no reader has to guess whether `30` means seconds or days.
"""

import re
from datetime import timedelta
from decimal import Decimal
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from pydantic_core import PydanticCustomError

_DURATION_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZE_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}

DURATION = re.compile(r"(?:[0-9]+(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")
SIZE = re.compile(r"([0-9]+)(B|KiB|MiB|GiB|TiB)")
PERCENTAGE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)%")

# Ten years: longer spans are a typing slip, and timedelta would overflow on the absurd ones.
_LONGEST = timedelta(days=3653)


def parse_duration(value: object) -> timedelta:
    """Read `30s`, `5m`, `1h30m`, `35d` or `800ms`.

    Raises:
        PydanticCustomError: the value is no text, has no unit, or an unknown one.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not DURATION.fullmatch(value):
        raise PydanticCustomError("duration", "a duration is a whole number with a unit, such as 30s, 5m, 1h30m or 35d")
    milliseconds = sum(int(n) * _DURATION_UNITS[unit] for n, unit in _DURATION_PART.findall(value))
    if milliseconds > _LONGEST / timedelta(milliseconds=1):
        raise PydanticCustomError("duration", "a duration may not exceed ten years")
    return timedelta(milliseconds=milliseconds)


def format_duration(value: timedelta) -> str:
    """Write a duration in its largest exact units: 5400 s is `1h30m`."""
    rest = value // timedelta(milliseconds=1)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _DURATION_UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_size(value: object) -> int:
    """Read `512MiB` or `100GiB` as bytes.

    Raises:
        PydanticCustomError: the value is no text, has no unit, or an unknown one.
    """
    match = SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("size", "a size is a whole number with a unit, such as 512MiB or 100GiB")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def format_size(value: int) -> str:
    """Write bytes in the largest unit that divides them."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value and value % _SIZE_UNITS[unit] == 0:
            return f"{value // _SIZE_UNITS[unit]}{unit}"
    return f"{value}B"


def parse_percentage(value: object) -> Decimal:
    """Read `10%` or `0.5%` as the number before the sign, 0 to 100.

    Raises:
        PydanticCustomError: the value is no text, lacks the sign, or is above 100.
    """
    if isinstance(value, Decimal):
        return value
    match = PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    if match is None or Decimal(match[1]) > 100:
        raise PydanticCustomError(
            "percentage", "a percentage is a number from 0 to 100 with its sign, such as 10% or 0.5%"
        )
    return Decimal(match[1])


def format_percentage(value: Decimal) -> str:
    """Write a percentage without trailing zeros: `0.5%`, `10%`."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def parse_network(value: object) -> IPv4Network:
    """Read `10.20.0.0/16`.

    Raises:
        PydanticCustomError: the value is no text, no IPv4 network, or has bits outside its mask.
    """
    if isinstance(value, IPv4Network):
        return value
    try:
        if isinstance(value, str) and "/" in value:
            return IPv4Network(value)
    except (AddressValueError, NetmaskValueError) as error:
        raise PydanticCustomError("cidr", "not an IPv4 network: {why}", {"why": str(error)}) from error
    except ValueError as error:  # host bits set
        raise PydanticCustomError(
            "cidr",
            "the address has bits outside its mask; the network is {network}",
            {"network": str(IPv4Network(value, strict=False))},
        ) from error
    raise PydanticCustomError("cidr", "an IPv4 network is written as address/prefix, such as 10.20.0.0/16")


def parse_address(value: object) -> IPv4Address:
    """Read `198.51.100.10`.

    Raises:
        PydanticCustomError: the value is no text or no IPv4 address.
    """
    if isinstance(value, IPv4Address):
        return value
    try:
        if isinstance(value, str):
            return IPv4Address(value)
    except AddressValueError as error:
        raise PydanticCustomError("ip_address", "not an IPv4 address: {why}", {"why": str(error)}) from error
    raise PydanticCustomError("ip_address", "an IPv4 address is four numbers, such as 198.51.100.10")
