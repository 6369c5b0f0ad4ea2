"""`paymig switchover --plan` between two real servers: what the expected pause is made of, as more is measured."""

import pytest

from schemas.load import load
from tests.paymig.operators import approve
from tests.paymig.paying import checkout, type_

FIGURES = ["the drain", "the comparison", "the fence, the sequences, the way back, the commit and the opening"]


@pytest.fixture
def file(tmp_path):
    return checkout(tmp_path / "specs")


@pytest.fixture
def spec(file):
    return load(file)


def test_the_expected_pause_is_made_of_what_was_measured_so_far(stage, spec, file, replicating, capsys):
    def plan(*words):
        code, told, said = type_(capsys, file, "switchover", "--plan", *words, yes=False)
        assert code == 0, said
        return told[-1]

    first = plan()
    assert first["expected_pause"]["fits"] is None
    assert [why.partition(":")[0] for why in first["expected_pause"]["unknown"]] == ["the comparison", FIGURES[2]]
    assert first["expected_pause"]["budget"] == 25
    assert [step["step"] for step in first["steps"]][-2:] == ["open", "retire"]

    for typed in (["compare"], ["switchover"], ["rollback"]):
        approve(stage, spec)
        code, told, said = type_(capsys, file, *typed, yes=typed != ["compare"])
        assert code == 0, said
    for found in (plan(), plan("--in-cloud")):
        pause = found["expected_pause"]
        assert [part["what"] for part in pause["parts"]] == FIGURES
        assert pause["unknown"] == [] and pause["fits"] is True
        assert pause["seconds"] == pytest.approx(sum(part["seconds"] for part in pause["parts"]), abs=1e-3)
        assert all(part["seconds"] >= 0 for part in pause["parts"])
        # The comparison read the payment that was there, and the last move was the way back.
        assert "(full, " in pause["parts"][1]["made_of"] and "switchback of " in pause["parts"][2]["made_of"]
        assert f"whose pause took {told[-1]['pause']:.3f} s" in pause["parts"][2]["made_of"]
