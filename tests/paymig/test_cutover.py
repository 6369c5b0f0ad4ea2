"""The road: what is ahead from wherever a migration stands, and walking it."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from compiler.compile import compile_spec
from paymig.cli import cli
from paymig.console import Console
from paymig.deploy import Deployer
from paymig.errors import Refused
from paymig.phase import Standing, standing, stopped
from paymig.rehearsal.stage import open_stage
from paymig.replication.run import LOADED
from paymig.replication.status import STARTED
from paymig.road import Leg, ahead
from runtime_lambdas.runtime.journal.control import FIRST, Writer
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.switchover.history import Attempt
from runtime_lambdas.switchover.phases import BACK, FORTH
from tests.paymig.operators import history, live

SHARES = [1, 10, 50, 100]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entry(verb, step, kind="done", **evidence) -> Entry:
    return Entry(1, NOW, "alice", verb, step, kind, "", evidence)


LOADING = [entry("replicate start", STARTED)]
FOLLOWING = [*LOADING, entry("replicate start", LOADED)]
CHECKED = [
    entry("switchover", "begin", "note"),
    entry("switchover", "check", "intent"),
    entry("switchover", "check", "failed"),
]
FENCED = [entry("switchover", "begin", "note"), entry("switchover", "fence", "intent")]
UNDOING = [*FENCED, entry("switchover", "undo", "intent"), entry("switchover", "undo fence")]
COMMITTED = [entry("switchover", "begin", "note"), *(entry("switchover", step) for step in FORTH.steps()[:-2])]
MOVED = [*COMMITTED, entry("switchover", "open"), entry("switchover", "retire")]
FENCED_BACK = [*MOVED, entry("switchback", "begin", "note"), entry("switchback", "fence", "intent")]
COMMITTED_BACK = [*MOVED, entry("switchback", "begin", "note"), *(entry("switchback", s) for s in BACK.steps()[:-2])]
TARGET = Writer("target", 1)
REST = [Leg("switchover"), Leg("finalize")]
SHIFTS = [Leg("shift", share) for share in SHARES]


@pytest.mark.parametrize(
    ("share", "writer", "entries", "phase", "legs"),
    [
        (None, FIRST, [], "absent", [Leg("deploy"), Leg("replicate"), *SHIFTS, *REST]),
        (0, FIRST, [], "provisioned", [Leg("replicate"), *SHIFTS, *REST]),
        (
            0,
            FIRST,
            [entry("replicate start", "prepare replication")],
            "provisioned",
            [Leg("replicate"), *SHIFTS, *REST],
        ),
        (0, FIRST, LOADING, "replicating", [Leg("replicate"), *SHIFTS, *REST]),
        (0, FIRST, FOLLOWING, "replicating", [*SHIFTS, *REST]),
        (
            0,
            FIRST,
            [*FOLLOWING, entry("replicate stop", "pause replication")],
            "provisioned",
            [Leg("replicate"), *SHIFTS, *REST],
        ),
        (10, FIRST, FOLLOWING, "shifting", [*SHIFTS[1:], *REST]),
        (100, FIRST, [*FOLLOWING, *CHECKED], "shifting", [SHIFTS[-1], *REST]),
        (100, FIRST, [*FOLLOWING, *FENCED], "switching", REST),
        (100, FIRST, [*FOLLOWING, *UNDOING], "switching", REST),
        (100, FIRST, [*FOLLOWING, *UNDOING, entry("switchover", "undo")], "shifting", [SHIFTS[-1], *REST]),
        (100, TARGET, [*FOLLOWING, *COMMITTED], "baking", REST),
        (100, TARGET, [*FOLLOWING, *MOVED], "baking", REST[1:]),
        (100, TARGET, [*FOLLOWING, *FENCED_BACK], "baking", [Leg("rollback")]),
        (100, Writer("source", 2), [*FOLLOWING, *COMMITTED_BACK], "switching", [Leg("rollback")]),
        (100, TARGET, [*MOVED, entry("finalize", "finalize", "intent")], "baking", REST[1:]),
        (100, TARGET, [*MOVED, entry("finalize", "finalize")], "finalized", []),
    ],
)
def test_the_journal_tells_the_phase_and_the_road(share, writer, entries, phase, legs):
    """The table of the phases, and what `cutover` makes of each."""
    now = standing(share, writer, entries)
    assert now.phase == phase
    assert ahead(now, SHARES) == legs


@pytest.mark.parametrize(("share", "legs"), [(100, REST[1:]), (0, REST)])
def test_a_traffic_that_has_not_followed_the_writer_is_not_forgotten(share, legs):
    """With `strategy: together`, which has no share of its own."""
    assert ahead(standing(share, TARGET, [*FOLLOWING, *MOVED]), []) == legs


@pytest.mark.parametrize(
    ("entries", "writer", "together", "apart"),
    [
        ([], FIRST, None, "writer to the source: .* until paymig rollback turns it"),
        (CHECKED, FIRST, None, "writer to the source: .* until paymig rollback turns it"),
        (
            FENCED,
            FIRST,
            *["a switchover stopped in the pause: .* until paymig switchover or paymig rollback undoes"] * 2,
        ),
        (COMMITTED, TARGET, *["a switchover stopped past its .* until paymig switchover completes it"] * 2),
        ([*COMMITTED, entry("switchover", "open")], TARGET, None, "to the target: .* until paymig switchover turns it"),
        (MOVED, TARGET, None, "writer to the target: .* until paymig switchover turns it"),
        (
            COMMITTED_BACK,
            Writer("source", 2),
            *["a switchback stopped past its .* until paymig rollback completes"] * 2,
        ),
    ],
)
def test_what_keeps_applications_from_writing_is_said_with_what_ends_it(entries, writer, together, apart):
    """`together`: with the traffic at the writer; `apart`: with the traffic at the other side."""
    at_the_writer = 100 if writer.side == "target" else 0
    for share, said in ((at_the_writer, together), (100 - at_the_writer, apart)):
        now = standing(share, writer, entries)
        found = stopped(now, "together")
        assert (found is None) == (said is None) and re.search(said or "", found or "")
        if found and "followed" in found:  # there the new API may write to the source, and no command turns the traffic
            found = found.replace("paymig switchover turns it", "paymig rollback moves the writer back")
            found = found if writer.side == "target" else None
        assert stopped(now, "compute-first") == found


@pytest.mark.parametrize("kind", ["intent", "done"])
def test_where_no_command_brings_traffic_and_writer_together_none_is_named(kind):
    now = standing(50, TARGET, [*MOVED, entry("finalize", "finalize", kind)])
    said = stopped(now, "compute-first")
    assert said is not None and said.endswith("no command does, now that the way back has ended")


def test_a_journal_that_contradicts_itself_is_no_ground_to_stand_on():
    with pytest.raises(Refused, match="contradicts itself"):
        standing(100, FIRST, FENCED[1:])


@given(
    st.builds(
        Standing,
        deployed=st.booleans(),
        share=st.sampled_from([0, 1, 10, 37, 50, 100]),
        writer=st.sampled_from([FIRST, Writer("target", 1)]),
        replicating=st.booleans(),
        loaded=st.booleans(),
        move=st.sampled_from([None, Attempt(FORTH), Attempt(BACK)]),
        finalized=st.booleans(),
    )
)
def test_the_road_never_leads_backwards(now):
    legs = ahead(now, SHARES)
    shares = [leg.share for leg in legs if leg.kind == "shift"]
    assert shares == sorted(set(shares)) and all(share >= now.share for share in shares)
    if now.deployed and now.writer.side == "target" and now.move is None:
        assert not {leg.kind for leg in legs} - {"finalize"}, "once the writer has moved, no weight moves"
    elif shares:
        assert shares[-1] == 100 and legs.index(Leg("switchover")) > legs.index(Leg("shift", 100))


@pytest.fixture(scope="module")
def quick(spec):
    steps = [
        step.model_copy(update={"bake": timedelta(0), "approval": "none"}) for step in spec.migration.cutover.steps
    ]
    steps[-1] = steps[-1].model_copy(update={"approval": "required"})
    cutover = spec.migration.cutover.model_copy(update={"steps": steps})
    return replace(spec, migration=spec.migration.model_copy(update={"cutover": cutover}))


def test_it_walks_the_steps_stops_at_the_approval_and_goes_on(quick, monkeypatch):
    from paymig.operation import Operation

    monkeypatch.setattr(Operation, "spec", quick)
    monkeypatch.setattr(
        "paymig.road.ahead", lambda *given: [leg for leg in ahead(*given) if leg.kind in ("shift", "finalize")]
    )
    with open_stage(quick.migration) as stage:

        def type_(*arguments: str):
            options = ["--endpoint-url", stage.embedded.endpoint_url]
            obj = {"judge": lambda _: ()}
            environment = stage.embedded.environment()
            return CliRunner().invoke(cli, [*arguments, quick.file, *options], env=environment, obj=obj)

        Deployer(stage.aws, quick, compile_spec(quick), Console()).run(yes=True)
        planned = type_("cutover", "--plan").stdout
        assert "is provisioned" in planned and "paymig shift --to 50%" in planned and "paymig finalize" in planned
        stopped = type_("cutover", "--yes")
        assert getattr(stopped.exception, "exit_code", None) == 4, stopped.output
        assert live(stage, quick).new == 50
        assert type_("approve", "--step", "100%", "--yes").exit_code == 0
        done = type_("cutover", "--yes")
        assert done.exit_code == 0, done.output
        assert live(stage, quick).new == 100
        assert [e for e in history(stage.aws, quick) if e[2] == "done" and e[0] == "shift"] == [
            ("shift", "move the traffic", "done")
        ] * 4
