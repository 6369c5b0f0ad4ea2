"""Percentiles of measured values."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` percent of the values do not exceed (nearest rank); 0 of none.

    Args:
        ordered: values, the smallest first.
        share: more than 0, up to 100.
    """
    if not ordered:
        return 0.0
    return ordered[max(0, ceil(len(ordered) * share / 100) - 1)]
