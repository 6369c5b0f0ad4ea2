"""Approvals: bound to what was seen, by whom the spec says, for a day, for one step."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from compiler.compile import compile_spec
from paymig import approvals
from paymig.approvals import NotApproved
from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.commands.approve import command
from paymig.console import Console
from paymig.deploy import Deployer, record_of
from paymig.journal.opening import open_journal
from paymig.rehearsal.stage import open_stage
from runtime_lambdas.runtime.journal.approvals import STEP, VERB, Demand, judge
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.runtime.journal.journal import Journal
from tests.paymig.operators import BOB, another, live, shift

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALICE = "arn:aws:iam::111122223333:user/alice"


def entry(number=1, who=ALICE, step="100%", digest="d", left=timedelta(hours=1)) -> Entry:
    evidence = {"step": step, "digest": digest, "expires": (NOW + left).isoformat()}
    return Entry(number, NOW, who, VERB, STEP, "note", "", evidence)


def used(number: int) -> Entry:
    return Entry(99, NOW, BOB, "shift", "move the traffic", "done", "", {"approval": number})


@pytest.mark.parametrize(
    ("entries", "rule", "why"),
    [
        ([], "required", None),
        ([entry(step="50%")], "required", None),
        ([entry(digest="other")], "required", "another spec"),
        ([entry(left=timedelta(0))], "required", "has expired"),
        ([entry(), used(1)], "required", "was used already"),
        ([entry(who=BOB)], "second-person", "is your own"),
        ([entry(digest="other"), entry(2, who=BOB)], "second-person", "is your own"),
    ],
)
def test_what_is_no_good_approval(entries, rule, why):
    found, reasons = judge(entries, Demand("100%", "d", BOB, rule), NOW)
    assert found is None
    assert (why is None and not reasons) or any(why in reason for reason in reasons)


def test_a_good_one_is_found_among_others():
    entries = [entry(1), entry(2, digest="other"), used(3), entry(4, who=BOB)]
    assert judge(entries, Demand("100%", "d", BOB, "second-person"), NOW)[0] == entries[0]
    assert judge(entries, Demand("100%", "d", BOB, "required"), NOW)[0] == entries[3]


given_entries = st.lists(
    st.builds(
        entry,
        number=st.integers(1, 9),
        who=st.sampled_from([ALICE, BOB]),
        step=st.sampled_from(["50%", "100%", "switchover"]),
        digest=st.sampled_from("de"),
        left=st.integers(-3, 3).map(lambda hours: timedelta(hours=hours)),
    )
    | st.integers(1, 9).map(used)
)


@given(given_entries, st.sampled_from(["required", "second-person"]))
def test_whatever_the_journal_holds_what_is_accepted_is_good(entries, rule):
    found, _ = judge(entries, Demand("100%", "d", BOB, rule), NOW)
    if found is not None:
        assert (found.evidence["step"], found.evidence["digest"]) == ("100%", "d")
        assert datetime.fromisoformat(found.evidence["expires"]) > NOW
        assert rule == "required" or found.who == ALICE
        assert not any(other.evidence.get("approval") == found.sequence for other in entries)


def test_a_share_between_two_steps_is_approved_like_the_next_one(spec):
    rules = {share: approvals.rule_of(spec.migration, share) for share in ("1%", "50%", "51%", "99%", "100%")}
    assert rules == {"1%": "none", "50%": "none", "51%": "required", "99%": "required", "100%": "required"}
    assert approvals.rule_of(spec.migration, "switchover") == "required"


@pytest.mark.parametrize(
    ("strategy", "step", "switchover", "rule"),
    [
        ("compute-first", "second-person", "required", "required"),
        ("together", "none", "required", "required"),
        ("together", "second-person", "required", "second-person"),
        ("together", "required", "none", "required"),
    ],
)
def test_where_traffic_and_writer_move_together_the_stricter_word_counts(spec, strategy, step, switchover, rule):
    cutover = spec.migration.cutover
    changed = cutover.model_copy(
        update={
            "strategy": strategy,
            "steps": [cutover.steps[-1].model_copy(update={"approval": step})],
            "switchover": cutover.switchover.model_copy(update={"approval": switchover}),
        }
    )
    assert approvals.rule_of(spec.migration.model_copy(update={"cutover": changed}), "switchover") == rule


@pytest.fixture(scope="module")
def spec(spec):
    steps = list(spec.migration.cutover.steps)
    steps[-1] = steps[-1].model_copy(update={"approval": "required"})
    cutover = spec.migration.cutover.model_copy(update={"steps": steps})
    return replace(spec, migration=spec.migration.model_copy(update={"cutover": cutover}))


@pytest.fixture(scope="module")
def stage(spec):
    with open_stage(spec.migration) as opened:
        Deployer(opened.aws, spec, compile_spec(spec), Console()).run(yes=True)
        yield opened


@pytest.fixture(autouse=True)
def at_half(request, spec):
    if "stage" in request.fixturenames:
        stage = request.getfixturevalue("stage")
        weights.write(another(stage), record_of(spec.migration), Weights.to_new(50))


def test_a_step_is_taken_once_it_is_approved_and_once_only(stage, spec):
    with pytest.raises(NotApproved, match="100% waits for approval: nobody has approved it") as refused:
        shift(stage.aws, spec, 100)
    assert refused.value.hint == "somebody runs: paymig approve --step 100%"
    assert live(stage, spec) == Weights(50, 50)
    done = CliRunner().invoke(
        command,
        [spec.file, "--endpoint-url", stage.embedded.endpoint_url, "--step", "100", "--yes", "--why", "looks good"],
        env=stage.embedded.environment(),
    )
    assert done.exit_code == 0, done.output
    assert "Approved 100% of payments-prod until" in done.stdout
    assert shift(stage.aws, spec, 100).after == Weights(0, 100)
    moved = list(open_journal(stage.aws, spec.migration.full_name).entries())[-1]
    assert moved.evidence["approved_by"] == stage.aws.caller()
    shift(stage.aws, spec, 50)
    with pytest.raises(NotApproved, match="was used already"):
        shift(stage.aws, spec, 100)


def test_an_approval_is_void_once_the_traffic_the_spec_or_the_stacks_have_changed(stage, spec):
    journal = open_journal(stage.aws, spec.migration.full_name)
    seen = approvals.digest(stage.aws, spec, journal)
    assert seen == approvals.digest(another(stage), spec, journal)
    approvals.approve(journal, "100%", seen)
    shift(stage.aws, spec, 10)
    with pytest.raises(NotApproved, match="another spec, other templates or another state"):
        shift(stage.aws, spec, 100)
    shift(stage.aws, spec, 50)
    assert approvals.digest(stage.aws, spec, journal) == seen
    cutover = spec.migration.cutover.model_copy(update={"steps": spec.migration.cutover.steps[-1:]})
    other = replace(spec, migration=spec.migration.model_copy(update={"cutover": cutover}))
    with pytest.raises(NotApproved, match="another spec"):
        shift(stage.aws, other, 100)
    assert shift(stage.aws, spec, 100).after == Weights(0, 100)


def test_where_a_second_person_is_asked_for_ones_own_approval_is_none(stage, spec):
    steps = [*spec.migration.cutover.steps[:-1]]
    steps.append(spec.migration.cutover.steps[-1].model_copy(update={"approval": "second-person"}))
    cutover = spec.migration.cutover.model_copy(update={"steps": steps})
    strict = replace(spec, migration=spec.migration.model_copy(update={"cutover": cutover}))
    journal = open_journal(stage.aws, spec.migration.full_name)
    seen = approvals.digest(stage.aws, strict, journal)
    approvals.approve(journal, "100%", seen)
    with pytest.raises(NotApproved, match="is your own") as refused:
        shift(stage.aws, strict, 100)
    assert "somebody other than you" in refused.value.hint
    bob = Journal(stage.aws.client("dynamodb"), journal._table.name, journal.migration, BOB)
    approvals.approve(bob, "100%", seen)
    assert shift(stage.aws, strict, 100).after == Weights(0, 100)
