"""What all tests share."""

import pytest
from hypothesis import HealthCheck, settings

from tests.profiles import CAMPAIGN, PROFILE

settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
# The same examples for the same code: a failure is about the change. `campaign` is the one that explores.
settings.register_profile("ci", parent=settings.get_profile("default"), max_examples=25, derandomize=True)
settings.register_profile("campaign", parent=settings.get_profile("default"), max_examples=CAMPAIGN)
settings.load_profile(PROFILE)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "campaign: every call of every command fails in every way; takes long")
    config.addinivalue_line("markers", "long: of a file that takes minutes; it runs first")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave campaigns out unless asked for by `-m`; begin with what takes longest, so that no worker ends alone."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if "campaign" in config.getoption("markexpr"):
        return
    left_out = [item for item in items if item.get_closest_marker("campaign")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
