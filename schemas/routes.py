"""How a load balancer tells the routes of the API apart."""

import zlib
from functools import cache

_PRIORITIES = 50_000  # of a load balancer's rules, the least one first


def priority(name: str) -> int:
    """Return the priority of a route's rule.

    Routes do not overlap, so which comes first is all the same; but no two rules may have one priority, not even while
    an update adds a route between others. So it follows from the route's name alone.
    """
    return zlib.crc32(name.encode()) % _PRIORITIES + 1


@cache
def overlap(one: str, other: str) -> bool:
    """Whether some path fits both patterns; `*` stands for any characters, `?` for one."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and overlap(one[1:], other[1:])
