"""The servers of a rehearsal are the spec's where the machine has them, and it is said where they are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymig.embedded.postgres import majors
from paymig.rehearsal.stage import open_stage
from paymig.rehearsal.versions import choose, remarks
from schemas.load import parse
from tests.paymig.paying import SPECS, execute

HERE = [16, 18, 15]


@pytest.mark.parametrize(
    ("wanted", "source", "target"),
    [
        ("16.9", 16, 16),
        ("18.3", 16, 18),
        ("17.5", 16, 18),  # the nearest newer one
        ("15.13", 15, 15),  # never older than the source, so the source is older than it would be else
        ("13.9", 15, 15),
        ("19.1", 16, 18),  # the newest there is
    ],
)
def test_the_target_has_the_spec_s_version_or_the_nearest_newer_one(wanted, source, target):
    assert choose(wanted, HERE) == (source, target)


@given(st.integers(10, 20), st.lists(st.integers(10, 20), min_size=1, unique=True))
def test_the_target_is_never_older_than_the_source(wanted, installed):
    source, target = choose(f"{wanted}.1", installed)
    assert source <= target
    assert {source, target} <= {*installed}
    assert target == wanted or wanted not in installed


def test_what_is_not_the_spec_s_is_said():
    [source] = remarks("16.9", "15.14", "16.9")
    assert source == "The source is PostgreSQL 15.14 here; the spec does not say what runs on premises."
    assert remarks("16.9", "16.14", "16.14")[1] == "The target is PostgreSQL 16.14 here and 16.9 in the spec."
    assert remarks("17.5", "16.14", "18.4")[1].endswith("18.4 here and 17.5 in the spec: this machine has no 17.")


@pytest.mark.parametrize("wanted", ["15.13", "16.9", "18.3"])
def test_both_servers_run_what_was_chosen(wanted):
    if (major := int(wanted[:2])) not in majors():
        pytest.skip(f"no PostgreSQL {major} on this machine")
    text = (SPECS / "payments.yaml").read_text().replace('"16.9"', f'"{wanted}"')
    with open_stage(parse(text, "payments.yaml", SPECS).migration) as stage:
        found = [
            int(execute(dsn, "SHOW server_version_num")[0][0]) // 10000 for dsn in (stage.source_dsn, stage.target_dsn)
        ]
    assert found == [*choose(wanted, majors())]
    assert found[1] == major
