"""Which of many failures is the cause."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from paymig.aws.events import Event, root_cause
from paymig.aws.stack import NESTED

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(second: int, status: str, reason: str = "", kind: str = "AWS::RDS::DBCluster", component: str = "Database"):
    return Event(str(second), component, "R", "p", kind, status, reason, START + timedelta(seconds=second))


CAUSE = event(5, "CREATE_FAILED", "quota exceeded")
NOISE = st.one_of(
    st.builds(event, st.integers(0, 9), st.sampled_from(["CREATE_COMPLETE", "ROLLBACK_IN_PROGRESS"])),
    st.builds(event, st.integers(0, 9), st.just("CREATE_FAILED"), st.just("Resource creation cancelled")),
    st.builds(event, st.integers(0, 9), st.just("CREATE_FAILED"), st.just("Embedded stack"), st.just(NESTED)),
    st.builds(event, st.integers(6, 9), st.just("DELETE_FAILED"), st.just("later")),
)


@given(st.lists(NOISE), st.data())
def test_the_first_own_failure_is_the_cause(noise, data):
    events = data.draw(st.permutations([*noise, CAUSE]))
    assert root_cause(events) == CAUSE


def test_a_nested_stack_is_the_cause_where_nothing_else_failed():
    nested = event(3, "CREATE_FAILED", "Embedded stack ...", NESTED, component="")
    assert root_cause([nested, event(1, "CREATE_COMPLETE")]) == nested
    assert root_cause([event(1, "CREATE_COMPLETE")]) is None
