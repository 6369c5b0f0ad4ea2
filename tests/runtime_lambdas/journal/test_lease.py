"""The lease as a decision: never two holders, and a token that only grows."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runtime_lambdas.runtime.journal import lease as leases
from runtime_lambdas.runtime.journal.lease import Lease
from runtime_lambdas.runtime.journal.place import Place

START = datetime(2026, 1, 1, tzinfo=UTC)
LIFE = timedelta(seconds=60)

ACTS = st.tuples(
    st.sampled_from(["acquire", "take over", "renew", "release", "break"]),
    st.sampled_from(["alice", "bob", "carol"]),
    st.integers(0, 90),
    st.booleans(),
)


@given(st.lists(ACTS, max_size=40))
def test_one_holder_at_a_time_and_a_token_that_grows(acts):
    """The table's row and what each operator believes, with the condition that every write has."""
    row: Lease | None = None
    believed: dict[str, Lease] = {}
    acquired: list[int] = []
    now = START
    for number, (act, who, seconds, gone) in enumerate(acts):
        now += timedelta(seconds=seconds)
        mine = believed.get(who)
        valid = row is not None and mine is not None and (row.token, row.id) == (mine.token, mine.id)
        if act in ("acquire", "take over"):
            free = leases.available(row, now, gone)
            if row is not None and row.held and not gone and row.expires > now:
                assert not free
            if free or act == "take over":
                row = leases.successor(row, f"{who}-{number}", who, Place("host", "", 1), "shift", now, LIFE)
                believed[who] = row
                acquired.append(row.token)
                assert row.expires > now
        elif act == "break" and row is not None and row.held:
            row = leases.broken(row)
        elif valid and row is not None:
            row = leases.renewed(row, now, LIFE) if act == "renew" else leases.released(row)
            believed[who] = row
        holders = [w for w, b in believed.items() if row and row.held and (b.token, b.id) == (row.token, row.id)]
        assert len(holders) <= 1
    assert acquired == sorted(set(acquired))


@given(
    st.builds(
        Lease,
        token=st.integers(1, 10**9),
        id=st.text(),
        holder=st.text(),
        place=st.builds(Place, st.text(), st.text(), st.integers(1, 10**7)),
        verb=st.text(),
        since=st.datetimes(timezones=st.just(UTC)),
        expires=st.datetimes(timezones=st.just(UTC)),
    )
)
def test_a_lease_survives_the_table(lease):
    assert leases.from_item(leases.to_item(lease)) == lease
