"""What all tests share."""

from hypothesis import HealthCheck, settings

from tests.profiles import CAMPAIGN, PROFILE

settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
# The same examples for the same code: a failure is about the change. `campaign` is the one that explores.
settings.register_profile("ci", parent=settings.get_profile("default"), max_examples=25, derandomize=True)
settings.register_profile("campaign", parent=settings.get_profile("default"), max_examples=CAMPAIGN)
settings.load_profile(PROFILE)
