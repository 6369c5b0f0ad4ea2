"""How many examples a test tries."""

import os

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
CAMPAIGN = 1000


def few(count: int) -> int:
    """A number for a test whose examples are slow; in a campaign it tries as many as every other."""
    return CAMPAIGN if PROFILE == "campaign" else count
