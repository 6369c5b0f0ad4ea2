"""Every scenario of tests/scenarios/ ends as it says; with the campaign, so do rehearsals with faults by chance."""

import re
from pathlib import Path
from random import Random

import pytest

from paymig.console import Console
from paymig.errors import PaymigError
from paymig.rehearsal.faults import FAULTS
from paymig.rehearsal.options import Options
from paymig.rehearsal.run import Rehearsal
from paymig.rehearsal.scenario import Scenario, Step, patched, read
from paymig.rehearsal.view import View
from schemas.load import load

TESTS = Path(__file__).parents[1]
FILES = sorted((TESTS / "scenarios").glob("*/scenario.yaml"))
SPEC = load(TESTS.parent / "specs" / "payments.yaml")
SOAKS = 20
SHARES = (10, 50, 100)


def play(scenario, seed=1):
    options = Options(rate=30, rows=500, duration=6, seed=seed)
    spec = patched(SPEC, scenario.patch) if scenario.patch else SPEC
    return Rehearsal(spec, scenario, options, View(Console())).run()


@pytest.mark.long
@pytest.mark.parametrize("file", FILES, ids=[file.parent.name for file in FILES])
def test_a_scenario_ends_as_it_says(file):
    report = play(read(file))
    assert report.kept, report.proof.problems
    assert report.proof.promised > 50


def test_there_are_enough_and_each_fault_has_one():
    steps = [step for file in FILES for step in read(file).steps]
    assert len(FILES) >= 15
    assert {step.fault for step in steps if step.fault} == set(FAULTS)


PHASES = ("provisioned", "replicating", "shifting", "switching", "baking", "finalized")
TABLE = re.compile(rf"^\| ({'|'.join(PHASES)}) \| (.+) \| (.+) \|$", re.MULTILINE)
WAY = re.compile(r"`([a-z-]+)`: ((?:`[^`]+`(?:, )?)+)")
"""A scenario, and the steps of it that walk the way."""


def ways():
    """Read the documentation's table: a phase, a direction, a scenario, and its steps that go there."""
    for phase, forth, back in TABLE.findall((TESTS.parent / "docs" / "rehearsal.md").read_text()):
        for direction, cell in (("forth", forth), ("back", back)):
            for name, steps in WAY.findall(cell):
                yield pytest.param(name, re.findall(r"`([^`]+)`", steps), id=f"{phase}-{direction}-{name}")


def test_every_phase_has_a_scenario_forth_and_back():
    found = {tuple(str(way.id).split("-")[:2]) for way in ways()}
    assert found == {(phase, direction) for phase in PHASES for direction in ("forth", "back")}


@pytest.mark.parametrize(("name", "steps"), list(ways()))
def test_a_scenario_walks_its_phase_as_the_documentation_says(name, steps):
    taken = iter([*(step.take for step in read(TESTS / "scenarios" / name / "scenario.yaml").steps), "destroy"])
    assert all(step in taken for step in steps), f"these do not follow each other in {name}: {steps}"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[]", "mapping"),
        ("title: a\n", "required"),
        ("{title: a, steps: [fly]}", "'fly'"),
        ("{title: a, steps: [{take: status, fault: flood}]}", "'flood'"),
        ("{title: a, steps: [{fault: flood}]}", "is no step"),
        ("{title: a, steps: [status], expect: {luck: 1}}", "'luck'"),
    ],
)
def test_what_is_no_scenario_is_refused(tmp_path, text, word):
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    with pytest.raises(PaymigError, match=word):
        read(file)


def test_what_was_expected_and_is_not_breaks_the_proof():
    scenario = Scenario("a", "A", (), expect={"writer": "source", "weight": 50, "failed": 0})
    assert scenario.broken("source", 50, 0, 0) == []
    assert len(scenario.broken("target", 0, 3, 0)) == 3
    assert Scenario("a", "A", (), expect={"lost": True}).broken("source", 0, 0, 0)


BESIDES = {
    "operator-killed",
    "operator-killed-in-the-pause",
    "target-dies-in-the-pause",
    "two-operators",
    "long-transaction",
}
SAFE = sorted(set(FAULTS) - BESIDES)
"""What may go wrong while clients come and go; the others strike a command."""


def random_scenario(seed):
    """The whole road, back or to its end, each step with a fault or none."""
    random = Random(seed)

    def struck(step, faults):
        fault = random.choice([*faults, "", ""])
        again = [Step("unlock", exits=(0, 3)), Step(step)] if fault else []
        return [Step(step, fault, (0, 3, 4, -9) if fault else ()), *again]

    def bake():
        return Step("bake 3", random.choice(["", *SAFE]))

    steps = [Step("deploy"), Step("replicate")]
    for share in SHARES:
        steps += [*struck(f"move {share}", ["operator-killed", "two-operators"]), bake()]
    steps += [Step("caught-up"), Step("move 100"), *struck("switchover", sorted(BESIDES)), bake(), Step("caught-up")]
    if random.random() < 0.5:
        steps += [Step("rollback", random.choice(["", "slow-network", "clock-skew"])), bake(), Step("rollback")]
    else:
        steps += [Step("finalize"), bake()]
    patch = {
        "cutover": {"switchover": {"pause_budget": "3s"}, "steps": [{"to": f"{n}%", "bake": "1m"} for n in SHARES]}
    }
    return Scenario(f"soak-{seed}", f"Random faults of seed {seed}", tuple(steps), patch)


@pytest.mark.campaign
@pytest.mark.parametrize("number", range(SOAKS))
def test_random_faults_lose_and_double_nothing(number, capsys):
    seed = Random().getrandbits(32)
    with capsys.disabled():
        print(f"\nsoak {number + 1} of {SOAKS}: seed {seed}", flush=True)  # noqa: T201 - the seed, even where it hangs
    report = play(random_scenario(seed), seed)
    assert report.kept, (seed, report.proof.problems)
