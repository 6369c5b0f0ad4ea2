"""Telling a row that differs from one that replication has not brought yet, while both sides are in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from .canonical import Key
from .lag import Proof, Wait
from .rows import Version

Read = Callable[[Sequence[Key]], Mapping[Key, Version]]
"""Reads rows as they are now; what does not exist is left out."""

_LOOKS: Mapping[Proof, int] = {"caught up": 2, "unknown": 3}


class Pair(NamedTuple):
    """A row on both sides; None where it does not exist."""

    leader: Version | None
    follower: Version | None


class Settled(NamedTuple):
    """What became of the suspects; those that are in neither are the same on both sides.

    Attributes:
        different: Rows that stood still on the leader and were not the same on the follower all the same.
        unsettled: Rows that nobody can tell about: they kept changing, or replication did not arrive.
        proof: What the last wait proved.
    """

    different: dict[Key, Pair]
    unsettled: list[Key]
    proof: Proof


def settle(suspects: Iterable[Key], leader: Read, follower: Read, wait: Wait, until: float) -> Settled:
    """Look at rows again until each is known to be the same or different, or the time is over.

    In one look the leader is read, then everything committed until then is waited for, then the follower is read, then
    the leader again. The follower's row is right when it equals one of the leader's two. It is wrong only if the
    leader's row was not written in between, its transaction included, in so many looks running.

    Args:
        suspects: Keys of rows.
        leader: Reads the side that is written to.
        follower: Reads the side that replication writes to.
        wait: Waits for what was committed on the leader.
        until: When to give up, as `time.monotonic` counts; one look is always taken.
    """
    open_ones = list(suspects)
    looks = dict.fromkeys(open_ones, 0)
    different: dict[Key, Pair] = {}
    proof: Proof = "unknown"
    while open_ones:
        before = leader(open_ones)
        proof = wait()
        there = follower(open_ones)
        after = leader(open_ones)
        left = []
        for key in _one_for_each_row(open_ones, before, there):
            first, found, last = before.get(key), there.get(key), after.get(key)
            if _content(found) in (_content(first), _content(last)):
                continue
            if first != last:
                looks[key] = 0  # it was written meanwhile
            elif proof in _LOOKS:
                looks[key] += 1
                if looks[key] >= _LOOKS[proof]:
                    different[key] = Pair(last, found)
                    continue
            left.append(key)
        open_ones = left
        if time.monotonic() >= until:
            break
    return Settled(different, open_ones, proof)


def _one_for_each_row(
    keys: Iterable[Key], leader: Mapping[Key, Version], follower: Mapping[Key, Version]
) -> Iterable[Key]:
    """Leave out keys that name a row which another one names, on both sides: 1.0 and 1.00 are two texts and one key.

    The leader's own text is the one that stays.
    """
    named: dict[tuple[Key | None, Key | None], Key] = {}
    for key in keys:
        own, other = (found[key].key if key in found else None for found in (leader, follower))
        row = (key, key) if own is None and other is None else (own, other)
        if row not in named or key == own:
            named[row] = key
    return named.values()


def _content(version: Version | None) -> bytes | int | None:
    return None if version is None else version.content
